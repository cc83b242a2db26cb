/**
 * Connectors on a SQL database: a durable queue, a table as a sink, and a table of dead letters.
 *
 * They stand on the `Database` that `Sqlite.layer`, `Postgres.layer` or `Mysql.layer` provides. Delivery guarantee:
 * at-least-once. A queue and one table of one `Database` commit results and acknowledgement in one SQL transaction, and
 * there, for those rows, the guarantee is exactly-once: see `Sql.table`.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError, type DeadLetter, type Transaction } from "@ergon/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { Database } from "./Database.ts"
import type { SqlError } from "./internal/effectSql.ts"
import { openStore } from "./internal/queue/open.ts"
import { openSink } from "./internal/queue/sink.ts"
import { lettersKey, openSource, type SqlSource } from "./internal/queue/source.ts"
import { openLetters } from "./internal/table/letters.ts"
import { payloadTable } from "./internal/table/payload.ts"
import { openTable, prepare } from "./internal/table/sink.ts"
import { tableName } from "./internal/tableName.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * How a queue behaves. Every process that uses the queue should give the same options.
 *
 * **Details**
 * - `table`: the name of its table; unless given, the id of the key with `_` for what a name cannot hold.
 * - `lease`: how long a delivery is ours before it is handed over again; 1 minute unless given. The engine extends it
 *   while work runs, so that it only has to outlast a crash.
 * - `retention`: how long the id of an acknowledged transaction is kept; enqueueing it again within that time changes
 *   nothing. 7 days unless given; zero for no de-duplication of what is done.
 * - `poll`: how often a waiting fetch looks for what other processes have enqueued; unless given, 100 milliseconds on
 *   SQLite, 250 on MariaDB and MySQL, and 2 seconds on PostgreSQL, which tells it. What this process enqueues wakes it at
 *   once. Worst-case wait of a due delay or an expired lease: `poll`.
 * - `key`: the ordering key of a transaction. With it the queue declares `ordering: "byKey"`: transactions of one key are
 *   handed over one at a time, in the order of their arrival, over all processes.
 * - `priority`: an integer, 0 unless given; higher ones are handed over first, within a key they are not.
 * - `delay`: how long to keep a transaction before it is handed over; none unless given.
 *
 * `key`, `priority` and `delay` see the transaction as it is enqueued, its payload encoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions {
  readonly table?: string | undefined
  readonly lease?: Duration.Input | undefined
  readonly retention?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
  readonly key?: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly priority?: ((transaction: Transaction.Transaction<unknown>) => number | undefined) | undefined
  readonly delay?: ((transaction: Transaction.Transaction<unknown>) => Duration.Input | undefined) | undefined
}

/**
 * A durable queue in a table of its own, for any number of consumers in any number of processes.
 *
 * **Details**
 * Dispatching is confirmed once it is committed; an id that the queue knows is confirmed and changes nothing. A delivery
 * that is not settled within its lease is delivered again, with a higher count; closing gives everything back. Dead
 * letters stay in the table with their reason and envelope: see `Sql.letters` and `Sql.redrive`. The table is made where
 * it is missing and brought up to date where it is older.
 *
 * **Gotchas**
 * Fails with `SetupError`: a name or duration that is not valid, a table that something else made.
 *
 * **Example** (A queue that survives the process)
 * ```ts import.meta.vitest
 * import { Connector, Task, Transaction } from "@ergon/core"
 * import { Sql, Sqlite } from "@ergon/sql"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Connector.send(Orders, Transaction.make("order-1", { quantity: 2 }))
 *   yield* Connector.send(Orders, Transaction.make("order-1", { quantity: 2 }))
 *   return yield* Task.run(Task.consumer("ship", Orders, () => Effect.void))
 * })
 * const layers = Sql.queue(Orders).pipe(Layer.provide(Sqlite.layer({ filename: ":memory:" })))
 * const summary = await Effect.runPromise(Effect.provide(program, layers))
 * summary.succeeded // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const queue = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  options: QueueOptions = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerQueue(
    key,
    Effect.gen(function*() {
      const store = yield* openStore(key.id, options.key !== undefined, options)
      const given = { key: options.key, priority: options.priority, delay: options.delay }
      return { source: yield* openSource(store, key.id, given), sink: yield* openSink(store, given) }
    })
  )

/**
 * How a table is written.
 *
 * **Details**
 * - `table`: its name; unless given, the id of the key with `_` for what a name cannot hold.
 * - `id`: the column that holds the id; `"id"` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface TableOptions {
  readonly table?: string | undefined
  readonly id?: string | undefined
}

/**
 * A table as a sink: a row per transaction, inserted or updated by its id.
 *
 * **Details**
 * Each top-level field of the encoded payload is a column: text, numbers and booleans (1 and 0) as they are, what is
 * nested as JSON. The id column holds the id of the transaction, or the payload's own field of that name where it has
 * one. A payload that is no struct is one column `payload` of JSON. The table is made where it is missing; one that is
 * there must have the columns, and a primary key or a unique index on the id column.
 *
 * Delivery guarantee: at-least-once, and since a row is written under its id, a second delivery writes it again. Where
 * the source is a `Sql.queue` of the same `Database` and the task has exactly this one sink and no `onSuccess`, the rows
 * and the acknowledgements of a batch are one SQL transaction: each transaction's rows are written exactly-once. What
 * else the program does stays at-least-once.
 *
 * @category layers
 * @since 0.1.0
 */
