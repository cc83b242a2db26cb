/**
 * What is wrong with a policy, and what running under one can fail with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { durationText } from "./internal/policy/field.ts"

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

/**
 * An attempt took longer than the `timeout` of its policy, and was interrupted.
 *
 * @category errors
 * @since 0.1.0
 */
export class AttemptTimeout extends Schema.TaggedError<AttemptTimeout>("@ergon/core/AttemptTimeout")("AttemptTimeout", {
  operation: Schema.String,
  timeout: Schema.Duration
}) {
  override get message(): string {
    return `${this.operation} did not end within ${durationText(this.timeout)}`
  }
}
