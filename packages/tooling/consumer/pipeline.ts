import { Connector, Memory, Task, Transaction } from "@ergon/core"
import { Effect, Layer, Schema } from "effect"
import assert from "node:assert/strict"

class Order
  extends Schema.Class<Order>("Order")({ id: Schema.String, quantity: Schema.Int, unitPrice: Schema.Number })
{}
class Receipt extends Schema.Class<Receipt>("Receipt")({ orderId: Schema.String, total: Schema.Number }) {}
class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { orderId: Schema.String }) {}

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

const orderProcessor = Task.consumer("order-processor", Orders, ({ payload }) =>
  payload.quantity > 100
    ? Effect.fail(new OutOfStock({ orderId: payload.id }))
    : Effect.succeed(new Receipt({ orderId: payload.id, total: payload.quantity * payload.unitPrice }))).pipe(
    Task.dispatch(Receipts, (transaction, receipt) => Transaction.make(`receipt-${transaction.id}`, receipt)),
    Task.deadLetter(DeadOrders)
  )

const orders = [2, 5, 1_000].map((quantity, index) =>
  Transaction.make(`order-${index}`, new Order({ id: `order-${index}`, quantity, unitPrice: 3 }))
)
const layers = Layer.mergeAll(Memory.source(Orders, orders), Memory.sink(Receipts), Memory.deadLetters(DeadOrders))

const program = Effect.gen(function*() {
  const summary = yield* Task.run(orderProcessor)
  const receipts = yield* Memory.received(Receipts)
  const letters = yield* Memory.letters(DeadOrders)
  return { summary, receipts, letters }
})

const { letters, receipts, summary } = await Effect.runPromise(Effect.provide(program, layers))
assert.equal(summary.succeeded, 2)
assert.deepEqual(receipts.map(({ payload }) => payload.total), [6, 15])
assert.deepEqual(letters.map(({ error }) => error.tag), ["OutOfStock"])