export const table = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: TableOptions = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerSink(
    key,
    Effect.flatMap(
      tableName(key.id, options.table),
      (table) =>
        Effect.flatMap(Database, (database) => {
          const prepared = payloadTable(database.dialect, table, key.payload, options.id ?? "id")
          return Effect.andThen(prepare(database, prepared), openTable(database, prepared))
        })
    )
  )

/**
 * A table of dead letters: one row per transaction that was given up, with reason, step, category, error, attempts and
 * payload in columns of their own. A transaction that is given up again replaces its row.
 *
 * **Details**
 * `Redrive` of `@ergon/core` reads the letters and sends them again, oldest first. Rows are in the order of their arrival
 * by the column `seq`; in SQLite, where the table was made by hand, by its own row numbers. A table that has neither is
 * only written: its letters cannot be read.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  options: Pick<TableOptions, "table"> = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerDeadLetters(
    key,
    Effect.flatMap(
      tableName(key.id, options.table),
      (table) => Effect.flatMap(Database, (database) => openLetters(database, table))
    )
  )

const lettersOf = <Self, S extends Schema.Constraint>(
  key: Connector.AnySource<Self, S>
): Effect.Effect<SqlSource[typeof lettersKey], never, Self> =>
  Effect.flatMap(key, ({ source }) =>
    isSqlSource(source)
      ? Effect.succeed(source[lettersKey])
      : Effect.die(new TypeError(`Sql: "${key.id}" is not a queue of Sql.queue`)))

const isSqlSource = (source: Connector.SourceService): source is SqlSource => lettersKey in source

/**
 * The dead letters of a queue, oldest first, at most `limit` (100 unless given). `Redrive.letters` of `@ergon/core` reads
 * those of a task, with filters and from any source.
 *
 * **Gotchas**
 * Dies when the source is not one of `Sql.queue`.
 *
 * @category operations
 * @since 0.1.0
 */
export const letters = <Self, S extends Schema.Constraint>(
  key: Connector.AnySource<Self, S>,
  options: { readonly limit?: number | undefined } = {}
): Effect.Effect<ReadonlyArray<DeadLetter.DeadLetter>, ConnectorError.LettersError, Self> =>
  Effect.flatMap(lettersOf(key), (own) =>
    Effect.map(
      own.list({ after: undefined, max: options.limit ?? 100 }),
      ({ letters }) => letters.map(({ letter }) => letter)
    ))

/**
 * Puts dead letters of a queue back, with a delivery count of 0: those with these ids, or the oldest `limit` ones.
 * Answers with how many there were. `Redrive.redrive` of `@ergon/core` does that for a task, with filters and at a rate.
 *
 * **Details**
 * Letters go back in batches, each in one SQL transaction; when one fails, those before it are back.
 *
 * **Gotchas**
 * Dies when the source is not one of `Sql.queue`.
 *
 * @category operations
 * @since 0.1.0
 */
export const redrive = <Self, S extends Schema.Constraint>(
  key: Connector.AnySource<Self, S>,
  which: { readonly ids: ReadonlyArray<string> } | { readonly limit: number }
): Effect.Effect<number, ConnectorError.LettersError, Self> =>
  Effect.flatMap(lettersOf(key), (own) =>
    "ids" in which
      ? Effect.flatMap(
        Effect.forEach(which.ids, own.find),
        (found) => putBack(own, found.flat())
      )
      : putBackOldest(own, undefined, which.limit))

const putBack = (own: SqlSource[typeof lettersKey], letters: ReadonlyArray<Connector.StoredLetter>) =>
  Effect.map(own.putBack(letters.map(({ key }) => key)), (keys) => keys.length)

const putBackOldest = (
  own: SqlSource[typeof lettersKey],
  after: string | undefined,
  limit: number
): Effect.Effect<number, ConnectorError.LettersError> =>
  limit <= 0 ? Effect.succeed(0) : Effect.flatMap(
    own.list({ after, max: Math.min(limit, mostAtOnce) }),
    ({ letters, next }) =>
      Effect.flatMap(putBack(own, letters), (count) =>
        next === undefined
          ? Effect.succeed(count)
          : Effect.map(putBackOldest(own, next, limit - letters.length), (rest) => count + rest))
  )

// Letters of one statement.
const mostAtOnce = 1000

export type {
  /**
   * What a statement fails with; `reason` says why.
   *
   * @category errors
   * @since 0.1.0
   */
  SqlError
} from "./internal/effectSql.ts"
