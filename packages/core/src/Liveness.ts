/**
 * What makes a run healthy, as data: whoever looks after a run takes samples of it, and this judges them.
 *
 *     start -> check -> check -> ...       each check takes the health before it and a sample, and gives the next health
 *
 * Everything here is plain data and pure: bounds, samples and health may cross to another process and be judged there.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { Status } from "./Control.ts"
import { mostWaiting } from "./internal/engine/loop.ts"
import type { Policy } from "./Policy.ts"
import type { ConnectorOfRun } from "./Run.ts"

/**
 * The bounds that a run is judged by, in milliseconds; `Infinity` is no bound.
 *
 * **Details**
 * - `check`, `startGrace`, `unhealthyGrace`, `fetch`, `transaction`: the policy's `supervision` and its thresholds.
 * - `consumption`: how long nothing may arrive although something is ready. The threshold of `fetch`, and at least one
 *   whole wait between two fetches and one fetch: `fetch.batch.interval + fetch.empty.cap + fetch.wait`.
 * - `blocked`: how long an event loop may be silent: twice `check`, so that one check that comes late is nothing.
 * - `mode` and `limit`: the policy's `loop`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  readonly check: number
  readonly startGrace: number
  readonly unhealthyGrace: number
  readonly fetch: number
  readonly transaction: number
  readonly consumption: number
  readonly blocked: number
  readonly mode: "continuous" | "batch"
  readonly limit: number
}

/**
 * What a connector answered when it was asked for its health. `Unanswered`: nothing within `after` milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectorCheck {
  readonly id: string
  readonly role: ConnectorOfRun["role"]
  readonly result:
    | { readonly _tag: "Healthy" }
    | { readonly _tag: "Failed"; readonly message: string }
    | { readonly _tag: "Unanswered"; readonly after: number }
}

/**
 * What a source answered when it was asked how many transactions are ready.
 *
 * @category models
 * @since 0.1.0
 */
export type CountCheck =
  | { readonly _tag: "Counted"; readonly ready: number }
  | { readonly _tag: "Failed"; readonly message: string }
  | { readonly _tag: "Unanswered"; readonly after: number }

/**
 * The part of a `Control.Status` that is judged.
 *
 * @category models
 * @since 0.1.0
 */
export type Judged = Pick<
  Status,
  | "phase"
  | "fetched"
  | "inFlight"
  | "buffered"
  | "held"
  | "settling"
  | "concurrency"
  | "fetchingSince"
  | "oldestSince"
  | "fetchFailures"
>

