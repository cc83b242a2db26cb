/**
 * The defaults that follow from other fields.
 */
import * as Duration from "effect/Duration"
import type { Description } from "./description.ts"
import type { Effective, Explicit } from "./field.ts"
import { longestWaits } from "./schedule.ts"

const longestWaitForFetch = Duration.seconds(30)

/** Its tries, and the dead letter: the batch in flight at its sink and the one that has it. */
const longestException = ({ retry, timeout }: Explicit<Description>["exception"]): Duration.Duration =>
  Duration.sum(Duration.times(timeout, retry.maxAttempts + 2), Duration.millis(longestWaits(retry)))

export const derive = (explicit: Explicit<Description>): Effective<Description> => {
  const { exception, fetch, loop, supervision, transaction } = explicit
  const { backoff, multiplier } = fetch.empty
  const cap = fetch.empty.cap ?? Duration.max(Duration.seconds(5), backoff)
  const { retry: { backoff: retryBackoff = backoff, multiplier: retryMultiplier = multiplier, jitter } } = fetch
  const timeout = fetch.timeout ?? Duration.sum(fetch.wait, longestWaitForFetch)
  return {
    ...explicit,
    fetch: {
      ...fetch,
      empty: { backoff, multiplier, cap },
      retry: {
        maxAttempts: fetch.retry.maxAttempts ?? (loop.streaming ? Infinity : 1),
        backoff: retryBackoff,
        multiplier: retryMultiplier,
        cap: fetch.retry.cap ?? Duration.max(cap, retryBackoff),
        jitter
      },
      timeout
    },
    supervision: {
      ...supervision,
      thresholds: {
        fetch: supervision.thresholds.fetch ?? Duration.sum(timeout, cap),
        transaction: supervision.thresholds.transaction ??
          Duration.sum(transaction.timeout, longestException(exception))
      }
    }
  }
}
