/**
 * One channel's life: what was delivered over it and is not settled. When it ends, all of that is lost to us; the broker
 * delivers it again.
 *
 *     buffered ──fetched──▶ held ──copy confirmed──▶ copied
 *        ▲                   │                         │
 *        └────released───────┼─────────────────────────┤
 *                            └──Ack or Nack written──▶ sent ──the broker answered──▶ settled
 *
 * Tags of a channel count from 1. A tag that is missing is a delivery that the library has dropped (its consumer was not
 * known yet, or no longer): an acknowledgement of everything up to a later tag would lose it. So the channel is given up.
 */
import * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { answering, call } from "../client/call.ts"
import type { AsyncMessage, Channel } from "../client/library.ts"
import { Waiters } from "../client/waiters.ts"

/** A queue that a session consumes from, and how many of its deliveries are unsettled. */
export interface Consumed {
  readonly name: string
  open: number
  /** Whether something arrived since somebody looked. */
  arrived: boolean
}

const unanswered = new Reason.Timeout({ message: `settling: the broker did not answer within ${answering} ms` })

/** One hand-over: the receipt of a delivery. */
export class Receipt {
  state: "buffered" | "held" | "copied" | "sent" | "settled" = "buffered"
  readonly session: Session
  readonly tag: number
  readonly queue: Consumed
  readonly message: AsyncMessage

  constructor(session: Session, tag: number, queue: Consumed, message: AsyncMessage) {
    this.session = session
    this.tag = tag
    this.queue = queue
    this.message = message
  }

  get isHeld(): boolean {
    return this.session.isAlive && (this.state === "held" || this.state === "copied")
  }
}

export class Session {
  readonly channel: Channel
  readonly queues: ReadonlyArray<Consumed>
  /** How much may be unsettled of each queue. */
  share: number
  /** What the next consumer may have unsettled: all of the share, or what is added to it. */
  private qos: number
  /** Woken once, at its end. */
  readonly ended = new Waiters()
  /** Woken when whoever looks after it should look. */
  readonly changed = new Waiters()
  /** Unsettled, in the order of their tags. */
  readonly open = new Map<number, Receipt>()
  isAlive = true
  why: unknown
  /** How many are handed over and not settled. */
  held = 0
  private last = 0
  /** Acknowledged by us, and of these answered by the broker. */
  private written = 0
  private answered = 0
  private asking = false
  private readonly answers = new Waiters()
  private readonly onArrival: (receipt: Receipt) => void

  constructor(
    channel: Channel,
    queues: ReadonlyArray<string>,
    share: number,
    onArrival: (receipt: Receipt) => void
  ) {
    this.channel = channel
    this.queues = queues.map((name) => ({ name, open: 0, arrived: false }))
    this.share = share
    this.qos = share
    this.onArrival = onArrival
    channel.on("error", (error) => this.end(error))
    channel.on("close", () => this.end(undefined))
  }

  arrive(queue: Consumed, message: AsyncMessage): void {
    if (!this.isAlive) return
    const tag = message.deliveryTag
    if (tag !== this.last + 1) {
      return this.end(new Error(`delivery ${this.last + 1} was missed: ${tag} came`))
    }
    this.last = tag
    const receipt = new Receipt(this, tag, queue, message)
    this.open.set(tag, receipt)
    queue.open++
    queue.arrived = true
    this.onArrival(receipt)
  }

  /** Nothing of it can be settled any more. */
  end(why: unknown): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.why = why
    this.open.clear()
    this.ended.wake()
    this.changed.wake()
    this.answers.wake()
  }

  /** The next consumers may have so much more. */
  grow(share: number): void {
    this.qos = share - this.share
    this.share = share
  }

  /** A consumer that is started again may have all. */
  whole(): void {
    this.qos = this.share
  }

  /** Acknowledges: what has nothing unsettled before it in one frame, the others each in their own. */
  ack(receipts: ReadonlyArray<Receipt>): void {
    for (const receipt of receipts) receipt.state = "sent"
    let upTo = 0
    for (const [tag, receipt] of this.open) {
      if (receipt.state !== "sent") break
      upTo = tag
      this.forget(receipt)
    }
    if (upTo > 0) this.channel.basicAck({ deliveryTag: upTo, multiple: true })
    for (const receipt of receipts) {
      if (receipt.tag > upTo && this.forget(receipt)) this.channel.basicAck({ deliveryTag: receipt.tag })
    }
  }

  /** Gives back to the queue, which raises the count. */
  requeue(receipt: Receipt): void {
    receipt.state = "sent"
    this.forget(receipt)
    this.channel.basicNack({ deliveryTag: receipt.tag, requeue: true })
  }

  /** Another hand-over of the same delivery: the old receipt settles nothing any more. */
  renew(receipt: Receipt): Receipt {
    receipt.state = "settled"
    this.held--
    const renewed = new Receipt(this, receipt.tag, receipt.queue, receipt.message)
    this.open.set(receipt.tag, renewed)
    return renewed
  }

  /**
   * So many were written. Goes on unless more than the prefetch are without the broker's answer: what is acknowledged
   * next does not wait for the way there and back.
   */
  nearlyConfirmed(count: number): Effect.Effect<void, Reason.Reason> {
    this.written += count
    const prefetch = this.share * this.queues.length
    // A question for every frame would cost the broker as much as the frame.
    if (this.written - this.answered > prefetch / 2) this.ask()
    return this.confirmedBut(prefetch)
  }

  /** One question at a time; what is written meanwhile is for the next one. */
  private ask(): void {
    if (this.asking || this.written === this.answered || !this.isAlive) return
    this.asking = true
    const upTo = this.written
    const answer = this.channel.basicQos({ prefetchCount: this.qos })
    void answer.then(() => this.answer(upTo), () => this.answers.wake())
  }

  private answer(upTo: number): void {
    this.asking = false
    this.answered = upTo
    this.answers.wake()
    this.ask()
  }

  private confirmedBut(open: number): Effect.Effect<void, Reason.Reason> {
    if (this.written - this.answered <= open || !this.isAlive) return Effect.void
    const seen = this.answers.count
    return Effect.flatMap(
      Effect.timeoutOption(this.answers.after(seen), answering),
      (answered) => Option.isSome(answered) ? this.confirmedBut(open) : Effect.fail(unanswered)
    )
  }

  /** Once the broker has processed all that was written before. */
  get confirmed(): Effect.Effect<void, Reason.Reason> {
    return call("settling", () => this.channel.basicQos({ prefetchCount: this.qos }))
  }

  private forget(receipt: Receipt): boolean {
    if (!this.open.delete(receipt.tag)) return false
    receipt.queue.open--
    this.held--
    return true
  }
}