/**
 * One look at a run.
 *
 * **Details**
 * - `at`: when, in milliseconds on the clock of `status`.
 * - `passed`: how many milliseconds since the sample before this one the process really had: less than the clock says when
 *   it was suspended, or when the clock was set. Left out, more than `bounds.blocked` between two samples was not had.
 * - `connectors`: those that can say how they are. `count`: `undefined` where the source cannot count.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  readonly at: number
  readonly passed?: number | undefined
  readonly status: Judged
  readonly connectors: ReadonlyArray<ConnectorCheck>
  readonly count: CountCheck | undefined
}

/**
 * Why a run is unhealthy.
 *
 * **Details**
 * - `FetchStuck`: one fetch is in flight for longer than the threshold; its interruption did not end it.
 * - `TransactionStuck`: one transaction is worked on for longer than the threshold.
 * - `ConnectorUnhealthy`, `ConnectorSilent`: a connector says so, or does not answer in time.
 * - `NotConsuming`: connected but not consuming: transactions are ready, slots are free, fetches come back empty.
 * - `CountFailed`: nothing arrives, and the source fails to say whether anything should.
 * - `LoopBlocked`: the event loop has not turned for too long.
 * - `CheckFailed`: the check itself failed.
 *
 * `message` says what, for how long, against which bound, and what to look at.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reason {
  readonly _tag:
    | "FetchStuck"
    | "TransactionStuck"
    | "ConnectorUnhealthy"
    | "ConnectorSilent"
    | "NotConsuming"
    | "CountFailed"
    | "LoopBlocked"
    | "CheckFailed"
  readonly message: string
}

/**
 * How a run is, and what has to be known for the next check.
 *
 * **Details**
 * - `reasons`: why it is unhealthy; none when it is healthy, and none within `startGrace`.
 * - `unhealthyFor`: milliseconds since the first of the unhealthy checks without a healthy one in between.
 * - `age`: milliseconds since its start. `starvedFor`: for how long nothing arrived although something was ready.
 * - `checkedAt` and `fetched`: of the last sample. `wokeAt`: the last time that time was found missing; nothing is older.
 *
 * Time in which the process was suspended counts in none of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Liveness {
  readonly reasons: ReadonlyArray<Reason>
  readonly unhealthyFor: number
  readonly age: number
  readonly starvedFor: number | undefined
  readonly checkedAt: number
  readonly wokeAt: number
  readonly fetched: number
}

/**
 * The bounds of a policy.
 *
 * **Example** (What follows from the defaults)
 * ```ts import.meta.vitest
 * import { Liveness, Policy } from "@ergon/core"
 *
 * const bounds = Liveness.bounds(Policy.make())
 * bounds.fetch // => 37_000
 * bounds.transaction // => 150_000
 * bounds.blocked // => 20_000
 * Liveness.bounds(Policy.make({ transaction: { timeout: null } })).transaction // => Infinity
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const bounds = ({ fetch, loop, supervision }: Policy): Bounds => {
  const check = Duration.toMillis(supervision.check)
  const threshold = Duration.toMillis(supervision.thresholds.fetch)
  const between = Duration.toMillis(fetch.batch.interval) + Duration.toMillis(fetch.empty.cap)
  return {
    check,
    startGrace: Duration.toMillis(supervision.startGrace),
    unhealthyGrace: Duration.toMillis(supervision.unhealthyGrace),
    fetch: threshold,
    transaction: Duration.toMillis(supervision.thresholds.transaction),
    consumption: Math.max(threshold, between + Duration.toMillis(fetch.wait)),
    blocked: 2 * check,
    mode: loop.mode,
    limit: loop.limit
  }
}

/**
 * The health of a run that starts at `at`, in milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (at: number): Liveness => ({
  reasons: [],
  unhealthyFor: 0,
  age: 0,
  starvedFor: undefined,
  checkedAt: at,
  wokeAt: at,
  fetched: 0
})

/**
 * Judges a sample.
 *
 * **Details**
 * - A fetch in flight for longer than `fetch` is unhealthy. Waiting between fetches, and between their retries, is
 *   progress, however long it takes. A run that drains or stops is not judged by its fetches.
 * - A transaction worked on for longer than `transaction` is unhealthy.
 * - A connector whose health fails, or does not come, is unhealthy.
 * - While the source says that transactions are ready, slots are free, and no fetch fails, something has to arrive
 *   within `consumption`. An empty source is healthy, and so are full slots.
 * - Nothing counts before `startGrace` has passed.
 * - One healthy check resets everything.
 *
 * **Example** (A fetch that does not come back)
 * ```ts import.meta.vitest
 * import { Control, Liveness, Policy } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const bounds = Liveness.bounds(Policy.make({ supervision: { startGrace: 0 } }))
 * const idle = Effect.runSync(Effect.flatMap(Control.make, (control) => control.status))
 * const status = { ...idle, phase: "running", concurrency: 1, fetchingSince: 0 } as const
 * const look = (health: Liveness.Liveness, at: number) =>
 *   Liveness.check(bounds, health, { at, status, connectors: [], count: undefined })
 *
 * const early = look(Liveness.start(0), 30_000)
 * Liveness.isHealthy(early) // => true
 * const late = look(early, 40_000)
 * late.reasons[0]?._tag // => "FetchStuck"
 * Liveness.asksForEnd(bounds, late) // => false
 * Liveness.asksForEnd(bounds, look(look(look(late, 50_000), 60_000), 70_000)) // => true
 * ```
 *
 * @category judging
 * @since 0.1.0
 */
