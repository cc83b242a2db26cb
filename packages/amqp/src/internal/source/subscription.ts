/**
 * What is pushed to a source: one subscription that lives as long as its connector and heals by itself.
 *
 *     idle ──first fetch──▶ subscribing ──▶ subscribed ──channel or connection lost, watchdog──▶ subscribing
 *                                ▲               │
 *                                │               └──nothing fetched for a minute, nothing held──▶ parked
 *                                └───────────────────────────────next fetch──────────────────────────┘
 *
 * A consumer that the broker cancels (its queue was deleted) is started again on the same channel, once the queue is
 * there; other queues go on meanwhile. Deliveries of one turn of the event loop are handed to a waiting fetch together.
 * Worst case: a fetch that may not wait takes as long as it takes to subscribe, at most 20 seconds, and to ask the broker
 * whether the queues are empty.
 */
import * as Reason from "@ergon/core/Reason"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { call } from "../client/call.ts"
import { type Link, type Live, waitAfter } from "../client/link.ts"
import { reasonOf } from "../client/reason.ts"
import { asking, countQueue, prepare } from "../client/topology.ts"
import { Waiters } from "../client/waiters.ts"
import type { SourceSettings } from "../settings/connectors.ts"
import { Consumers } from "./consumers.ts"
import { isEmpty, type Waiting } from "./empty.ts"
import { type Receipt, Session } from "./session.ts"

export interface SubscriptionOptions {
  readonly link: Link
  readonly settings: SourceSettings
  readonly clock: Clock.Clock
  readonly patience: number
}

// How much may be unsettled when a fetch asks for so much, unless the options say how much. Who has many slots does short
// work, and should not wait for the broker; who has few may do long work, and should not hold what others could do.
const auto = (max: number): number => Math.min(2000, max < 32 ? 2 * max : Math.max(2 * max, Math.min(4 * max, 256)))
const subscribing = 20_000
const parkAfter = 60_000
// Longer than any try of a settlement, and the wait before the next one.
const abandonedAfter = 120_000

export class Subscription {
  private readonly options: SubscriptionOptions
  /** Woken when something arrived, or the state changed. */
  readonly changes = new Waiters()
  session: Session | undefined
  live: Live | undefined
  private opened: Session | undefined
  private consumers: Consumers | undefined
  /** Why there is no session. */
  failure: Reason.Reason | undefined
  isClosed = false
  /** What could not be settled, and since when; whoever tries again takes it out. */
  readonly unsettled = new Map<Receipt, number>()
  private buffer: Array<Receipt> = []
  private head = 0
  private wasSubscribed = false
  private refusedSince: number | undefined
  private wanted: number | undefined
  private fetchedAt = 0
  private waking = false
  /** What the first fetch asked for: as many as there are slots. */
  slots: number | undefined
  /** About the most that a fetch asked for, and how many fetches there were. */
  private asked = 0
  fetches = 0

  constructor(options: SubscriptionOptions) {
    this.options = options
  }

  get prefetch(): number {
    return this.options.settings.prefetch ?? Math.max(auto(this.asked), this.options.settings.queues.length)
  }

  /** Why nothing comes, while something should. */
  get trouble(): Reason.Reason | undefined {
    return this.session === undefined && this.wanted !== undefined ? this.failure : undefined
  }

  get buffered(): number {
    return this.buffer.length - this.head
  }

  /** A fetch is here: there has to be a subscription. */
  want(max: number): void {
    this.fetchedAt = this.options.clock.currentTimeMillisUnsafe()
    this.fetches++
    this.slots ??= max
    // More takes one more consumer: not for a little more.
    if (max >= 2 * this.asked) {
      this.asked = max
      this.session?.changed.wake()
    }
    if (this.wanted !== undefined) return
    this.wanted = max
    this.changes.wake()
  }

  /** What was pushed and not handed over yet, at most `max`. */
  take(max: number): Array<Receipt> {
    const { buffer, head } = this
    const end = Math.min(buffer.length, head + max)
    if (end === head || buffer[head]?.session.isAlive === false) return []
    const taken = head === 0 && end === buffer.length ? buffer : buffer.slice(head, end)
    if (end === buffer.length) {
      this.buffer = []
      this.head = 0
    } else this.head = end
    for (const receipt of taken) {
      receipt.state = "held"
      receipt.session.held++
    }
    return taken
  }

  /** What was given back untouched comes first. */
  putBack(receipts: ReadonlyArray<Receipt>): void {
    const renewed = receipts.filter(({ isHeld }) => isHeld).map((receipt) => receipt.session.renew(receipt))
    if (renewed.length === 0) return
    this.buffer = renewed.concat(this.buffer.slice(this.head))
    this.head = 0
    this.changes.wake()
  }

