/**
 * The settle step: every item comes here once, and leaves when its source has confirmed what became of it.
 *
 *     pending -> in flight -> confirmed
 *        ^           |
 *        +-----------+    a reason that can pass: again after a wait, until `settleUntil`
 *                    +--> redelivered: the lease is gone, or nothing helped; the source delivers it again
 *
 * Settlements reach the source in batches: what piles up while one batch is in flight is the next; no linger. The slot
 * is free as soon as its item is handed over here. Worst case: an item waits for the batch in flight and its own, each
 * bounded by `settle.timeout`, and is retried for at most the transaction's timeout.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Tracer from "effect/Tracer"
import type { SourceService } from "../../Connector.ts"
import type { SettleError } from "../../ConnectorError.ts"
import { release, type Settlement, settlement } from "../../Disposition.ts"
import { LeaseLost, type Reason, Timeout, Unknown } from "../../Reason.ts"
import { below } from "./gather.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import { delayAfter } from "./reconnect.ts"
import type { Signals } from "./signals.ts"
import type { Watched, Watcher } from "./watcher.ts"
import { Watermarks } from "./watermark.ts"

const most = 1000

export interface SettlerOptions {
  readonly plan: Plan
  readonly signals: Signals
  readonly watcher: Watcher
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly soon: (task: () => void) => void
  // About to be sent, for the first time or again: their leases are not extended any more.
  readonly sending: (items: ReadonlyArray<Item>) => void
  readonly confirmed: (items: ReadonlyArray<Item>) => void
  readonly warn: (message: string, annotations: Record<string, unknown>, item?: Item) => void
}

export class Settler {
  private readonly options: SettlerOptions
  private readonly source: SourceService
  private readonly nothingSettled: boolean
  private readonly watermarks: Watermarks | undefined
  private readonly expiry: Watched
  private readonly retryAt: Watched
  private pending: Array<Item> = []
  private batch: ReadonlyArray<Item> = []
  // Of the items of the batch, when a tracer listens.
  private startedAt = 0
  private spans: ReadonlyArray<Tracer.Span | undefined> = []
  private asked = false
  private waiting = false
  // How long the last wait was, in milliseconds.
  private waited = 0
  private fiber: Fiber.Fiber<void, SettleError> | undefined
  private readonly flush = (): void => {
    this.asked = false
    this.next()
  }

  constructor(options: SettlerOptions) {
    this.options = options
    this.source = options.plan.source
    this.nothingSettled = this.source.capabilities.settlement === "none"
    this.watermarks = this.source.capabilities.settlement === "watermark" ? new Watermarks() : undefined
    this.expiry = options.watcher.entry(() => this.fiber?.interruptUnsafe())
    this.retryAt = options.watcher.entry(() => {
      this.waiting = false
      this.next()
    })
  }

  /** How many are handed over and not confirmed, those behind an unfinished position included. */
  get unconfirmed(): number {
    return this.pending.length + this.batch.length + (this.watermarks?.behind ?? 0)
  }

  get idle(): boolean {
    return this.batch.length === 0 && this.pending.length === 0
  }

  /** An item was fetched: a watermark needs to know the order. */
  fetched(item: Item): void {
    this.watermarks?.fetched(item)
  }

  /** The engine hands the same delivery over again by itself. */
  replace(old: Item, item: Item): void {
    this.watermarks?.replace(old, item)
  }

  /** An item has come to its end, with its disposition. Called once per item. */
  push(item: Item): void {
    if (this.nothingSettled) return this.options.confirmed([item])
    if (this.watermarks !== undefined) {
      if (!isFinished(item)) {
        // What the source has taken back leaves no gap: it is delivered again, with everything that follows it. What is
        // still ours goes back, so that whoever fetches next from this source begins with it.
        if (this.source.isHeld?.(item.delivery) === false) {
          this.watermarks.drop(item)
          this.options.confirmed([item])
        } else {
          this.watermarks.forget(item)
          this.enqueue(item)
        }
      } else this.watermarks.finished(item)
      for (const finished of this.watermarks.takeFinished(item)) this.enqueue(finished)
      return this.ask()
    }
    if (item.kind === "redelivered") return this.options.confirmed([item])
    this.enqueue(item)
    this.ask()
  }

  /** No more will come: what stands behind a gap will be delivered again. */
  strand(): void {
    const stranded = this.watermarks?.takeStranded() ?? []
    if (stranded.length === 0) return
    for (const item of stranded) item.kind = "redelivered"
    this.options.warn("finished behind an unfinished position; the source will redeliver", {
      transactions: stranded.length
    })
    this.options.confirmed(stranded)
  }

  /** The run ends now: what is not confirmed counts as redelivered. */
  giveUp(): void {
    const { fiber } = this
    const items = this.batch.concat(this.pending)
    this.batch = []
    this.pending = []
    this.fiber = undefined
    fiber?.interruptUnsafe()
    this.told(this.spans.map(() => unanswered))
    if (items.length === 0) return
    for (const item of items) item.kind = "redelivered"
    this.options.warn("not settled when the run ended; the source will redeliver", { transactions: items.length })
    this.options.confirmed(items)
  }

  private enqueue(item: Item): void {
    this.pending.push(item)
  }

  private ask(): void {
    if (this.asked || this.waiting || this.batch.length > 0 || this.pending.length === 0) return
    this.asked = true
    this.options.soon(this.flush)
  }

  private next(): void {
    if (this.batch.length > 0 || this.waiting || this.pending.length === 0) return
    const { pending } = this
    const batch = pending.length <= most ? pending : pending.slice(0, most)
    this.pending = pending.length <= most ? [] : pending.slice(most)
    this.batch = batch
    this.options.sending(batch)
    const { timeout } = this.options.plan.settle
    if (timeout !== Infinity) this.options.watcher.set(this.expiry, this.options.watcher.now() + timeout)
    const settlements = this.watermarks === undefined ? batch : positionsOf(batch).map(({ settlement }) => settlement)
    const { meter, trace } = this.options.signals
    if (meter.histograms) this.startedAt = this.options.watcher.now()
    if (trace !== undefined) this.spans = batch.map((item) => trace.settle(item, this.waited))
    const fiber = this.options.fork(below(this.spans[0], Effect.suspend(() => this.source.settle(settlements))))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.arrived(batch, exit)
    this.fiber = fiber
    fiber.addObserver((exit) => this.arrived(batch, exit))
  }

  private arrived(batch: ReadonlyArray<Item>, exit: Exit.Exit<void, SettleError>): void {
    // The run has ended without waiting for this answer.
    if (this.batch !== batch) return
    this.fiber = undefined
    this.expiry.dueAt = Infinity
    const { meter } = this.options.signals
    if (meter.histograms) {
      meter.step("settle", Exit.isSuccess(exit) ? "ok" : "error", this.options.watcher.now() - this.startedAt)
    }
    if (Exit.isSuccess(exit)) {
      this.batch = []
      this.told([])
      this.options.confirmed(batch)
    } else {
      const reasons = this.reasonsOf(batch, exit.cause)
      this.told(reasons)
      const confirmed: Array<Item> = []
      const lost: Array<Item> = []
      const again: Array<Item> = []
      let retryAt = 0
      const { plan } = this.options
      const now = this.options.watcher.now()
      for (let i = 0; i < batch.length; i++) {
        const item = batch[i]!
        const reason = reasons[i]
        if (reason === undefined) {
          confirmed.push(item)
          continue
        }
        meter.settleFailed(reason._tag)
        if (item.settleAttempts++ === 0) item.settleUntil = now + plan.settleBudget
        const delay = delayAfter(plan, plan.settle, item.settleAttempts, reason)
        const tryAgain = reason.isRetryable ||
          (reason instanceof Unknown && item.settleAttempts < plan.settle.maxAttempts)
        if (tryAgain && now + delay <= item.settleUntil) {
          again.push(item)
          retryAt = Math.max(retryAt, now + delay)
        } else {
          item.kind = "redelivered"
          lost.push(item)
        }
      }
      this.batch = []
      // In front of what came later, so that a position never goes back.
      if (again.length > 0) this.pending = again.concat(this.pending)
      if (lost.length > 0) this.warn(lost, reasons.find((reason) => reason !== undefined)!)
      if (retryAt > 0) {
        this.waiting = true
        this.waited = retryAt - now
        this.options.watcher.set(this.retryAt, retryAt)
      }
      this.options.confirmed(confirmed.concat(lost))
    }
    this.next()
  }

  private told(reasons: ReadonlyArray<Reason | undefined>): void {
    const { spans } = this
    this.spans = []
    spans.forEach((span, index) => {
      if (span !== undefined) this.options.signals.trace?.answered(span, reasons[index], spans.length)
    })
  }

  /** Why each of the batch failed; `undefined` for those that the source has settled. */
  private reasonsOf(batch: ReadonlyArray<Item>, cause: Cause.Cause<SettleError>): Array<Reason | undefined> {
    const found = Cause.findError(cause)
    if (Result.isFailure(found)) {
      const reason: Reason = Cause.hasInterruptsOnly(cause)
        ? new Timeout({ message: "the settlement did not end in time" })
        : new Unknown({ message: "the source failed with a defect", cause: Cause.squash(cause) })
      return batch.map(() => reason)
    }
    const { failed, reason } = found.success
    if (failed === undefined) return batch.map(() => reason)
    const reasons: Array<Reason | undefined> = batch.map(() => undefined)
    if (this.watermarks === undefined) {
      for (const { index, reason } of failed) if (index < reasons.length) reasons[index] = reason
      return reasons
    }
    // Of a watermark's batch the source saw one delivery per partition, which stands for all of its finished ones.
    const sent = positionsOf(batch)
    const refused = new Map<Item, Reason>()
    for (const { index, reason } of failed) for (const item of sent[index]?.items ?? []) refused.set(item, reason)
    batch.forEach((item, index) => {
      reasons[index] = refused.get(item)
    })
    return reasons
  }

  private warn(lost: ReadonlyArray<Item>, reason: Reason): void {
    this.options.warn(
      reason instanceof LeaseLost
        ? "the lease was lost before the settlement; the source will redeliver"
        : "the settlement failed for good; the source will redeliver",
      {
        reason: `${reason._tag}: ${reason.message}`,
        transactions: lost.length,
        first: lost[0]!.delivery.transaction.id
      },
      lost[0]
    )
  }
}

const unanswered = new Timeout({ message: "the run ended before the source had confirmed" })

/** Not given back, and not lost. */
const isFinished = ({ disposition, kind }: Item): boolean =>
  disposition._tag !== "Release" && disposition._tag !== "Requeue" && kind !== "redelivered"

interface Position {
  readonly settlement: Settlement
  readonly items: Array<Item>
}

/** What a watermark source is told: the last finished item of each partition, and each one that is given back. */
const positionsOf = (batch: ReadonlyArray<Item>): ReadonlyArray<Position> => {
  const finished = new Map<string | undefined, Array<Item>>()
  const back: Array<Position> = []
  for (const item of batch) {
    if (!isFinished(item)) {
      back.push({ settlement: settlement(item.delivery, release), items: [item] })
      continue
    }
    const items = finished.get(item.delivery.partition)
    if (items === undefined) finished.set(item.delivery.partition, [item])
    else items.push(item)
  }
  return Array.from(finished.values(), (items): Position => ({ settlement: items.at(-1)!, items })).concat(back)
}
