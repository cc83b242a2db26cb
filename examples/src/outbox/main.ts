/**
 * A transactional outbox: an order and the word of it are written in one transaction of the database, and a relay sends
 * the word on once that is committed. What is rolled back is never sent; what is committed is sent at least once.
 *
 * Run it: `node --conditions=@ergon/source examples/src/outbox/main.ts`. It needs no server: the database is SQLite in
 * memory, and the broker is a queue in it. With `Postgres.layer` or `Mysql.layer` in its place, and a broker's sink in
 * the place of the queue, nothing else changes.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Task, Transaction } from "@ergon/core"
import { Database, Outbox, Sql, Sqlite } from "@ergon/sql"
import { Console, Data, Effect, Layer, Schema } from "effect"

const OrderPlaced = Schema.Struct({ order: Schema.Int, customer: Schema.String })

// The two sides of the outbox: the shop writes, the relay reads. Both name one table.
class Outgoing extends Connector.Sink<Outgoing>()("outgoing", OrderPlaced) {}
class Relayed extends Connector.Source<Relayed>()("relayed", OrderPlaced) {}
// What stands for the broker.
class Broker extends Connector.Queue<Broker>()("broker", OrderPlaced) {}

class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly order: number }> {}

const placeOrder = (order: number, customer: string) =>
  Effect.gen(function*() {
    const { sql } = yield* Database.Database
    yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`INSERT INTO orders (id, customer) VALUES (${order}, ${customer})`
      yield* Outbox.put(Outgoing, Transaction.make(`order-${order}`, { order, customer }))
      // Too late for the row and for the word of it: neither stays.
      if (order === 2) return yield* new OutOfStock({ order })
      return yield* Effect.void
    }))
  })

const relay = Task.consumer("relay", Relayed, ({ payload }) => Effect.succeed(payload)).pipe(
  // The same id: a broker that knows it drops the second one, should the relay die between sending and acknowledging.
  Task.dispatch(Broker, ({ id, metadata }, word) => Transaction.make(id, word, metadata)),
  Task.policy({ loop: { concurrency: 16 } })
)

const layers = Layer.mergeAll(
  Outbox.sink(Outgoing, { table: "outbox" }),
  Outbox.source(Relayed, { table: "outbox" }),
  Sql.queue(Broker)
).pipe(Layer.provideMerge(Sqlite.layer({ filename: ":memory:" })))

const program = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  yield* sql`CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL)`
  for (const [order, customer] of [[1, "Ada"], [2, "Grace"], [3, "Edsger"]] as const) {
    yield* placeOrder(order, customer).pipe(
      Effect.catchTag("OutOfStock", ({ order }) => Console.log(`order ${order}: out of stock, nothing was written`))
    )
  }
  const orders = yield* sql<{ readonly id: number }>`SELECT id FROM orders ORDER BY id`
  const { succeeded } = yield* Task.run(relay)
  yield* Console.log(`orders in the table: ${orders.map(({ id }) => id).join(", ")}`)
  yield* Console.log(`words sent by the relay: ${succeeded}; at the broker: ${(yield* Connector.count(Broker)).ready}`)
})

NodeRuntime.runMain(Effect.provide(program, layers))
