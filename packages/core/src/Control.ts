/**
 * A handle on a run, from outside of it: look at it, change its concurrency and rate, drain it, stop it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Loop } from "./internal/engine/loop.ts"
import { Tally } from "./internal/engine/tally.ts"
import type { Summary } from "./Outcome.ts"

/**
 * What a run does now.
 *
 * **Details**
 * - `phase`: `idle` before the run and after its end; `draining` and `stopping` as in `drain` and `stop`.
 * - `inFlight`: transactions being worked on; `buffered`: fetched and not started; `held`: waiting in memory for a
 *   delayed requeue; `settling`: handed to the source and not confirmed.
 * - `resisting`: transactions that were interrupted and go on all the same.
 * - `fetchingSince`: when the fetch began that is in flight now; `oldestSince`: when the transaction was started that has
 *   been worked on for longest. Milliseconds on the run's clock; `undefined` while there is none.
 * - `fetchFailures`: how many fetches have failed in a row by now; 0 once one has not.
 * - `summary`: what the run has done so far; after its end, what it did. `delayed` is 0 in it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly phase: "idle" | "running" | "draining" | "stopping"
  readonly fetched: number
  readonly inFlight: number
  readonly buffered: number
  readonly held: number
  readonly settling: number
  readonly resisting: number
  readonly concurrency: number
  readonly fetchingSince: number | undefined
  readonly oldestSince: number | undefined
  readonly fetchFailures: number
  readonly summary: Summary
}

/**
 * A handle on one run. Before the run starts and after its end, changing it does nothing.
 *
 * **Details**
 * - `setConcurrency`: at least 1. Lowered, running transactions finish and their slots are not refilled.
 * - `setRate`: at most `limit` starts in any window of `interval`, what has started before counted; `undefined` for none.
 * - `drain`: the orderly stop: no new fetch; what runs may finish within `shutdown.grace`; the rest is released.
 * - `stop`: interrupts what runs and releases it. Worst case until the run has ended: `shutdown.close`.
 *
 * **Gotchas**
 * A concurrency or rate that a policy would refuse is a mistake of the program: the effect dies with a `RangeError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Control {
  readonly status: Effect.Effect<Status>
  readonly setConcurrency: (concurrency: number) => Effect.Effect<void>
  readonly setRate: (
    rate: { readonly limit: number; readonly interval: Duration.Input } | undefined
  ) => Effect.Effect<void>
  readonly drain: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  /** Called by the run that this handle is given to. */
  readonly "~attach": (loop: Loop) => void
}

const idle: Status = {
  phase: "idle",
  fetched: 0,
  inFlight: 0,
  buffered: 0,
  held: 0,
  settling: 0,
  resisting: 0,
  concurrency: 0,
  fetchingSince: undefined,
  oldestSince: undefined,
  fetchFailures: 0,
  summary: new Tally().summary(0, 0)
}

const positive = (name: string, value: number): void => {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`)
  }
}

/**
 * Makes a handle, to be given to `Task.run`.
 *
 * **Example** (Looking at a run that is over)
 * ```ts import.meta.vitest
 * import { Control } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const control = Effect.runSync(Control.make)
 * Effect.runSync(control.status).phase // => "idle"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Control> = Effect.sync(() => {
  let current: Loop | undefined
  const loop = (): Loop | undefined => current?.phase === "ended" ? undefined : current
  return {
    status: Effect.sync((): Status => {
      const running = loop()
      if (running === undefined || running.phase === "ended") {
        return current === undefined
          ? idle
          : { ...idle, fetched: current.tally.fetched, summary: current.tally.soFar(current.tally.endedAt) }
      }
      return { ...running.status, phase: running.phase, fetched: running.tally.fetched }
    }),
    setConcurrency: (concurrency) =>
      Effect.sync(() => {
        positive("concurrency", concurrency)
        loop()?.setConcurrency(concurrency)
      }),
    setRate: (rate) =>
      Effect.sync(() => {
        if (rate === undefined) return loop()?.setRate(undefined)
        positive("rate.limit", rate.limit)
        const interval = Duration.toMillis(Duration.fromInputUnsafe(rate.interval))
        if (!(interval > 0 && interval < Infinity)) {
          throw new RangeError(`rate.interval must be a finite duration above 0, got ${interval} ms`)
        }
        loop()?.setRate({ limit: rate.limit, interval })
      }),
    drain: Effect.sync(() => loop()?.drain()),
    stop: Effect.sync(() => loop()?.stop()),
    "~attach": (attached) => {
      current = attached
    }
  }
})
