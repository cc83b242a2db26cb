/**
 * The fetch step: asks the source for what the slots can take, and keeps what they have not taken yet.
 *
 *     resting -> fetching -> resting       deliveries came, or the source is empty: again at once, or after a backoff
 *                    |
 *                    +-> ended             the limit is reached, the source has come to its end, a run that does not
 *                                          stream found nothing with nothing in flight, or fetching failed for good
 *
 * One fetch is in flight at a time. Idle slots keep polling while slow transactions run. What is asked for is never
 * more than what is left of `loop.limit`; what a source hands over beyond that is released.
 *
 * Where the order depends on the payload, what was fetched is decoded before it is handed on. Worst case: the slowest
 * schema of a fetch holds up the rest of it until the transaction's deadline.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import type { FetchRequest } from "../../Connector.ts"
import { FetchError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import { Timeout, Unknown } from "../../Reason.ts"
import { defaultBatchSize } from "../policy/batchSize.ts"
import { decodeAhead } from "./decode.ts"
import * as Item from "./item.ts"
import { orderKey } from "./lanes.ts"
import type { Plan } from "./plan.ts"
import { delayAfter } from "./reconnect.ts"
import type { Tally } from "./tally.ts"
import type { Signals } from "./signals.ts"
import type { Watched, Watcher } from "./watcher.ts"

const mostCounts = 100_000

/** What came of an attempt to fetch: there was no room or no reason, the source was asked, or it answered at once. */
export type Asked = "not" | "asked" | "arrived"

export interface IntakeOptions {
  readonly plan: Plan
  readonly watcher: Watcher
  readonly tally: Tally
  readonly signals: Signals
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  // When a lease that starts now runs out.
  readonly expiry: (now: number) => number
  // How many transactions can run at once, as it is now.
  readonly concurrency: () => number
  // Nothing runs, waits or is being settled.
  readonly quiet: () => boolean
  readonly fetched: (item: Item.Item) => void
  readonly release: (item: Item.Item) => void
  readonly pump: () => void
}

export class Intake {
  private readonly options: IntakeOptions
  private readonly resumeAt: Watched
  private readonly expiry: Watched
  private buffer: ReadonlyArray<Item.Item> = []
  private head = 0
  // Started before the buffer: the next ones of their lanes, and what was held.
  private readonly front: Array<Item.Item> = []
  private fiber: Fiber.Fiber<ReadonlyArray<Delivery>, FetchError | Cause.Done> | undefined
  // Fetched, and being decoded before they enter their lanes.
  private ahead: ReadonlyArray<Item.Item> = []
  private starting = false
  private resting = false
  private stopped = false
  private empties = 0
  private startedAt = 0
  private startedQuiet = false
  // Observed milliseconds of a fetch, and transactions started per millisecond: what `prefetch: "auto"` goes by.
  private roundTrip = 0
  private rate = 0
  private lastFetchAt = -1
  // Arrived since then, within its millisecond.
  private arrivals = 0
  // In a row.
  failures = 0
  ended = false
  error: FetchError | undefined
  // How often each id was requeued, where the source does not count: the newest ones, for as long as the run lives.
  private readonly counts: Map<string, number> | undefined

  constructor(options: IntakeOptions) {
    this.options = options
    this.resumeAt = options.watcher.entry(() => {
      this.resting = false
      options.pump()
    })
    this.expiry = options.watcher.entry(() => this.fiber?.interruptUnsafe())
    this.counts = options.plan.source.capabilities.deliveries === "engine" ? new Map() : undefined
    if (options.plan.limit === 0) this.ended = true
  }

  get fetching(): boolean {
    return this.fiber !== undefined || this.starting
  }

  /** When the fetch began that is in flight. */
  get fetchingSince(): number | undefined {
    return this.fetching ? this.startedAt : undefined
  }

  get buffered(): number {
    return this.buffer.length - this.head + this.front.length
  }

  /** The next one to start, from the front or, if it may enter its lane, from the buffer. */
  take(enter: (item: Item.Item) => boolean): Item.Item | undefined {
    if (this.front.length > 0) return this.front.shift()
    while (this.head < this.buffer.length) {
      const item = this.buffer[this.head++]!
      if (enter(item)) return item
    }
    return undefined
  }

  /** Comes before everything else: it holds its lane already. */
  putFirst(item: Item.Item): void {
    this.front.push(item)
  }

