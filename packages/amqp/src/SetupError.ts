/**
 * Why a connector of this package could not be set up.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Options that cannot be: everything that is wrong with them at once, a sentence each. Nothing was connected.
 *
 * **Details**
 * - `what`: whose options they are: `broker`, or the id of a key.
 * - `problems`: each names the option, its value unless that is secret, and what is valid.
 *
 * @category errors
 * @since 0.1.0
 */
export class SetupError extends Schema.TaggedError<SetupError>("@ergon/amqp/SetupError")("SetupError", {
  what: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.what}: ${this.problems.join("; ")}`
  }
}
