/**
 * An in-memory queue: the broker that connections of `Memory` talk to. It outlives them.
 *
 * A message is in one of five places:
 *
 *     fresh ──fetch──▶ in flight ──Ack────────▶ gone (its id is remembered)
 *       ▲                 │  │  └──DeadLetter──▶ dead letters ──put back──▶ fresh     (count 0)
 *       │                 │  └─────Requeue─────▶ fresh, or delayed ──due──▶ fresh     (count + 1)
 *       │                 ├────────Release─────▶ returned                              (count unchanged)
 *       │                 └──lease over, closed─▶ returned                             (count + 1)
 *     offer, take back  returned ──fetch──▶ in flight, before anything fresh, in the order of arrival
 *
 * A hand-over is `held` until it is `settled` (settling again changes nothing) or `lost` (settling fails with
 * LeaseLost). Due times and leases are looked at whenever the store is touched; no timer and no fiber runs here.
 * Settling costs the same however many messages there are.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type { DeadLetter } from "../../DeadLetter.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Settlement } from "../../Disposition.ts"
import type { Transaction } from "../../Transaction.ts"
import { Ledger } from "./ledger.ts"
import { Fifo, insertSorted } from "./order.ts"
import { Waiters } from "./waiting.ts"

/** Where a message stands: `sequence` is its place in the order of arrival, `due` when a delayed one is ready. */
interface Message {
  readonly transaction: Transaction<unknown>
  deliveries: number
  sequence: number
  due: number
}

/** Whoever fetches, and how much it holds: that comes back when it closes. */
export class Owner {
  closed = false
  held = 0
}

/** One hand-over of a message: the receipt of its delivery, and a link in the list of what is in flight. */
export class Handover {
  state: "held" | "settled" | "lost" = "held"
  previous: Handover | undefined = undefined
  next: Handover | undefined = undefined
  readonly message: Message
  readonly owner: Owner
  until: number

  constructor(message: Message, owner: Owner, until: number) {
    this.message = message
    this.owner = owner
    this.until = until
  }
}

/** A transaction that was given up, as the queue keeps it: `at` that time, in milliseconds. */
export interface Buried {
  readonly transaction: Transaction<unknown>
  readonly reason: string
  readonly letter: DeadLetter | undefined
  readonly deliveries: number
  readonly at: number
}

export interface StoreOptions {
  readonly clock: Clock.Clock
  readonly lease: number | undefined
  readonly history: number
  readonly countsDeliveries: boolean
  readonly delaysRequeues: boolean
  readonly buriesDeadLetters: boolean
  readonly end: boolean
  readonly key: ((transaction: Transaction<unknown>) => string | undefined) | undefined
  readonly malformed: ((transaction: Transaction<unknown>) => string | undefined) | undefined
}

/** Why a settlement did not hold. */
export type Refusal = "lost" | "unsupported" | "foreign"

export class Store {
  readonly options: StoreOptions
  /** Woken when there may be something to fetch, or nothing ever again. */
  readonly waiters = new Waiters()
  readonly deadLetters = new Ledger<Buried>()
  private readonly fresh = new Fifo<Message>()
  /** Given back, latest arrival first: the next one to hand over is the last element. */
  private readonly returned: Array<Message> = []
  /** Latest due time first. */
  private readonly delayed: Array<Message> = []
  private pending: Iterator<Transaction<unknown>> | undefined
  private oldest: Handover | undefined
  private newest: Handover | undefined
  private held = 0
  private sequence = 0
  private ids: Array<string> = []

  constructor(options: StoreOptions, pending?: Iterator<Transaction<unknown>>) {
    this.options = options
    this.pending = pending
  }

  now(): number {
    return this.options.clock.currentTimeMillisUnsafe()
  }

  offer(transactions: ReadonlyArray<Transaction<unknown>>): void {
    for (const transaction of transactions) this.append({ transaction, deliveries: 0, sequence: 0, due: 0 })
    this.waiters.wake()
  }

  /** Makes a dead letter ready again, with a count of 0; `false` when it is no longer there. */
  putBack(key: number): boolean {
    const buried = this.deadLetters.remove(key)
    if (buried === undefined) return false
    this.offer([buried.transaction])
    return true
  }

