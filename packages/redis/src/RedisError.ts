/**
 * What a command to Redis fails with.
 *
 * @since 0.1.0
 */
import { Reason } from "@ergon/core"
import * as Schema from "effect/Schema"

/**
 * A command failed. `reason` says why, and whether trying again can help; a `Timeout` or a `ConnectionLost` may have
 * taken effect. Of the command only its name is told, never its arguments.
 *
 * @category errors
 * @since 0.1.0
 */
export class RedisError extends Schema.TaggedError<RedisError>("@ergon/redis/RedisError")("RedisError", {
  command: Schema.String,
  reason: Reason.Reason
}) {
  override get message(): string {
    return `${this.command}: ${this.reason._tag}: ${this.reason.message}`
  }
  override readonly cause = this.reason
}
