/**
 * How a task runs: concurrency, batches, retries, timeouts, limits. A policy is plain data; each field is described
 * once, and from that description come its type, its bounds, its reading from code, JSON and environment variables, and
 * the reference page.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { check } from "./internal/policy/check.ts"
import { fill, mergeTree, readTree } from "./internal/policy/decode.ts"
import { type Description, description } from "./internal/policy/description.ts"
import type { Effective, InputOf } from "./internal/policy/field.ts"
import { type Problem, sentence } from "./internal/policy/problem.ts"

/**
 * A policy with every field decided: what a task runs under.
 *
 * **Details**
 * No bound is `Infinity` for counts and `Duration.infinity` for durations. `loop.rate` is `undefined` when there is
 * none, and `fetch.batch.size` while it follows `loop.concurrency`. An effective policy is a valid `Input`:
 * `Policy.make(policy)` gives an equal one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy extends Effective<Description> {}

/**
 * A policy as code writes it: everything may be left out, at any depth, and `undefined` is the same as left out.
 *
 * **Details**
 * Durations are `Duration.Input` (a bare number is milliseconds). `null` means no bound, where there may be none:
 * `{ transaction: { timeout: null } }` switches the deadline of 60 seconds off.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input extends InputOf<Description> {}

/**
 * Retries and timeout of one step.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepPolicy extends Effective<Description["process"]> {}

/**
 * Retries and timeout of one step as code writes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepInput extends InputOf<Description["process"]> {}

/**
 * How often, and after which delays, something is tried again.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryPolicy extends Effective<Description["process"]["retry"]> {}

/**
 * The same as code writes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryInput extends InputOf<Description["process"]["retry"]> {}

/**
 * A policy that is not valid. `problems` are all of them, not only the first: each is a sentence that names the path (or
 * the variable), the value, and what is valid there.
 *
 * @category errors
 * @since 0.1.0
 */
export class PolicyError extends Schema.TaggedError<PolicyError>("@ergon/core/PolicyError")("PolicyError", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.problems.length === 1
      ? `the policy is not valid: ${this.problems[0]}`
      : `the policy has ${this.problems.length} problems:\n${this.problems.map((problem) => `- ${problem}`).join("\n")}`
  }
}

const refused = (problems: ReadonlyArray<Problem>): PolicyError => new PolicyError({ problems: problems.map(sentence) })

const decided = (raw: unknown, dialect: "code" | "json"): Policy | PolicyError => {
  const { overlay, problems } = readTree(raw, dialect)
  if (problems.length > 0) return refused(problems)
  const policy = fill(overlay)
  const conflicts = check(policy)
  return conflicts.length > 0 ? refused(conflicts) : policy
}

/**
 * Decides every field that `input` leaves out.
 *
 * **Gotchas**
 * Throws a `PolicyError` that lists everything that is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input = {}): Policy => {
  const policy = decided(input, "code")
  if (policy instanceof PolicyError) throw policy
  return policy
}

/**
 * The policy of a task that says nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: Policy = make()

/**
 * The policy that the running task runs under; outside a task, the defaults.
 *
 * @category services
 * @since 0.1.0
 */
export const Current: Context.Reference<Policy> = Context.Reference<Policy>("@ergon/core/Policy/Current", {
  defaultValue: () => defaults
})

/**
 * The policy that the running task runs under; outside a task, the defaults.
 *
 * @category services
 * @since 0.1.0
 */
export const current: Effect.Effect<Policy> = Effect.service(Current)

/**
 * Lays inputs over each other, field by field: later ones win, and `undefined` lets the earlier one through.
 *
 * @category combinators
 * @since 0.1.0
 */
export const merge = (...inputs: ReadonlyArray<Input | undefined>): Input =>
  inputs.reduce<Input>((earlier, later) => mergeTree(description, earlier, later) as Input, {})
