/**
 * Why a connector failed: one closed union. Whether trying again can help is a property of the reason and of nothing
 * else.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const fields = {
  message: Schema.String,
  cause: Schema.optional(Schema.Defect())
}

/**
 * The connection to the system was lost, or could not be made. Retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>("@ergon/core/Reason/ConnectionLost")(
  "ConnectionLost",
  fields
) {
  /**
   * `true`: the connection can come back.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }
}

/**
 * The system did not answer in time. Retryable; the operation may have taken effect.
 *
 * @category errors
 * @since 0.1.0
 */
export class Timeout extends Schema.TaggedError<Timeout>("@ergon/core/Reason/Timeout")("Timeout", fields) {
  /**
   * `true`: the next answer can be in time.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }
}

/**
 * The system asks for fewer requests; `retryAfter` in milliseconds where it says how long. Retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class Throttled extends Schema.TaggedError<Throttled>("@ergon/core/Reason/Throttled")("Throttled", {
  ...fields,
  retryAfter: Schema.optional(Schema.Number)
}) {
  /**
   * `true`: after `retryAfter`, or after the policy's backoff.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return true
  }
}

/**
 * The delivery is no longer ours: its lease ran out or its channel closed. The source delivers it again. Not
 * retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeaseLost extends Schema.TaggedError<LeaseLost>("@ergon/core/Reason/LeaseLost")("LeaseLost", fields) {
  /**
   * `false`: a lost lease stays lost.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The system refuses the credentials or the operation. Not retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthorized
  extends Schema.TaggedError<Unauthorized>("@ergon/core/Reason/Unauthorized")("Unauthorized", fields)
{
  /**
   * `false`: the same credentials are refused again.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The system understood the request and refuses it: a payload too large, a constraint violated, a setting that is
 * wrong. Not retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRequest
  extends Schema.TaggedError<InvalidRequest>("@ergon/core/Reason/InvalidRequest")("InvalidRequest", fields)
{
  /**
   * `false`: the same request is refused again.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * What was asked for is not there: a queue, a table, a file, an id. Not retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotFound extends Schema.TaggedError<NotFound>("@ergon/core/Reason/NotFound")("NotFound", fields) {
  /**
   * `false`: it has to be made first.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * This connector cannot do what was asked; its capabilities say so. Not retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unsupported
  extends Schema.TaggedError<Unsupported>("@ergon/core/Reason/Unsupported")("Unsupported", fields)
{
  /**
   * `false`: a capability does not appear by asking again.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * Anything else, with its cause. Not retryable: nothing says that it passes by itself.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unknown extends Schema.TaggedError<Unknown>("@ergon/core/Reason/Unknown")("Unknown", fields) {
  /**
   * `false`: nothing is known about it.
   *
   * @since 0.1.0
   */
  get isRetryable(): boolean {
    return false
  }
}

/**
 * Why a connector failed.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Reason = Schema.Union([
  ConnectionLost,
  Timeout,
  Throttled,
  LeaseLost,
  Unauthorized,
  InvalidRequest,
  NotFound,
  Unsupported,
  Unknown
])

/**
 * Why a connector failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type
