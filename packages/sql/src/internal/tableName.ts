/**
 * The name of a table: as given, or made of the id of the connector's key.
 */
import * as Effect from "effect/Effect"
import { SetupError } from "../SetupError.ts"

const valid = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/

/** The id of a key with every character that a table name cannot have as an underscore, unless a name is given. */
export const tableName = (id: string, given: string | undefined): Effect.Effect<string, SetupError> => {
  const table = given ?? id.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=[0-9])/, "_")
  return valid.test(table) && !/^sqlite_/i.test(table) && table !== "ergon_tables"
    ? Effect.succeed(table)
    : Effect.fail(
      new SetupError({
        table,
        problem:
          "a table name is a letter or _ and then letters, digits or _, at most 63, and does not begin with sqlite_"
      })
    )
}
