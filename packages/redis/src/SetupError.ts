/**
 * Why a connection or a connector of this package could not be set up.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Options that are not valid. `problems` are all of them, not only the first: each is a sentence that names the field
 * (or the variable), the value, and what is valid there. Values of secrets are not shown. Nothing was connected.
 *
 * @category errors
 * @since 0.1.0
 */
export class SetupError extends Schema.TaggedError<SetupError>("@ergon/redis/SetupError")("SetupError", {
  subject: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.problems.length === 1
      ? `${this.subject}: ${this.problems[0]}`
      : `${this.subject} has ${this.problems.length} problems:\n${this.problems.map((text) => `- ${text}`).join("\n")}`
  }
}
