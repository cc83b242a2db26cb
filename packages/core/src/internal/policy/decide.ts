/**
 * From an input to effective values, or to everything that is wrong with it.
 */
import { PolicyError } from "../../PolicyError.ts"
import { capBelowBackoff, check } from "./check.ts"
import { type Decoded, fill, fillTree, readTree } from "./decode.ts"
import { type Description, description } from "./description.ts"
import type { Effective, InputOf } from "./field.ts"
import { type Problem, sentence } from "./problem.ts"

type Policy = Effective<Description>
type StepPolicy = Policy["process"]
type RetryPolicy = StepPolicy["retry"]

export const refused = (problems: ReadonlyArray<Problem>): PolicyError =>
  new PolicyError({ problems: problems.map(sentence) })

export const decide = (raw: unknown, dialect: "code" | "json"): Policy | PolicyError => {
  const { overlay, problems } = readTree(description, raw, dialect)
  if (problems.length > 0) return refused(problems)
  const policy = fill(overlay)
  const conflicts = check(policy)
  return conflicts.length > 0 ? refused(conflicts) : policy
}

/** An overlay holds what its fields may be given in code. */
export const inputOf = (decoded: Decoded): InputOf<Description> | PolicyError =>
  decoded.problems.length > 0 ? refused(decoded.problems) : decoded.overlay as InputOf<Description>

/** One step on its own, or its retries. Throws. */
const decidePart = (part: typeof description.process | typeof description.process.retry, raw: unknown): unknown => {
  const { overlay, problems } = readTree(part, raw, "code")
  if (problems.length > 0) throw refused(problems)
  return fillTree(part, overlay)
}

const refuseConflicts = (problems: ReadonlyArray<Problem>): void => {
  if (problems.length > 0) throw refused(problems)
}

// A service applies the same policy to every call.
const decidedSteps = new WeakMap<object, StepPolicy>()

/** Worked out once per input. */
export const decideStep = (raw: object): StepPolicy => {
  const known = decidedSteps.get(raw)
  if (known !== undefined) return known
  const step = decidePart(description.process, raw) as StepPolicy
  refuseConflicts(capBelowBackoff("retry.", step.retry))
  decidedSteps.set(raw, step)
  return step
}

export const decideRetry = (raw: unknown): RetryPolicy => {
  const retry = decidePart(description.process.retry, raw) as RetryPolicy
  refuseConflicts(capBelowBackoff("", retry))
  return retry
}
