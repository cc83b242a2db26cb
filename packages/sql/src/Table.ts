/**
 * A table that others write to, as a source: its rows in the order of a cursor.
 *
 * Delivery guarantee: at-least-once. No row is missed, also when transactions commit in another order than they took
 * their ids, and none is handed over again after its position was committed.
 *
 * @since 0.1.0
 */
import { Connector } from "@ergon/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { Database } from "./Database.ts"
import type { SqlError } from "./internal/effectSql.ts"
import { millis } from "./internal/millis.ts"
import { openTableSource } from "./internal/table/source.ts"
import { openReading } from "./internal/table/sourceReading.ts"
import { SetupError } from "./SetupError.ts"

/**
 * How a table is read.
 *
 * **Details**
 * - `table`: its name; the id of the key unless given.
 * - `orderBy`: the columns of the cursor, in ascending order; `["id"]` unless given. Together they are unique and never
 *   NULL, and a row that is inserted, or updated to be read again, has values behind all that were taken before it:
 *   `["id"]` of an identity or auto-increment column for new rows, `["updated_at", "id"]` for changed ones too.
 * - `id`: the column with the id of the transaction; unless given, the values of the cursor, with `/` between them.
 * - `cursor`: the name under which the place is kept, in the table `ergon_cursors` of the same database; the id of the key
 *   unless given. Readers of one name take turns; readers of different names read everything each.
 * - `from`: where a new cursor begins: at the `"beginning"` unless given, or behind the last row at the `"end"`.
 * - `settling`: how long a row has to be there before rows up to it are read; nothing in SQLite and PostgreSQL, 250
 *   milliseconds in MariaDB and MySQL unless given. At least the precision of a time column, and longer than any
 *   transaction where values are not taken by the INSERT itself: see the page on tables.
 * - `poll`: how often a waiting fetch looks; 250 milliseconds unless given.
 * - `lease`: after how long another reader may go on when one has died; 30 seconds unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly table?: string | undefined
  readonly orderBy?: readonly [string, ...ReadonlyArray<string>] | undefined
  readonly id?: string | undefined
  readonly cursor?: string | undefined
  readonly from?: "beginning" | "end" | undefined
  readonly settling?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
  readonly lease?: Duration.Input | undefined
}

/**
 * The rows of a table, each once, in the order of a cursor that is kept in the same database.
 *
 * **Details**
 * Each field of the payload is a column; a payload that is no struct is the JSON of the column `payload`, or the whole
 * row where there is none. The place moves on when everything before it is done, with the next commit. One reader of a
 * cursor reads at a time, in order; others stand by and go on after `lease`.
 *
 * A row is read once nobody can commit one before it: in PostgreSQL once all transactions have ended that were writing to
 * the table when it was seen, by its locks; in MariaDB and MySQL once no row before it is locked by who wrote it. So a
 * transaction that stays open holds back what comes behind its rows. Worst-case wait of a row: `settling`, the longest
 * transaction that was writing when it was seen, and `poll`.
 *
 * **Gotchas**
 * Rows that are deleted before they are read are not seen. A rolled-back id leaves a gap, which costs nothing. Fails with
 * `SetupError`: no such table or column, a cursor that is not unique or may be NULL, a view in PostgreSQL without
 * `settling`.
 *
 * **Example** (Every row once)
 * ```ts import.meta.vitest
 * import { Connector, Task } from "@ergon/core"
 * import { Database, Sqlite, Table } from "@ergon/sql"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class People extends Connector.Source<People>()("people", Schema.Struct({ name: Schema.String })) {}
 *
 * const seen: Array<string> = []
 * const greet = Task.consumer("greet", People, ({ id, payload }) =>
 *   Effect.sync(() => void seen.push(`${id} ${payload.name}`))).pipe(Task.discardFailures)
 *
 * const database = Sqlite.layer({ filename: ":memory:" })
 * const program = Effect.gen(function*() {
 *   const { sql } = yield* Database.Database
 *   yield* sql`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`
 *   const run = Effect.provide(Task.run(greet), Table.source(People))
 *   yield* sql`INSERT INTO people (name) VALUES ('Ada'), ('Grace')`
 *   yield* run
 *   yield* sql`INSERT INTO people (name) VALUES ('Alan')`
 *   yield* run
 *   return seen
 * })
 * await Effect.runPromise(Effect.provide(program, database)) // => ["1 Ada", "2 Grace", "3 Alan"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerSource(
    key,
    Effect.gen(function*() {
      const table = options.table ?? key.id
      const orderBy = options.orderBy ?? ["id"]
      const repeated = orderBy.find((column, index) => orderBy.indexOf(column) !== index)
      if (repeated !== undefined) {
        return yield* new SetupError({ table, problem: `orderBy "${repeated}": it is there twice` })
      }
      const cursor = options.cursor ?? key.id
      if (cursor === "" || cursor.length > 255) {
        return yield* new SetupError({ table, problem: `cursor: a name of 1 to 255 characters, got "${cursor}"` })
      }
      const database = yield* Database
      const reading = yield* openReading(database, {
        table,
        payload: key.payload,
        by: orderBy,
        id: options.id,
        cursor,
        from: options.from ?? "beginning",
        settling: options.settling === undefined ? undefined : yield* millis(table, "settling", options.settling, 0),
        lease: yield* millis(table, "lease", options.lease ?? "30 seconds", 100),
        poll: yield* millis(table, "poll", options.poll ?? "250 millis", 1)
      })
      return yield* openTableSource(database, reading)
    })
  )