  /**
   * At most `max`, as soon as there is one; waits for a first one until its time is over. `keep` is told what was taken,
   * for a fetch that is interrupted before it has handed that over.
   */
  fetch(
    max: number,
    wait: number,
    keep: (receipts: Array<Receipt>) => void
  ): Effect.Effect<Array<Receipt>, Reason.Reason> {
    const { clock } = this.options
    return Effect.suspend(() => {
      if (this.isClosed) return Effect.fail(closed)
      this.want(max)
      const now = clock.currentTimeMillisUnsafe()
      const until = now + wait
      const subscribedUntil = wait > 0 ? until : now + subscribing
      const look = (asked: boolean): Effect.Effect<Array<Receipt>, Reason.Reason> =>
        Effect.suspend(() => {
          const seen = this.changes.count
          if (this.isClosed) return Effect.succeed([])
          const taken = this.take(max)
          if (taken.length > 0) {
            keep(taken)
            return Effect.succeed(taken)
          }
          const now = clock.currentTimeMillisUnsafe()
          if (this.session === undefined) {
            if (this.failure?.isRetryable === false) return Effect.fail(this.failure)
            if (now >= subscribedUntil) return Effect.fail(this.failure ?? notYet)
            return Effect.flatMap(Effect.timeoutOption(this.changes.after(seen), subscribedUntil - now), () =>
              look(false))
          }
          if (now < until) {
            return Effect.flatMap(Effect.timeoutOption(this.changes.after(seen), until - now), () =>
              look(false))
          }
          // Only a run that ends when nothing is there has to know that for sure.
          if (wait > 0 || asked) return Effect.succeed([])
          const asking = isEmpty(this, this.session)
          return Effect.flatMap(Effect.mapError(asking, (reason) => this.patient(reason)), look)
        })
      return look(false)
    })
  }

  /** Of each queue, how much waits and how many consume. */
  get waiting(): Effect.Effect<ReadonlyArray<Waiting>, Reason.Reason> {
    const { link, settings } = this.options
    return Effect.flatMap(
      link.open(subscribing),
      (live) =>
        asking(
          link,
          live,
          (channel) =>
            Effect.forEach(settings.queues, ({ isSingleActive, name }) =>
              Effect.map(countQueue(channel, name), ({ consumerCount, messageCount }) => ({
                name,
                isSingleActive,
                messages: messageCount,
                consumers: consumerCount
              })))
        )
    )
  }

