/**
 * The database that the connectors of this package share: effect's SQL client, and who waits for changes of which table.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Client, SqlError } from "./internal/effectSql.ts"
import type { Changes } from "./internal/changes.ts"

/**
 * One database. Connectors of one `Database` can commit together; a process should open a file once.
 *
 * **Details**
 * - `sql`: effect's `SqlClient` of this database. What runs inside its `withTransaction`, `Connector.send` to a queue
 *   of this database included, commits or rolls back as one.
 * - `version`: a number that differs once another connection has changed the database.
 *
 * @category services
 * @since 0.1.0
 */
export class Database extends Context.Service<Database, {
  readonly sql: Client.SqlClient
  readonly changes: Changes
  readonly version: Effect.Effect<number, SqlError>
}>()("@ergon/sql/Database") {}
