/**
 * What is wrong with a configuration of telemetry.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A configuration that is not valid. `problems` are all of them, not only the first: each is a sentence that names the
 * option (or the environment variable), the value, and what is valid there. Values of headers are never shown.
 *
 * @category errors
 * @since 0.1.0
 */
export class ObservabilityError
  extends Schema.TaggedError<ObservabilityError>("@ergon/telemetry/ObservabilityError")("ObservabilityError", {
    problems: Schema.Array(Schema.String)
  })
{
  override get message(): string {
    return this.problems.length === 1
      ? `the telemetry configuration is not valid: ${this.problems[0]}`
      : `the telemetry configuration has ${this.problems.length} problems:\n${
        this.problems.map((problem) => `- ${problem}`).join("\n")
      }`
  }
}
