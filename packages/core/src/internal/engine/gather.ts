/**
 * Gathers what many slots send to one sink into batches: what piles up while one dispatch is in flight is the next one.
 * No linger, no timer.
 *
 *     idle -> asked (something is pending, the flush comes this tick) -> in flight -> idle, or in flight again
 *
 * A batch that the sink refuses as a whole, for a reason that is not retryable, is sent again parcel by parcel: one
 * bad transaction fails alone. Worst case for a parcel: the dispatch in flight, bounded by `dispatch.timeout` where it
 * is set, and the one it is part of; its slot's deadline gives it up in any case.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import { DispatchError, type Failed, SettleError } from "../../ConnectorError.ts"
import { LeaseLost, type Reason, Timeout, Unknown } from "../../Reason.ts"
import type { Transaction } from "../../Transaction.ts"
import type { Item } from "./item.ts"
import type { Signals } from "./signals.ts"
import type { Watched, Watcher } from "./watcher.ts"

/** What one slot sends to one sink. */
export interface Parcel {
  readonly sink: number
  readonly item: Item
  // What the sink has not confirmed yet.
  transactions: ReadonlyArray<Transaction<unknown>>
  // Why the last try failed; `undefined` once the sink has confirmed everything.
  reason: Reason | undefined
  // Sent by itself, to find out whether it is the one that spoils the batch.
  alone: boolean
  abandoned: boolean
  readonly span: Tracer.Span | undefined
  readonly done: () => void
}

/** How a batch of parcels reaches its target, and which parcel a failure of one index means. */
export interface Route {
  readonly send: (parcels: ReadonlyArray<Parcel>) => Effect.Effect<void, DispatchError | SettleError>
  // Nothing is confirmed unless all of it is: results and settlements share one database transaction.
  readonly atomic: boolean
}

const most = 1000

export class Gatherer {
  private readonly route: Route
  private readonly timeout: number
  private readonly watcher: Watcher
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  private readonly soon: ((task: () => void) => void) | undefined
  private readonly signals: Signals | undefined
  // Called when a dispatch has ended for which nobody waits any more.
  private readonly givenUp: (() => void) | undefined
  private startedAt = 0
  private readonly expiry: Watched
  private pending: Array<Parcel> = []
  private asked = false
  private inFlight: ReadonlyArray<Parcel> | undefined
  private fiber: Fiber.Fiber<void, DispatchError | SettleError> | undefined
  private readonly flush = (): void => {
    this.asked = false
    this.next()
  }

  // Without `soon` there is nobody to gather with: every parcel goes at once.
  constructor(
    route: Route,
    timeout: number,
    watcher: Watcher,
    fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
    soon: ((task: () => void) => void) | undefined,
    signals?: Signals,
    givenUp?: () => void
  ) {
    this.route = route
    this.timeout = timeout
    this.watcher = watcher
    this.fork = fork
    this.soon = soon
    this.signals = signals
    this.givenUp = givenUp
    this.expiry = watcher.entry(() => this.fiber?.interruptUnsafe())
  }

  get idle(): boolean {
    return this.inFlight === undefined && this.pending.length === 0
  }

  push(parcel: Parcel): void {
    this.pending.push(parcel)
    if (this.inFlight !== undefined || this.asked) return
    if (this.soon === undefined) return this.next()
    this.asked = true
    this.soon(this.flush)
  }

  /**
   * Gives a parcel up: it is not sent any more, and nobody waits for it. `false` for a commit that is on its way: it is
   * the settlement already, and its answer counts.
   */
  abandon(parcel: Parcel): boolean {
    const inFlight = this.inFlight?.includes(parcel) === true
    if (this.route.atomic && inFlight) return false
    const index = this.pending.indexOf(parcel)
    // Its sink has answered already: there is nothing to give up.
    if (index < 0 && !inFlight) return true
    parcel.abandoned = true
    this.answered(parcel, abandoned, 0)
    if (index >= 0) this.pending.splice(index, 1)
    if (this.inFlight?.every((other) => other.abandoned)) this.fiber?.interruptUnsafe()
    return true
  }

  private next(): void {
    if (this.inFlight !== undefined || this.pending.length === 0) return
    const batch = this.take()
    this.inFlight = batch
    if (this.signals?.meter.histograms) this.startedAt = this.watcher.now()
    if (this.timeout !== Infinity) this.watcher.set(this.expiry, this.watcher.now() + this.timeout)
    const fiber = this.fork(below(batch[0]!.span, Effect.suspend(() => this.route.send(batch))))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.arrived(batch, exit)
    this.fiber = fiber
    fiber.addObserver((exit) => this.arrived(batch, exit))
  }