  /** The loop that subscribes; ends with the scope of the connector. */
  run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      for (let failures = 0;;) {
        yield* this.untilWanted()
        const opened = yield* Effect.result(this.subscribe())
        if (Result.isFailure(opened)) {
          failures++
          this.forget()
          this.failure = this.patient(opened.failure)
          if (failures === 1) yield* this.warn("not subscribed; trying again", opened.failure)
          this.changes.wake()
          yield* Effect.sleep(waitAfter(failures))
          continue
        }
        const session = opened.success
        failures = 0
        this.failure = undefined
        if (this.wasSubscribed) yield* Effect.logInfo(`source "${this.options.settings.id}": subscribed again`)
        this.wasSubscribed = true
        this.refusedSince = undefined
        this.session = session
        this.changes.wake()
        yield* this.untilEnded(session)
        this.session = undefined
        this.forget()
        if (session.why !== parked) {
          this.failure = session.why === undefined
            ? this.options.link.trouble ?? new Reason.ConnectionLost({ message: "the channel was closed" })
            : this.patient(reasonOf("consuming", session.why))
          if (this.failure instanceof Reason.Unknown) {
            this.failure = new Reason.ConnectionLost({ message: this.failure.message })
          }
          yield* this.warn("no longer subscribed; subscribing again", this.failure)
        }
        this.changes.wake()
        yield* close(session)
      }
    })
  }

  /**
   * Ends a waiting fetch with nothing; what is unsettled goes back. A broker that does not answer within 3 seconds loses
   * the connection.
   */
  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      const { live, opened } = this
      this.session = undefined
      this.forget()
      opened?.end(undefined)
      this.changes.wake()
      if (opened?.channel.active !== true) return Effect.void
      return call("closing a channel", () => opened.channel.close(), 3_000).pipe(
        Effect.catch((reason) =>
          Effect.sync(() => {
            if (live !== undefined) this.options.link.drop(live, reason)
          })
        )
      )
    })
  }

  /** What was pushed over a channel that is gone. */
  private forget(): void {
    this.unsettled.clear()
    this.buffer = []
    this.head = 0
  }

  private untilWanted(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const seen = this.changes.count
      return this.wanted !== undefined
        ? Effect.void
        : Effect.flatMap(this.changes.after(seen), () => this.untilWanted())
    })
  }

  /** Until a session has ended. Where nobody has said how much may be unsettled, it grows with what is asked for. */
  private untilEnded(session: Session): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!session.isAlive) return Effect.void
      const seen = session.changed.count
      const share = this.shareOf(session.queues.length)
      const grown = share > session.share && this.consumers !== undefined
        ? this.consumers.grow(share).pipe(
          Effect.catch((reason) => Effect.sync(() => session.end(reason.cause ?? reason)))
        )
        : session.changed.after(seen)
      return Effect.flatMap(grown, () => this.untilEnded(session))
    })
  }

  private shareOf(queues: number): number {
    return Math.max(1, Math.floor(this.prefetch / queues))
  }

  /** Gives back what could not be settled and was not tried again: it would stay unsettled for as long as the channel. */
  giveBack(): void {
    const before = this.options.clock.currentTimeMillisUnsafe() - abandonedAfter
    for (const [receipt, at] of this.unsettled) {
      if (at > before) continue
      this.unsettled.delete(receipt)
      if (receipt.isHeld) receipt.session.requeue(receipt)
    }
  }

  /** Nobody fetches: what is buffered goes back, so that others get it and no timeout of the broker is hit. */
  parkIfIdle(): void {
    const { session } = this
    const idle = this.options.clock.currentTimeMillisUnsafe() - this.fetchedAt >= parkAfter
    if (session === undefined || session.held > 0 || !idle || this.changes.size > 0) return
    this.wanted = undefined
    session.end(parked)
  }

  private subscribe(): Effect.Effect<Session, Reason.Reason> {
    return Effect.gen({ self: this }, function*() {
      const { link, settings } = this.options
      const live = yield* link.open(subscribing)
      yield* prepare(link, live, settings.topology, settings.declare)
      const channel = yield* link.channel(live)
      const names = settings.queues.map(({ name }) => name)
      const session = new Session(channel, names, this.shareOf(names.length), (receipt) => this.arrived(receipt))
      this.live = live
      this.opened = session
      const consumers = new Consumers({
        session,
        id: settings.id,
        ready: prepare(link, live, settings.topology, settings.declare),
        refused: (reason) => this.refused(reason)
      })
      this.consumers = consumers
      return yield* consumers.start.pipe(
        Effect.andThen(Effect.forkDetach(consumers.keep)),
        Effect.as(session),
        Effect.onError(() => Effect.andThen(Effect.sync(() => session.end(undefined)), close(session)))
      )
    })
  }

  /** A queue that is gone for good ends the session, and with it the run. */
  private refused(reason: Reason.Reason): void {
    const now = this.patient(reason)
    if (!now.isRetryable) this.session?.end(reason.cause ?? reason)
  }

  /** What was there before may come back: for a while its absence counts as a connection that is lost. */
  private patient(reason: Reason.Reason): Reason.Reason {
    // The connection is patient by itself.
    if (reason.isRetryable || !this.wasSubscribed || reason === this.options.link.trouble) return reason
    const now = this.options.clock.currentTimeMillisUnsafe()
    this.refusedSince ??= now
    return now - this.refusedSince < this.options.patience
      ? new Reason.ConnectionLost({
        message: `refused for now: ${reason._tag}: ${reason.message}`,
        cause: reason.cause
      })
      : reason
  }

  private arrived(receipt: Receipt): void {
    this.buffer.push(receipt)
    this.refusedSince = undefined
    if (this.changes.size === 0) this.changes.count++
    else if (!this.waking) {
      this.waking = true
      // After all that arrives in this turn.
      setImmediate(() => {
        this.waking = false
        this.changes.wake()
      })
    }
  }

  private warn(what: string, reason: Reason.Reason): Effect.Effect<void> {
    return Effect.logWarning(`source "${this.options.settings.id}": ${what}`).pipe(
      Effect.annotateLogs({ reason: `${reason._tag}: ${reason.message}` })
    )
  }
}

const parked = new Error("nothing was fetched for a minute")
export const closed = new Reason.InvalidRequest({ message: "the connector is closed" })
const notYet = new Reason.ConnectionLost({ message: "not subscribed yet" })

/** Closes the channel of a session: what is unsettled goes back. At most 5 seconds. */
export const close = (session: Session): Effect.Effect<void> =>
  session.channel.active
    ? Effect.ignore(call("closing a channel", () => session.channel.close(), 5_000))
    : Effect.void
