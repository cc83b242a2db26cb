/**
 * A transactional outbox: what is to be sent is written in the transaction of the change that it tells of, and a relay
 * sends it once that is committed.
 *
 * Delivery guarantee: at-least-once. What is in the outbox is there exactly if the change is: both commit together, or
 * neither does.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError, type Transaction } from "@ergon/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type { Database } from "./Database.ts"
import type { SqlError } from "./internal/effectSql.ts"
import { inTransaction, openOutboxSink, openOutboxSource } from "./internal/outbox/open.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * How an outbox is written to.
 *
 * **Details**
 * - `table`: its table; unless given, the id of the key with `_` for what a name cannot hold. The source of the relay
 *   names the same one.
 * - `retention`: how long the id of what was sent is kept; putting it again within that time changes nothing. 7 days unless
 *   given; zero for no de-duplication of what is done.
 * - `key`: the ordering key of a transaction: those of one key are sent one after the other. In PostgreSQL, MariaDB and
 *   MySQL, transactions that put to one key wait for each other until they commit.
 * - `priority`, `delay`: as for a queue.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions {
  readonly table?: string | undefined
  readonly retention?: Duration.Input | undefined
  readonly key?: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly priority?: ((transaction: Transaction.Transaction<unknown>) => number | undefined) | undefined
  readonly delay?: ((transaction: Transaction.Transaction<unknown>) => Duration.Input | undefined) | undefined
}

/**
 * The side of an outbox that writes. The table is made where it is missing.
 *
 * **Details**
 * Dispatching within `withTransaction` of the `Database`'s `SqlClient` is a part of that transaction; `Outbox.put` makes
 * sure that there is one. Fails with `SetupError`: a name or duration that is not valid, a table that something else made.
 *
 * **Example** (An order and the word of it)
 * ```ts import.meta.vitest
 * import { Connector, Transaction } from "@ergon/core"
 * import { Database, Outbox, Sqlite } from "@ergon/sql"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Events extends Connector.Sink<Events>()("events", Schema.Struct({ order: Schema.Int })) {}
 * class Relayed extends Connector.Source<Relayed>()("relayed", Events.payload) {}
 *
 * const placeOrder = (order: number) =>
 *   Effect.flatMap(Database.Database, ({ sql }) =>
 *     sql.withTransaction(Effect.gen(function*() {
 *       yield* sql`INSERT INTO orders (id) VALUES (${order})`
 *       yield* Outbox.put(Events, Transaction.make(`order-${order}`, { order }))
 *     })))
 *
 * const program = Effect.gen(function*() {
 *   const { sql } = yield* Database.Database
 *   yield* sql`CREATE TABLE orders (id INTEGER PRIMARY KEY)`
 *   yield* placeOrder(1)
 *   yield* Effect.exit(placeOrder(1))
 *   return (yield* Connector.count(Relayed)).ready
 * })
 * const outbox = Layer.merge(Outbox.sink(Events), Outbox.source(Relayed, { table: "events" }))
 * const layers = Layer.provideMerge(outbox, Sqlite.layer({ filename: ":memory:" }))
 * await Effect.runPromise(Effect.provide(program, layers)) // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerSink(
    key,
    openOutboxSink(key.id, { ...options, key: options.key, priority: options.priority, delay: options.delay })
  )

/**
 * How an outbox is read.
 *
 * **Details**
 * - `table`: its table; unless given, the id of the key with `_` for what a name cannot hold. The sink names the same one.
 * - `lease`: how long a delivery is ours before it is handed over again; 1 minute unless given.
 * - `retention`: how long the id of what was sent is kept; 7 days unless given. The same as of the sink.
 * - `poll`: how often a waiting fetch looks; that of a queue of the database unless given.
 * - `ordered`: `true` where the sink has a `key`; `false` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly table?: string | undefined
  readonly lease?: Duration.Input | undefined
  readonly retention?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
  readonly ordered?: boolean | undefined
}

/**
 * The side of an outbox that a relay reads: with leases, counts, delayed requeues and dead letters, as `Sql.queue`. Any
 * number of relays may read one outbox.
 *
 * **Details**
 * What is not committed is not seen, and holds nobody up. Fails with `SetupError`, as `Outbox.sink`.
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions = {}
): Layer.Layer<Self, SqlError | SetupError, Database> =>
  Connector.layerSource(key, openOutboxSource(key.id, { ...options, ordered: options.ordered ?? false }))

/**
 * Puts transactions into an outbox, as a part of the SQL transaction that is open.
 *
 * **Details**
 * Fails with `DispatchError`, whose reason is `InvalidRequest` where no transaction of the outbox's database is open: what
 * is put there would be sent although the change is not made. Each carries the span around it as its `traceparent`.
 *
 * @category operations
 * @since 0.1.0
 */
export const put = <Self, S extends Schema.Constraint>(
  key: Connector.AnySink<Self, S>,
  ...transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>>
): Effect.Effect<
  void,
  ConnectorError.DispatchError | Schema.SchemaError,
  Self | Database | S["EncodingServices"]
> =>
  Effect.andThen(
    Effect.flatMap(key, ({ sink }) => inTransaction(sink, key.id)),
    Effect.forEach(transactions, (transaction) => Connector.send(key, transaction), { discard: true })
  )
