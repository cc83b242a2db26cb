/**
 * What a call that is run in another thread can fail with besides its own errors.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The thread that ran a call ended before it answered, or no thread could be started. Like every typed error it is tried
 * again by the policy of the step; the call may have taken effect.
 *
 * @category errors
 * @since 0.1.0
 */
export class OffloadError extends Schema.TaggedError<OffloadError>("@ergon/node/OffloadError")("OffloadError", {
  service: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `"${this.service}" was not run: ${this.reason}`
  }
}
