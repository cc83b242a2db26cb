/**
 * Orders from a topic, receipts to another one, with retry topics and dead letters. It needs a broker:
 *
 *     KAFKA_BROKERS=localhost:9092 node --conditions=@ergon/source examples/src/kafka/main.ts
 *
 * The topics have to be there: orders, orders.retry-10m, orders.dead, receipts. Ctrl-C drains.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Task, Transaction } from "@ergon/core"
import { Cluster, Kafka } from "@ergon/kafka"
import { Effect, Layer, Schema } from "effect"

class Order extends Schema.Class<Order>("Order")({
  customer: Schema.String,
  quantity: Schema.Int,
  unitPrice: Schema.Number
}) {}
class Receipt extends Schema.Class<Receipt>("Receipt")({ customer: Schema.String, total: Schema.Number }) {}
class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { message: Schema.String }) {}

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("orders.dead") {}

// The key of an order is its customer: orders of one customer are worked on one after another, others meanwhile.
const price = Task.consumer(
  "price",
  Orders,
  Effect.fnUntraced(function*({ payload: { customer, quantity, unitPrice } }) {
    if (quantity > 100) return yield* new OutOfStock({ message: `there are no ${quantity}` })
    return new Receipt({ customer, total: quantity * unitPrice })
  })
).pipe(
  Task.dispatch(Receipts, (order, receipt) => Transaction.make(`receipt-${order.id}`, receipt)),
  Task.deadLetter(DeadOrders),
  Task.policy({ loop: { concurrency: 32, ordering: "byKey", streaming: true }, fetch: { batch: { size: 200 } } })
)

const customer = Schema.decodeUnknownSync(Schema.Struct({ customer: Schema.String }))

// What is out of stock is tried once more after ten minutes; then it is a dead letter.
const layers = Layer.mergeAll(
  Kafka.source(Orders, { topics: ["orders", "orders.retry-10m"], group: "pricing" }),
  Kafka.sink(Receipts, { key: ({ payload }) => customer(payload).customer }),
  Kafka.deadLetters(DeadOrders, { retry: [{ topic: "orders.retry-10m", delay: "10 minutes" }] })
).pipe(Layer.provide(Cluster.layerConfig()))

Task.run(price).pipe(Effect.provide(layers), NodeRuntime.runMain)
