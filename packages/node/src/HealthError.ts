/**
 * What serving the endpoint can fail with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The endpoint cannot listen where it was told to: `message` says why, and what would help. Nothing has run by then.
 *
 * @category errors
 * @since 0.1.0
 */
export class HealthError extends Schema.TaggedError<HealthError>("@ergon/node/HealthError")("HealthError", {
  host: Schema.String,
  port: Schema.Number,
  message: Schema.String
}) {}