  /** No fetch any more. What is buffered is handed out to be released. */
  stop(): ReadonlyArray<Item.Item> {
    this.stopped = true
    this.ended = true
    this.resumeAt.dueAt = Infinity
    this.fiber?.interruptUnsafe()
    const left = this.front.concat(this.buffer.slice(this.head))
    this.front.length = 0
    this.buffer = []
    this.head = 0
    return left
  }

  /** An item has ended. What was requeued may be there again: no backoff. */
  confirmed(item: Item.Item): void {
    if (this.counts !== undefined) this.count(this.counts, item)
    if (item.kind !== "requeued" || this.empties === 0) return
    this.empties = 0
    if (this.resting && this.failures === 0) {
      this.resting = false
      this.resumeAt.dueAt = Infinity
    }
  }

  /** Fetches if there is room and reason to. */
  fetch(free: number): Asked {
    if (this.ended || (this.resting && !this.atTheEnd) || this.fetching) return "not"
    const max = this.ask(free)
    if (max <= 0) return "not"
    const { plan, watcher } = this.options
    this.startedAt = watcher.now()
    this.startedQuiet = this.options.quiet()
    this.resting = false
    this.resumeAt.dueAt = Infinity
    if (plan.fetch.timeout !== Infinity) watcher.set(this.expiry, this.startedAt + plan.fetch.timeout)
    this.starting = true
    const fiber = this.options.fork(this.request({ max, wait: plan.fetch.wait }))
    this.starting = false
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.arrived(exit) ? "arrived" : "not"
    this.fiber = fiber
    fiber.addObserver((exit) => {
      this.fiber = undefined
      this.arrived(exit)
      this.options.pump()
    })
    return "asked"
  }

  /** All work is done, and a run that does not stream only has to know whether there is more: no backoff before that. */
  private get atTheEnd(): boolean {
    return this.empties > 0 && this.failures === 0 && !this.options.plan.streaming && this.options.quiet()
  }

