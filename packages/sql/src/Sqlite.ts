/**
 * SQLite, the embedded default: one file, no server, on the `node:sqlite` that is part of Node.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { Database } from "./Database.ts"
import { Changes } from "./internal/changes.ts"
import { Client, makeCompilerSqlite, Reactivity, type SqlError } from "./internal/effectSql.ts"
import { open } from "./internal/sqlite/connection.ts"
import { dialect } from "./internal/sqlite/dialect.ts"

/**
 * How a SQLite database is opened.
 *
 * **Details**
 * - `filename`: the file; it and its folder are made where they are missing. `":memory:"` is a database of its own that
 *   ends with its Layer.
 * - `synchronous`: `"full"` (default): what is committed survives a power cut; each commit waits for the disk.
 *   `"normal"`: it survives the end of the process, by `kill -9` too, but not a power cut, after which the last
 *   transactions are delivered again or, just enqueued, lost.
 * - `busy`: how long to try while another process has locked the file, without blocking the event loop; 5 seconds
 *   unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly filename: string
  readonly synchronous?: "full" | "normal" | undefined
  readonly busy?: Duration.Input | undefined
}

/**
 * Opens a SQLite database in WAL mode, for this process and others at the same time.
 *
 * **Details**
 * Provides the `Database` of the connectors, and effect's `SqlClient` for your own statements. One connection serves
 * all: statements are synchronous and run one after another; transactions begin with `BEGIN IMMEDIATE`. Fails with
 * `SqlError`: a file that cannot be opened, is no database, or stays locked for `busy`.
 *
 * **Gotchas**
 * The file must be on a local disk: SQLite's locks do not work over most network file systems.
 *
 * **Example** (Statements of your own)
 * ```ts import.meta.vitest
 * import { Database, Sqlite } from "@ergon/sql"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { sql } = yield* Database.Database
 *   return yield* sql`SELECT 1 + ${1} AS two`
 * })
 * const rows = await Effect.runPromise(Effect.provide(program, Sqlite.layer({ filename: ":memory:" })))
 * rows[0]?.two // => 2
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Client.SqlClient | Database, SqlError> =>
  Layer.effectContext(
    Effect.gen(function*() {
      const connection = yield* open({
        filename: options.filename,
        synchronous: options.synchronous ?? "full",
        busy: Duration.toMillis(Duration.fromInputUnsafe(options.busy ?? "5 seconds"))
      })
      const { acquirer, borrower, isTransaction, onCommitFailure, transactionAcquirer } = Client.makeSqliteAcquirers({
        connection: Effect.succeed(connection),
        semaphore: Semaphore.makeUnsafe(1),
        isTransaction: connection.isTransaction
      })
      const sql = yield* Client.make({
        acquirer,
        borrower,
        transactionAcquirer,
        onCommitFailure,
        isTransaction,
        compiler: makeCompilerSqlite(),
        driver: "sqlite-node",
        beginTransaction: "BEGIN IMMEDIATE",
        releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
        prepareTransactionControls: true,
        spanAttributes: [["db.system.name", "sqlite"]]
      })
      return Context.make(Client.SqlClient, sql).pipe(
        Context.add(Database, { sql, dialect, changes: new Changes(), clockOffset: () => 0 })
      )
    }).pipe(Effect.provide(Reactivity.layer))
  )