export const check = (bounds: Bounds, before: Liveness, sample: Sample): Liveness => {
  const elapsed = sample.at - before.checkedAt
  const passed = sample.passed ?? assumed(bounds, elapsed)
  const missing = elapsed < 0 || elapsed - passed > bounds.check
  const wokeAt = missing ? sample.at : before.wokeAt
  const starvedFor = isStarved(bounds, before, sample) ? starving(before, passed) : undefined
  const age = before.age + passed
  const found = reasonsOf(bounds, sample, wokeAt, starvedFor)
  return next(before, { age, passed, reasons: age < bounds.startGrace ? [] : found }, {
    starvedFor,
    checkedAt: sample.at,
    wokeAt,
    fetched: sample.status.fetched
  })
}

/**
 * Judges a run that could not be looked at, for a reason of its own: its event loop is blocked, or the check failed.
 *
 * @category judging
 * @since 0.1.0
 */
export const checkFailed = (
  bounds: Bounds,
  before: Liveness,
  look: { readonly at: number; readonly passed?: number | undefined; readonly reason: Reason }
): Liveness => {
  const passed = look.passed ?? assumed(bounds, look.at - before.checkedAt)
  const age = before.age + passed
  return next(before, { age, passed, reasons: age < bounds.startGrace ? [] : [look.reason] }, {
    starvedFor: before.starvedFor,
    checkedAt: look.at,
    wokeAt: before.wokeAt,
    fetched: before.fetched
  })
}

/**
 * Whether the last check found nothing.
 *
 * @category judging
 * @since 0.1.0
 */
export const isHealthy = (self: Liveness): boolean => self.reasons.length === 0

/**
 * Whether it has been unhealthy for `unhealthyGrace`, without one healthy check in between: its process is to be drained
 * and ended.
 *
 * @category judging
 * @since 0.1.0
 */
export const asksForEnd = (bounds: Bounds, self: Liveness): boolean =>
  !isHealthy(self) && self.unhealthyFor >= bounds.unhealthyGrace

/**
 * The reason for an event loop that has been silent for so many milliseconds.
 *
 * @category reasons
 * @since 0.1.0
 */
export const loopBlocked = (silentFor: number, bound: number): Reason => ({
  _tag: "LoopBlocked",
  message:
    `the event loop has not turned for ${text(silentFor)}, more than ${text(bound)} (twice supervision.check): ` +
    "look for a loop or a synchronous call that does not end; work for the CPU belongs in a worker"
})

/**
 * The reason for a check that failed itself.
 *
 * @category reasons
 * @since 0.1.0
 */
export const checkFailedReason = (error: string): Reason => ({
  _tag: "CheckFailed",
  message: `the check of liveness failed: ${error}`
})

/** The time of which nobody says how much of it the process had. */
const assumed = (bounds: Bounds, elapsed: number): number => Math.max(0, Math.min(elapsed, bounds.blocked))

const next = (
  before: Liveness,
  { age, passed, reasons }: { readonly age: number; readonly passed: number; readonly reasons: Liveness["reasons"] },
  known: Pick<Liveness, "starvedFor" | "checkedAt" | "wokeAt" | "fetched">
): Liveness => ({
  ...known,
  reasons,
  age,
  // From the first unhealthy check on: what was before it is not known.
  unhealthyFor: reasons.length === 0 || isHealthy(before) ? 0 : before.unhealthyFor + passed
})

