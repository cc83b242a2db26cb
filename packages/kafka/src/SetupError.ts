/**
 * Options that do not fit.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Options that are not valid, or that cannot keep the delivery guarantee. Nothing was connected.
 *
 * **Details**
 * - `what`: what they were given to, `Kafka.source "orders"` say.
 * - `problems`: all of them. Each is a sentence that names the option, the value and what is valid; values of credentials
 *   are never shown.
 *
 * @category errors
 * @since 0.1.0
 */
export class SetupError extends Schema.TaggedError<SetupError>("@ergon/kafka/SetupError")("SetupError", {
  what: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.what} is not set up well: ${this.problems.join("; ")}`
  }
}
