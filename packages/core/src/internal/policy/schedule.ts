/**
 * The one formula for the delay before another attempt, and nowhere else:
 *
 *     delay before attempt n + 1 = min(cap, backoff * multiplier^(n - 1)), then jitter, never above the cap
 *
 * It saturates: a power that overflows is the cap, and without a cap the longest delay that numbers express exactly.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** What the formula needs to know of a retry policy, or of the empty backoff. */
export interface Backoff {
  readonly backoff: Duration.Duration
  readonly multiplier: number
  readonly cap: Duration.Duration
  readonly jitter: "none" | "full"
}

// About 285,000 years: a delay that is still added to a clock without losing a millisecond.
const longest = Number.MAX_SAFE_INTEGER

/**
 * The delay in milliseconds after attempt `n` failed (1 is the first), with the durations worked out once. `random`
 * draws from [0, 1) and is only asked when the policy has jitter.
 */
export const delayMillis = (retry: Backoff, random: () => number): (attempt: number) => number => {
  const { jitter, multiplier } = retry
  const backoff = Duration.toMillis(retry.backoff)
  const cap = Math.min(Duration.toMillis(retry.cap), longest)
  if (backoff === 0) return () => 0
  const delay = multiplier === 1
    ? (_attempt: number) => Math.min(cap, backoff)
    : (attempt: number) => Math.min(cap, backoff * multiplier ** (attempt - 1))
  return jitter === "none" ? delay : (attempt) => random() * delay(attempt)
}

const asksNothing = (_input: unknown): number => 0

/**
 * The same as a `Schedule`: it ends when `maxAttempts` are used up, and puts out the attempt that comes next. `asked` is
 * how long, in milliseconds, the input asks to be left alone; it is waited for even above the cap.
 */
export const toSchedule = <Input = unknown>(
  retry: Backoff & { readonly maxAttempts: number },
  asked: (input: Input) => number = asksNothing
): Schedule.Schedule<number, Input> =>
  Schedule.fromStepWithMetadata(
    Effect.map(Random.Random, (random) => {
      const delay = delayMillis(retry, () => random.nextDoubleUnsafe())
      return ({ attempt, input }: Schedule.InputMetadata<Input>) =>
        attempt < retry.maxAttempts
          ? Effect.succeed<[number, Duration.Duration]>([
            attempt + 1,
            Duration.millis(Math.max(asked(input), delay(attempt)))
          ])
          : Cause.done(attempt)
    })
  )

/** All delays of a retry policy, in milliseconds: the longest ones where there is jitter. */
export const allDelays = (retry: Backoff & { readonly maxAttempts: number }): ReadonlyArray<number> =>
  Array.from(
    { length: retry.maxAttempts - 1 },
    (_, index) => delayMillis({ ...retry, jitter: "none" }, () => 1)(index + 1)
  )

/** The longest of the delays that follow each other without an end, in milliseconds. */
export const longestWait = (retry: Omit<Backoff, "jitter">): number =>
  delayMillis({ ...retry, jitter: "none" }, () => 1)(Infinity)

// Retries beyond these are counted with the longest delay there is.
const mostSummed = 100_000

/** The most that all waits together take, each in whole milliseconds as clocks count them. */
export const longestWaits = (retry: Backoff & { readonly maxAttempts: number }): number => {
  const delay = delayMillis({ ...retry, jitter: "none" }, () => 1)
  const waits = retry.maxAttempts - 1
  let sum = 0
  for (let attempt = 1; attempt <= Math.min(waits, mostSummed); attempt++) {
    const one = Math.ceil(delay(attempt))
    // They have stopped to grow.
    if (one === Math.ceil(delay(waits))) return sum + (waits - attempt + 1) * one
    sum += one
  }
  return waits > mostSummed ? sum + (waits - mostSummed) * Math.ceil(delay(waits)) : sum
}