  /** Offers what is neither waiting nor in flight. One that is a dead letter here comes back from there. */
  takeBack(transactions: ReadonlyArray<Transaction<unknown>>): void {
    const { delayed, inFlight, ready } = this.contents()
    const known = new Set([...ready, ...inFlight, ...delayed].map(({ id }) => id))
    const dead = new Map(this.deadLetters.all().map(([key, { transaction }]) => [transaction.id, key]))
    const missing = transactions.filter(({ id }) => {
      if (known.has(id)) return false
      known.add(id)
      const key = dead.get(id)
      if (key !== undefined) this.deadLetters.remove(key)
      return true
    })
    if (missing.length > 0) this.offer(missing)
  }

  /** At most `max` hand-overs, given back ones first. Throws what the iterator of a lazy source throws. */
  take(owner: Owner, max: number): Array<Delivery> {
    this.refresh()
    const deliveries: Array<Delivery> = []
    while (deliveries.length < max) {
      const message = this.returned.pop() ?? this.fresh.shift()
      if (message === undefined) break
      deliveries.push(this.handOver(message, owner))
    }
    while (deliveries.length < max && this.pending !== undefined) {
      const next = this.pending.next()
      if (next.done === true) {
        this.pending = undefined
      } else {
        const message: Message = { transaction: next.value, deliveries: 0, sequence: this.sequence++, due: 0 }
        deliveries.push(this.handOver(message, owner))
      }
    }
    return deliveries
  }

  /** Hands over one message by its id, wherever it waits; `undefined` when no message with that id is waiting. */
  claim(owner: Owner, id: string): Delivery | undefined {
    this.refresh()
    const matches = (message: Message) => message.transaction.id === id
    const message = remove(this.returned, matches) ?? this.fresh.remove(matches) ?? remove(this.delayed, matches)
    return message === undefined ? undefined : this.handOver(message, owner)
  }

  /** Settles a batch in order; calls `refuse` for each settlement that did not hold. */
  settle(settlements: ReadonlyArray<Settlement>, refuse: (index: number, why: Refusal) => void): void {
    this.refresh()
    const waiting = this.fresh.size + this.returned.length + this.delayed.length
    let index = 0
    for (const settlement of settlements) {
      const refusal = this.settleOne(settlement)
      if (refusal !== undefined) refuse(index, refusal)
      index++
    }
    if (this.options.end || this.fresh.size + this.returned.length + this.delayed.length > waiting) this.waiters.wake()
  }

  /** Prolongs the leases from now on; answers with the indices of those that are lost or settled. */
  extend(deliveries: ReadonlyArray<Delivery>): Array<number> {
    this.refresh()
    const lost: Array<number> = []
    const { lease } = this.options
    deliveries.forEach(({ receipt }, index) => {
      if (!(receipt instanceof Handover) || receipt.state !== "held") {
        lost.push(index)
      } else if (lease !== undefined) {
        this.unlink(receipt)
        receipt.until = this.now() + lease
        this.link(receipt)
      }
    })
    return lost
  }

  isHeld({ receipt }: Delivery): boolean {
    return receipt instanceof Handover && receipt.state === "held" &&
      (this.options.lease === undefined || receipt.until > this.now())
  }

  /** Takes back what an owner still holds. */
  close(owner: Owner): void {
    owner.closed = true
    let handover = this.oldest
    while (handover !== undefined) {
      const next: Handover | undefined = handover.next
      if (handover.owner === owner) this.lose(handover)
      handover = next
    }
    this.waiters.wake()
  }

  count(): { readonly ready: number; readonly inFlight: number; readonly delayed: number } {
    this.refresh()
    return { ready: this.fresh.size + this.returned.length, inFlight: this.held, delayed: this.delayed.length }
  }

  /** What waits, in the order in which it would be handed over, and what is with consumers. */
  contents(): {
    readonly ready: ReadonlyArray<Transaction<unknown>>
    readonly inFlight: ReadonlyArray<Transaction<unknown>>
    readonly delayed: ReadonlyArray<Transaction<unknown>>
    readonly acked: ReadonlyArray<string>
    readonly deadLetters: ReadonlyArray<Pick<Buried, "transaction" | "reason" | "letter">>
  } {
    this.refresh()
    const inFlight: Array<Transaction<unknown>> = []
    for (let handover = this.oldest; handover !== undefined; handover = handover.next) {
      inFlight.push(handover.message.transaction)
    }
    return {
      ready: [...this.returned.toReversed(), ...this.fresh.toArray()].map((message) => message.transaction),
      inFlight,
      delayed: this.delayed.toReversed().map((message) => message.transaction),
      acked: this.ids.slice(-this.options.history),
      deadLetters: this.deadLetters.values().map(({ letter, reason, transaction }) => ({ transaction, reason, letter }))
    }
  }

