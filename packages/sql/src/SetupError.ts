/**
 * Why a connector of this package could not be set up.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A table or an option that does not fit: a name that is none, a lease of zero, a table that something else made, or one
 * that a newer version of this package made. Nothing was changed.
 *
 * @category errors
 * @since 0.1.0
 */
export class SetupError extends Schema.TaggedError<SetupError>("@ergon/sql/SetupError")("SetupError", {
  table: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `table "${this.table}": ${this.problem}`
  }
}
