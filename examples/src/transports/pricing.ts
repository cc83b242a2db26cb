/** The task: it names its connectors and knows no transport. */
import { Connector, Task, Transaction } from "@ergon/core"
import { Effect, Schema } from "effect"

const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
const Receipt = Schema.Struct({ order: Schema.String, total: Schema.Int })

export class Orders extends Connector.Queue<Orders>()("orders", Order) {}
export class Receipts extends Connector.Queue<Receipts>()("receipts", Receipt) {}
export class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class NoPrice extends Schema.TaggedError<NoPrice>()("NoPrice", { item: Schema.String }) {
  override get message(): string {
    return `nobody knows the price of a ${this.item}`
  }
}

const prices = new Map([["lamp", 30], ["chair", 80]])

export const pricing = Task.consumer("pricing", Orders, ({ id, payload: { item, quantity } }) => {
  const price = prices.get(item)
  return price === undefined
    ? Effect.fail(new NoPrice({ item }))
    : Effect.succeed({ order: id, total: price * quantity })
}).pipe(
  Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
  Task.deadLetter(DeadOrders),
  Task.policy({ loop: { concurrency: 8 } })
)
