import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Decision, Memory, Task, Transaction } from "@ergon/core"
import { Console, Effect, Layer, Schema } from "effect"

const Order = Schema.Struct({ quantity: Schema.Int, unitPrice: Schema.Number })
const Receipt = Schema.Struct({ order: Schema.String, total: Schema.Number })
class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { message: Schema.String }) {}

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

const orderProcessor = Task.consumer(
  "order-processor",
  Orders,
  Effect.fnUntraced(function*({ id, payload: { quantity, unitPrice } }) {
    if (quantity > 100) return yield* new OutOfStock({ message: `there are no ${quantity}` })
    return { order: id, total: quantity * unitPrice }
  })
).pipe(
  Task.dispatch(Receipts, (order, receipt) => Transaction.make(`receipt-${order.id}`, receipt)),
  Task.deadLetter(DeadOrders),
  Task.decide({ OutOfStock: Decision.deadLetter }),
  Task.policy({
    loop: { concurrency: 5 },
    process: { retry: { maxAttempts: 3, backoff: "1 second" }, timeout: "5 seconds" }
  })
)

// Sql.queue, Sql.table and others of the same keys keep everything on disk: another Layer, the same task.
const layers = Layer.mergeAll(
  Memory.source(Orders, [
    Transaction.make("order-1", { quantity: 2, unitPrice: 9.9 }),
    Transaction.make("order-2", { quantity: 500, unitPrice: 9.9 })
  ]),
  Memory.sink(Receipts),
  Memory.deadLetters(DeadOrders)
)

const program = Effect.gen(function*() {
  const { deadLettered, fetched, succeeded } = yield* Task.run(orderProcessor)
  yield* Console.log(`${fetched} orders: ${succeeded} succeeded, ${deadLettered} dead-lettered`)
  for (const { payload } of yield* Memory.received(Receipts)) yield* Console.log(`${payload.order}: ${payload.total}`)
  for (const { id, reason } of yield* Memory.letters(DeadOrders)) yield* Console.log(`${id}: ${reason}`)
})

program.pipe(Effect.provide(layers), NodeRuntime.runMain)
