/**
 * PostgreSQL: orders in a queue, priced by a consumer, and receipts in a table, committed together with the
 * acknowledgements. What cannot be priced stays in the queue as a dead letter, and is redriven.
 *
 *     POSTGRES_URL=postgres://postgres@127.0.0.1/test npx node --conditions=@ergon/source src/postgres/main.ts
 *
 * Start it in several terminals: they share the work.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Redrive, Task, Transaction } from "@ergon/core"
import { Database, Postgres, Sql } from "@ergon/sql"
import { Config, Console, Effect, Layer, Schema, Stream } from "effect"

const Order = Schema.Struct({ customer: Schema.String, item: Schema.String, quantity: Schema.Int })
const Receipt = Schema.Struct({ order: Schema.String, total: Schema.Int })

class Orders extends Connector.Queue<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}

class NoPrice extends Schema.TaggedError<NoPrice>()("NoPrice", { item: Schema.String }) {
  override get message(): string {
    return `nobody knows the price of a ${this.item}`
  }
}

const prices = new Map([["lamp", 30], ["chair", 80]])

const price = Task.consumer("price", Orders, ({ id, payload: { item, quantity } }) => {
  const price = prices.get(item)
  return price === undefined
    ? Effect.fail(new NoPrice({ item }))
    : Effect.succeed({ order: id, total: price * quantity })
}).pipe(
  Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
  Task.policy({ loop: { concurrency: 16 } })
)

/** An order, and that it was taken, are one transaction: there is none without the other. */
const take = (id: string, order: typeof Order.Type) =>
  Effect.gen(function*() {
    const { sql } = yield* Database.Database
    yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`INSERT INTO taken (id, customer) VALUES (${id}, ${order.customer}) ON CONFLICT (id) DO NOTHING`
      yield* Connector.send(Orders, Transaction.make(id, order))
    }))
  })

const program = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const run = yield* Config.String("RUN").pipe(Config.withDefault(`${process.pid}`))
  yield* sql`CREATE TABLE IF NOT EXISTS taken (id text PRIMARY KEY, customer text NOT NULL)`
  for (const [n, item] of ["lamp", "chair", "unicorn", "lamp"].entries()) {
    yield* take(`${run}-${n + 1}`, { customer: n % 2 === 0 ? "ada" : "bob", item, quantity: n + 1 })
  }
  const { failed, succeeded } = yield* Task.run(price)
  yield* Console.log(`${succeeded + failed} orders: ${succeeded} priced, ${failed} given up`)
  const letters = yield* Stream.runCollect(Redrive.letters(price))
  for (const { letter: { error, id } } of letters) yield* Console.log(`${id}: ${error.tag}: ${error.message}`)
  prices.set("unicorn", 1_000_000)
  const { redriven } = yield* Redrive.redrive(price)
  const again = yield* Task.run(price)
  yield* Console.log(`${redriven} redriven, ${again.succeeded} priced`)
  const totals = yield* sql<{ customer: string; total: number }>`
    SELECT t.customer, sum(r.total) AS total FROM taken AS t JOIN receipts AS r ON r.order = t.id
    WHERE t.id LIKE ${`${run}-%`} GROUP BY t.customer ORDER BY t.customer`
  for (const { customer, total } of totals) yield* Console.log(`${customer}: ${total}`)
})

// Of one customer, one order at a time, in their order.
const customer = Schema.decodeUnknownSync(Schema.Struct({ customer: Schema.String }))
const layers = Layer.mergeAll(
  Sql.queue(Orders, { key: ({ payload }) => customer(payload).customer }),
  Sql.table(Receipts)
).pipe(Layer.provideMerge(Postgres.layerConfig()))

program.pipe(Effect.provide(layers), NodeRuntime.runMain)
