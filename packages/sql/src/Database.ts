/**
 * The database that the connectors of this package share: effect's SQL client, and who waits for changes of which table.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Changes } from "./internal/changes.ts"
import type { Dialect } from "./internal/dialect.ts"
import type { Client } from "./internal/effectSql.ts"

/**
 * One database. Connectors of one `Database` can commit together; a process should open a file once.
 *
 * **Details**
 * - `sql`: effect's `SqlClient` of this database. What runs inside its `withTransaction`, `Connector.send` to a queue
 *   of this database included, commits or rolls back as one.
 * - `clockOffset`: by how many milliseconds the clock of the database is ahead of this process's, as it is known now.
 *   Leases and delays go by the clock of the database, so that machines need not agree on the time.
 *
 * @category services
 * @since 0.1.0
 */
export class Database extends Context.Service<Database, {
  readonly sql: Client.SqlClient
  readonly changes: Changes
  readonly dialect: Dialect
  readonly clockOffset: () => number
}>()("@ergon/sql/Database") {}
