/**
 * When a worker is started again, and when it is given up: the delays of a retry policy, which begin anew once a worker
 * was well for a minute.
 */
import { Policy } from "@ergon/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

// Milliseconds.
const well = 60_000
const cap = Duration.seconds(30)

/** What is used unless given. The cap gives way to a longer first delay. */
export const restartPolicy = (given: Policy.RetryInput | undefined): Policy.RetryInput => {
  const backoff = Duration.fromInput(given?.backoff ?? "1 second")
  const least = backoff._tag === "Some" ? Duration.max(backoff.value, cap) : cap
  const unlessGiven = { maxAttempts: 5, backoff: "1 second", multiplier: 2, cap: least } as const
  return Policy.merge({ process: { retry: unlessGiven } }, { process: { retry: given } }).process?.retry ?? {}
}

export interface Restarts {
  /** How often it was started since it was well for a minute; the first start is one. */
  readonly starts: () => number
  /** It ended after so many milliseconds of being well. The delay until its next start; `undefined` when there is none. */
  readonly next: (wellFor: number) => Effect.Effect<Duration.Duration | undefined>
}

export const make = (retry: Policy.RetryInput): Effect.Effect<Restarts> => {
  const schedule = Policy.schedule(retry)
  return Effect.map(Schedule.toStep(schedule), (first) => {
    let step = first
    let starts = 1
    const delay = Effect.clockWith((clock) => step(clock.currentTimeMillisUnsafe(), undefined)).pipe(
      Effect.map(([, duration]): Duration.Duration | undefined => duration),
      Effect.catchCause(() => Effect.undefined),
      Effect.tap((duration) => Effect.sync(() => duration === undefined ? undefined : starts++))
    )
    return {
      starts: () => starts,
      next: (wellFor) =>
        wellFor < well ? delay : Effect.flatMap(Schedule.toStep(schedule), (anew) => {
          step = anew
          starts = 1
          return delay
        })
    }
  })
}
