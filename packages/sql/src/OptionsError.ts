/**
 * An option of a database that cannot be.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * An option of a database cannot be used. Nothing was connected. Values of secrets are not in it.
 *
 * @category errors
 * @since 0.1.0
 */
export class OptionsError extends Schema.TaggedError<OptionsError>("@ergon/sql/OptionsError")("OptionsError", {
  option: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.option}: ${this.problem}`
  }
}