  private answered(parcel: Parcel, reason: Reason | undefined, batchSize: number): void {
    if (parcel.span !== undefined) this.signals?.trace?.answered(parcel.span, reason, batchSize)
  }

  private take(): ReadonlyArray<Parcel> {
    const { pending } = this
    let size = 0
    let count = 0
    if (pending[0]!.alone) count = 1
    else {
      while (count < pending.length && !pending[count]!.alone) {
        const parcel = pending[count]!
        if (count > 0 && size + parcel.transactions.length > most) break
        size += parcel.transactions.length
        count++
      }
    }
    this.pending = pending.slice(count)
    return count === pending.length ? pending : pending.slice(0, count)
  }

  private arrived(batch: ReadonlyArray<Parcel>, exit: Exit.Exit<void, DispatchError | SettleError>): void {
    this.fiber = undefined
    this.inFlight = undefined
    this.expiry.dueAt = Infinity
    if (this.signals?.meter.histograms) {
      this.signals.meter.step("dispatch", Exit.isSuccess(exit) ? "ok" : "error", this.watcher.now() - this.startedAt)
    }
    if (Exit.isSuccess(exit)) {
      for (const parcel of batch) parcel.reason = undefined
    } else {
      judge(batch, exit.cause, this.route.atomic)
    }
    const spoiled = batch.length > 1 && batch.every((parcel) => parcel.reason !== undefined) &&
      Exit.isFailure(exit) && !partly(exit.cause, this.route.atomic) && !batch[0]!.reason!.isRetryable
    if (spoiled) {
      for (const parcel of batch) {
        if (parcel.abandoned) continue
        parcel.alone = true
        this.pending.push(parcel)
      }
    } else {
      for (const parcel of batch) {
        if (parcel.abandoned) continue
        this.answered(parcel, parcel.reason, batch.length)
        parcel.done()
      }
    }
    this.next()
    if (batch.every((parcel) => parcel.abandoned)) this.givenUp?.()
  }
}

const abandoned = new Timeout({ message: "given up before the sink had confirmed" })

/** What a connector does for a whole batch is seen below the first of it. */
export const below = <A, E>(span: Tracer.AnySpan | undefined, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  span === undefined ? effect : Effect.provideService(effect, Tracer.ParentSpan, span)

/** Whether the others of the batch are done. Of an atomic one nothing is, when its results are refused. */
const partly = (cause: Cause.Cause<DispatchError | SettleError>, atomic: boolean): boolean => {
  const found = Cause.findError(cause)
  if (Result.isFailure(found)) return false
  return found.success.failed !== undefined && !(atomic && found.success instanceof DispatchError)
}

/** Writes into every parcel of a failed batch why it failed, and what of it the target has confirmed all the same. */
const judge = (
  batch: ReadonlyArray<Parcel>,
  cause: Cause.Cause<DispatchError | SettleError>,
  atomic: boolean
): void => {
  const found = Cause.findError(cause)
  if (Result.isFailure(found)) {
    const reason: Reason = Cause.hasInterruptsOnly(cause)
      ? new Timeout({ message: "the dispatch did not end in time" })
      : new Unknown({ message: "the sink failed with a defect", cause: Cause.squash(cause) })
    for (const parcel of batch) parcel.reason = reason
    return
  }
  const error = found.success
  if (error.failed === undefined || (atomic && error instanceof DispatchError)) {
    for (const parcel of batch) parcel.reason = error.reason
  } else if (error instanceof SettleError) {
    for (const parcel of batch) parcel.reason = undefined
    for (const { index, reason } of error.failed) if (batch[index] !== undefined) batch[index].reason = reason
  } else {
    confirmOthers(batch, error.failed)
  }
}

const confirmOthers = (batch: ReadonlyArray<Parcel>, failed: ReadonlyArray<Failed>): void => {
  const reasons = new Map(failed.map(({ index, reason }) => [index, reason]))
  let index = 0
  for (const parcel of batch) {
    parcel.reason = undefined
    const left: Array<Transaction<unknown>> = []
    for (const transaction of parcel.transactions) {
      const reason = reasons.get(index++)
      if (reason === undefined) continue
      left.push(transaction)
      // One reason that does not pass by itself decides for the parcel.
      if (parcel.reason === undefined || (parcel.reason.isRetryable && !reason.isRetryable)) parcel.reason = reason
    }
    parcel.transactions = left
  }
}

/** Whether the source has taken the delivery back. */
export const isLeaseLost = (reason: Reason): boolean => reason instanceof LeaseLost