  /** Whether nothing will ever follow: nothing waits, nothing is with a consumer, and no more can arrive. */
  get ended(): boolean {
    return this.options.end && this.pending === undefined && this.held === 0 && this.delayed.length === 0 &&
      this.fresh.size === 0 && this.returned.length === 0
  }

  /** When the next delayed message is due or the next lease is over; `Infinity` when neither will happen. */
  get nextChange(): number {
    const due = this.delayed.at(-1)?.due ?? Infinity
    return this.options.lease === undefined ? due : Math.min(due, this.oldest?.until ?? Infinity)
  }

  /** Moves what has become due, or has been held for longer than its lease, to where it is handed over again. */
  private refresh(): void {
    const { lease } = this.options
    if (this.delayed.length === 0 && (lease === undefined || this.oldest === undefined)) return
    const now = this.now()
    for (let last = this.delayed.at(-1); last !== undefined && last.due <= now; last = this.delayed.at(-1)) {
      this.delayed.pop()
      this.append(last)
    }
    if (lease !== undefined) {
      while (this.oldest !== undefined && this.oldest.until <= now) this.lose(this.oldest)
    }
  }

  private handOver(message: Message, owner: Owner): Delivery {
    const { countsDeliveries, key, lease, malformed } = this.options
    const { transaction } = message
    const receipt = new Handover(message, owner, lease === undefined ? Infinity : this.now() + lease)
    this.link(receipt)
    this.held++
    owner.held++
    return {
      transaction,
      deliveries: countsDeliveries ? message.deliveries : 0,
      receipt,
      key: key === undefined ? undefined : key(transaction),
      partition: undefined,
      malformed: malformed === undefined ? undefined : malformed(transaction)
    }
  }

  private settleOne({ delivery, disposition, letter }: Settlement): Refusal | undefined {
    const { receipt } = delivery
    if (!(receipt instanceof Handover)) return "foreign"
    if (receipt.state === "settled") return undefined
    if (receipt.state === "lost") return "lost"
    if (disposition._tag === "DeadLetter" && !this.options.buriesDeadLetters) return "unsupported"
    receipt.state = "settled"
    this.unlink(receipt)
    this.held--
    receipt.owner.held--
    const { message } = receipt
    switch (disposition._tag) {
      case "Ack":
        this.remember(message.transaction.id)
        return undefined
      case "DeadLetter":
        this.deadLetters.add({
          transaction: message.transaction,
          reason: disposition.reason,
          letter,
          deliveries: message.deliveries,
          at: this.now()
        })
        return undefined
      case "Release":
        this.giveBack(message)
        return undefined
      case "Requeue": {
        message.deliveries++
        const delay = this.options.delaysRequeues ? Duration.toMillis(disposition.delay) : 0
        if (delay === 0) {
          this.append(message)
        } else {
          message.due = this.now() + delay
          insertSorted(this.delayed, message, (that) => that.due)
        }
        return undefined
      }
    }
  }

  private lose(handover: Handover): void {
    handover.state = "lost"
    this.unlink(handover)
    this.held--
    handover.owner.held--
    handover.message.deliveries++
    this.giveBack(handover.message)
  }

  private giveBack(message: Message): void {
    insertSorted(this.returned, message, (that) => that.sequence)
  }

  private append(message: Message): void {
    message.sequence = this.sequence++
    this.fresh.push(message)
  }

  private remember(id: string): void {
    const { history } = this.options
    if (history === 0) return
    this.ids.push(id)
    if (this.ids.length >= history * 2) this.ids = this.ids.slice(-history)
  }

  private link(handover: Handover): void {
    handover.previous = this.newest
    handover.next = undefined
    if (this.newest === undefined) this.oldest = handover
    else this.newest.next = handover
    this.newest = handover
  }

  private unlink(handover: Handover): void {
    const { next, previous } = handover
    if (previous === undefined) this.oldest = next
    else previous.next = next
    if (next === undefined) this.newest = previous
    else next.previous = previous
    handover.previous = undefined
    handover.next = undefined
  }
}

const remove = (messages: Array<Message>, matches: (message: Message) => boolean): Message | undefined => {
  const index = messages.findIndex(matches)
  return index === -1 ? undefined : messages.splice(index, 1)[0]
}
