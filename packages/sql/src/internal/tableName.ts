/**
 * The name of a table: as given, or made of the id of the connector's key.
 */
import * as Effect from "effect/Effect"
import { SetupError } from "../SetupError.ts"

const valid = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/
// SQLite's own, and the table of our tables; SQLite ignores the case of names.
const reserved = /^(sqlite_.*|ergon_tables)$/i

/** The id of a key with every character that a table name cannot have as an underscore, unless a name is given. */
export const tableName = (id: string, given: string | undefined): Effect.Effect<string, SetupError> => {
  const table = given ?? id.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=[0-9])/, "_")
  return valid.test(table) && !reserved.test(table)
    ? Effect.succeed(table)
    : Effect.fail(
      new SetupError({
        table,
        problem:
          "a table name is a letter or _ and then letters, digits or _, at most 63 characters; names that begin " +
          "with sqlite_ and the name ergon_tables are taken"
      })
    )
}