/** Something is there, nothing holds the run up, and nothing has come since the check before. */
const isStarved = (bounds: Bounds, before: Liveness, { count, status }: Sample): boolean => {
  if (count === undefined || (count._tag === "Counted" && count.ready <= 0)) return false
  if (status.phase !== "running" || status.fetchFailures > 0 || status.fetched !== before.fetched) return false
  if (status.fetched >= bounds.limit || status.inFlight >= status.concurrency) return false
  // What is buffered waits for its lane or its rate; so much held or unsettled holds the loop up; a batch ends first.
  const waiting = status.buffered + status.held + status.settling
  return bounds.mode === "batch"
    ? status.inFlight === 0 && waiting === 0
    : status.buffered === 0 && Math.max(status.held, status.settling) < mostWaiting
}

const starving = (before: Liveness, passed: number): number =>
  before.starvedFor === undefined ? 0 : before.starvedFor + passed

const reasonsOf = (
  bounds: Bounds,
  { at, connectors, count, status }: Sample,
  wokeAt: number,
  starvedFor: number | undefined
): ReadonlyArray<Reason> => {
  const reasons: Array<Reason> = []
  const since = (time: number | undefined): number => time === undefined ? 0 : at - Math.max(time, wokeAt)
  const fetching = status.phase === "running" ? since(status.fetchingSince) : 0
  if (fetching > bounds.fetch) reasons.push(fetchStuck(fetching, bounds.fetch))
  const working = status.phase === "idle" ? 0 : since(status.oldestSince)
  if (working > bounds.transaction) reasons.push(transactionStuck(working, bounds.transaction))
  if (status.phase !== "idle") {
    for (const connector of connectors) {
      const reason = unhealthy(connector)
      if (reason !== undefined) reasons.push(reason)
    }
  }
  if (starvedFor !== undefined && count !== undefined && starvedFor > bounds.consumption) {
    reasons.push(notConsuming(count, starvedFor, bounds.consumption))
  }
  return reasons
}

const fetchStuck = (time: number, bound: number): Reason => ({
  _tag: "FetchStuck",
  message: `a fetch is in flight for ${text(time)}, more than ${text(bound)} (supervision.thresholds.fetch): ` +
    "look at the source and its connection; the fetch did not end when it was interrupted"
})

const transactionStuck = (time: number, bound: number): Reason => ({
  _tag: "TransactionStuck",
  message: `a transaction is worked on for ${text(time)}, more than ${text(bound)} ` +
    "(supervision.thresholds.transaction): look for work that resists its interruption"
})

const unhealthy = ({ id, result, role }: ConnectorCheck): Reason | undefined => {
  const name = role === "source" ? `source "${id}"` : role === "sink" ? `sink "${id}"` : `dead-letter sink "${id}"`
  switch (result._tag) {
    case "Healthy":
      return undefined
    case "Failed":
      return {
        _tag: "ConnectorUnhealthy",
        message: `${name} is unhealthy: ${result.message}: look at the system behind it and the connection to it`
      }
    case "Unanswered":
      return {
        _tag: "ConnectorSilent",
        message: `${name} has not said for ${text(result.after)} (supervision.check) how it is: ` +
          "look at the system behind it and the connection to it"
      }
  }
}

const notConsuming = (count: CountCheck, time: number, bound: number): Reason => {
  const nothing = `nothing was fetched for ${text(time)}, more than ${text(bound)}, with slots free`
  switch (count._tag) {
    case "Counted":
      return {
        _tag: "NotConsuming",
        message: `connected but not consuming: ${nothing} and ${count.ready} ready at the source: ` +
          "look at its subscription, its permissions and who else holds what it has"
      }
    case "Failed":
      return {
        _tag: "CountFailed",
        message: `${nothing}, and the source fails to count what is ready: ${count.message}`
      }
    case "Unanswered":
      return {
        _tag: "CountFailed",
        message: `${nothing}, and the source has not said for ${text(count.after)} what is ready`
      }
  }
}

/** Milliseconds for people: whole seconds where they tell enough. */
const text = (millis: number): string =>
  Duration.format(Duration.millis(millis < 10_000 ? Math.round(millis) : Math.round(millis / 1000) * 1000))
