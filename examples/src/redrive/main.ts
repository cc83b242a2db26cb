/**
 * Dead letters and what becomes of them: orders in SQLite, shipped while there is stock, given up while there is none,
 * and redriven once there is again.
 *
 *     cd examples
 *     npx node --conditions=@ergon/source src/redrive/main.ts run place
 *     npx node --conditions=@ergon/source src/redrive/main.ts run ship --once
 *     npx node --conditions=@ergon/source src/redrive/main.ts dead-letters ship list
 *     npx node --conditions=@ergon/source src/redrive/main.ts dead-letters ship redrive --tag OutOfStock
 *     STOCK=1000 npx node --conditions=@ergon/source src/redrive/main.ts run ship --once
 */
import { Ergon } from "@ergon/cli"
import { Connector, Task, Transaction } from "@ergon/core"
import { Sql, Sqlite } from "@ergon/sql"
import { Config, Effect, Layer, Schema } from "effect"

class Order extends Schema.Class<Order>("Order")({ item: Schema.String, quantity: Schema.Int }) {}
class Shipment extends Schema.Class<Shipment>("Shipment")({ item: Schema.String, quantity: Schema.Int }) {}

class Orders extends Connector.Queue<Orders>()("orders", Order) {}
class Shipments extends Connector.Sink<Shipments>()("shipments", Shipment) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { item: Schema.String }) {
  override get message(): string {
    return `there is no ${this.item} left`
  }
}
class TooMany extends Schema.TaggedError<TooMany>()("TooMany", { quantity: Schema.Int }) {
  override get message(): string {
    return `nobody gets ${this.quantity} at once`
  }
}

const database = Layer.unwrap(
  Effect.map(
    Config.String("DATABASE").pipe(Config.withDefault("redrive.db")),
    (filename) => Sqlite.layer({ filename })
  )
)
const layers = Layer.mergeAll(Sql.queue(Orders), Sql.table(Shipments), Sql.deadLetters(DeadOrders)).pipe(
  Layer.provide(database)
)

const howMany = Number(process.env["ORDERS"] ?? 10)
const orders = Array.from(
  { length: howMany },
  (_, index) =>
    Transaction.make(`order-${index + 1}`, new Order({ item: index % 2 === 0 ? "lamp" : "chair", quantity: index + 1 }))
)

/** Puts the orders into the queue. Run it twice: the queue knows their ids. */
const place = Task.producer("place", orders, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(Orders, ({ id }, order) => Transaction.make(id, order)),
  Task.policy({ fetch: { batch: { size: 100 } }, loop: { concurrency: 100 } }),
  Task.provide(layers)
)

const ship = Task.consumer("ship", Orders, ({ payload: { item, quantity } }) =>
  Effect.gen(function*() {
    const stock = yield* Config.Int("STOCK").pipe(Config.withDefault(0))
    if (quantity === 13) return yield* new TooMany({ quantity })
    if (quantity > stock) return yield* new OutOfStock({ item })
    return new Shipment({ item, quantity })
  })).pipe(
    Task.dispatch(Shipments, ({ id }, shipment) => Transaction.make(id, shipment)),
    Task.deadLetter(DeadOrders),
    Task.policy({ fetch: { batch: { size: 100 } }, loop: { concurrency: 100 } }),
    Task.provide(layers)
  )

Ergon.main([place, ship])