  private request(request: FetchRequest): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> {
    const { plan } = this.options
    // A connector that throws where it should fail has a defect, and the run goes on from there.
    const once = Effect.suspend(() => plan.source.fetch(request))
    // An idle source is asked for ever: the spans of its client would be a trace for each time.
    const fetch = this.options.signals.trace === undefined ? once : Effect.withTracerEnabled(once, false)
    if (plan.orderBy === undefined) return fetch
    // The order depends on the payload: decode before the lanes are entered. What was fetched is kept whatever becomes
    // of the decoding.
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(fetch), (deliveries) => {
        this.expiry.dueAt = Infinity
        this.ahead = this.items(deliveries)
        return Effect.as(restore(decodeAhead(plan, this.ahead)), deliveries)
      })
    )
  }

  private ask(free: number): number {
    const { plan, tally } = this.options
    const left = plan.limit - tally.fetched
    const concurrency = this.options.concurrency()
    const size = plan.fetch.batchSize ?? defaultBatchSize(plan.mode, concurrency)
    if (plan.mode === "batch") return this.options.quiet() ? Math.min(size, left) : 0
    const { buffered } = this
    const most = Math.min(free + this.prefetch(size) - buffered, size, left)
    // Topping a full buffer up one by one would cost a round trip each.
    return buffered === 0 || most >= Math.min(size / 2, concurrency / 2, left) ? most : 0
  }

  /** Twice what starts during a round trip: none is as long as the one before. */
  private prefetch(size: number): number {
    const { prefetch } = this.options.plan.fetch
    return prefetch === "auto" ? Math.min(size, Math.floor(2 * this.rate * this.roundTrip)) : prefetch
  }

  private arrived(exit: Exit.Exit<ReadonlyArray<Delivery>, FetchError | Cause.Done>): boolean {
    this.expiry.dueAt = Infinity
    const now = this.options.watcher.now()
    const { ahead } = this
    this.ahead = []
    if (ahead.length > 0) {
      for (const item of ahead) orderKey(this.options.plan.orderBy!, item)
      return this.accept(ahead, now)
    }
    if (Exit.isSuccess(exit)) {
      if (exit.value.length > 0) return this.accept(this.items(exit.value), now)
      this.failures = 0
      this.empty(now)
    } else this.failed(exit.cause, now)
    return false
  }

  private accept(items: ReadonlyArray<Item.Item>, now: number): boolean {
    const { plan, tally } = this.options
    this.failures = 0
    this.empties = 0
    this.observe(items.length, now)
    const left = Math.max(0, plan.limit - tally.fetched)
    tally.fetched += items.length
    this.options.signals.trace?.fetched(this.startedAt, items.length)
    this.options.signals.meter.fetched("deliveries", items.length)
    for (const item of items) this.options.fetched(item)
    if (tally.fetched >= plan.limit) this.ended = true
    const kept = this.stopped ? 0 : Math.min(left, items.length)
    this.buffer = this.head < this.buffer.length
      ? this.buffer.slice(this.head).concat(kept === items.length ? items : items.slice(0, kept))
      : kept === items.length
      ? items
      : items.slice(0, kept)
    this.head = 0
    if (plan.mode === "batch" && kept > 0) this.options.signals.trace?.startBatch(kept)
    if (plan.mode === "batch" && plan.fetch.interval > 0) this.rest(this.startedAt + plan.fetch.interval)
    // After the others are kept: a release that is confirmed at once would find nothing left to do.
    for (let i = kept; i < items.length; i++) this.options.release(items[i]!)
    return kept > 0
  }

  private items(deliveries: ReadonlyArray<Delivery>): ReadonlyArray<Item.Item> {
    const { plan } = this.options
    // A lease counts from its arrival: a source may have waited for longer than a lease lasts before it gave one.
    const expiresAt = this.options.expiry(this.options.watcher.now())
    return deliveries.map((delivery) => {
      const deliveries = delivery.deliveries + (this.counts?.get(delivery.transaction.id) ?? 0)
      const item = Item.make(delivery, deliveries, plan.lanes ? delivery.key : undefined, expiresAt)
      if (plan.prepared !== undefined) item.transaction = plan.prepared
      return item
    })
  }

  private count(counts: Map<string, number>, item: Item.Item): void {
    const { id } = item.delivery.transaction
    if (item.kind === "requeued") {
      // One more than is known by now: it may have been handed over again before it was known that it was requeued.
      const count = (counts.get(id) ?? 0) + 1
      counts.delete(id)
      counts.set(id, count)
      if (counts.size > mostCounts) counts.delete(counts.keys().next().value!)
    } else if (item.kind !== "redelivered" && item.kind !== "released") counts.delete(id)
  }

  private observe(count: number, now: number): void {
    const took = now - this.startedAt
    this.roundTrip = this.roundTrip === 0 ? took : this.roundTrip * 0.8 + took * 0.2
    this.arrivals += count
    if (now <= this.lastFetchAt) return
    if (this.lastFetchAt >= 0) {
      const rate = this.arrivals / (now - this.lastFetchAt)
      this.rate = this.rate === 0 ? rate : this.rate * 0.8 + rate * 0.2
    }
    this.lastFetchAt = now
    this.arrivals = 0
  }

  private empty(now: number): void {
    const { plan } = this.options
    if (this.stopped) return
    this.options.signals.meter.fetched("empty", 0)
    if (!plan.streaming && this.startedQuiet && this.options.quiet()) {
      this.ended = true
      return
    }
    // A source that has waited for a first delivery may be asked again at once.
    const waited = plan.fetch.waitMillis > 0 && now - this.startedAt >= plan.fetch.waitMillis
    this.empties++
    this.rest(waited ? now : now + plan.emptyDelay(this.empties))
  }

  private failed(cause: Cause.Cause<FetchError | Cause.Done>, now: number): void {
    if (this.stopped) return
    if (Pull.isDoneCause(cause)) {
      this.ended = true
      return
    }
    const error = fetchError(cause)
    const { plan } = this.options
    this.options.signals.trace?.fetched(this.startedAt, 0, Exit.fail(error))
    this.options.signals.meter.fetched("error", 0)
    this.failures++
    const { retry } = plan.fetch
    const tryAgain = error.reason.isRetryable && this.failures < retry.maxAttempts
    if (!tryAgain) {
      this.error = error
      this.ended = true
      return
    }
    this.options.tally.retries++
    this.rest(now + delayAfter(plan, retry, this.failures, error.reason))
  }

  private rest(until: number): void {
    this.resting = true
    this.options.watcher.set(this.resumeAt, until)
  }
}

const fetchError = (cause: Cause.Cause<FetchError | Cause.Done>): FetchError => {
  const found = Cause.findError(cause)
  if (Result.isSuccess(found) && found.success instanceof FetchError) return found.success
  return new FetchError({
    reason: Cause.hasInterruptsOnly(cause)
      ? new Timeout({ message: "the fetch did not end in time" })
      : new Unknown({ message: "the source failed with a defect", cause: Cause.squash(cause) })
  })
}
