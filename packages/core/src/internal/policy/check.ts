/**
 * What must hold between fields.
 */
import * as Duration from "effect/Duration"
import type { Description } from "./description.ts"
import { durationText, type Effective } from "./field.ts"
import type { Problem } from "./problem.ts"

interface Capped {
  readonly backoff: Duration.Duration
  readonly cap: Duration.Duration
}

/** A cap below the backoff would make the backoff a field that changes nothing. `at` ends in a dot, or is empty. */
export const capBelowBackoff = (at: string, { backoff, cap }: Capped): ReadonlyArray<Problem> =>
  Duration.isLessThan(cap, backoff)
    ? [{
      _tag: "Invalid",
      path: `${at}cap`,
      value: durationText(cap),
      expected: `at least ${at}backoff, which is ${durationText(backoff)}`
    }]
    : []

const steps = ["process", "dispatch", "success", "exception", "settle"] as const

/** The problems of a policy whose fields are each within their own bounds. */
export const check = (policy: Effective<Description>): ReadonlyArray<Problem> => {
  const { fetch, loop } = policy
  const problems: Array<Problem> = []
  if (loop.mode === "continuous" && !Duration.isZero(fetch.batch.interval)) {
    problems.push({
      _tag: "Invalid",
      path: "fetch.batch.interval",
      value: durationText(fetch.batch.interval),
      expected: `none in continuous mode, which waits for no batch; it is for loop.mode "batch"`
    })
  }
  if (loop.mode === "batch" && fetch.prefetch !== "auto" && fetch.prefetch > 0) {
    problems.push({
      _tag: "Invalid",
      path: "fetch.prefetch",
      value: String(fetch.prefetch),
      expected: `0 or "auto" in batch mode, which fetches nothing ahead; it is for loop.mode "continuous"`
    })
  }
  if (Duration.isLessThanOrEqualTo(fetch.timeout, fetch.wait)) {
    problems.push({
      _tag: "Invalid",
      path: "fetch.timeout",
      value: durationText(fetch.timeout),
      expected: `more than fetch.wait, which is ${durationText(fetch.wait)}`
    })
  }
  return [
    ...problems,
    ...capBelowBackoff("fetch.empty.", fetch.empty),
    ...capBelowBackoff("fetch.retry.", fetch.retry),
    ...steps.flatMap((step) => capBelowBackoff(`${step}.retry.`, policy[step].retry))
  ]
}
