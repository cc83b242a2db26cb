/**
 * A shop that takes orders, reserves what is sold and sends confirmations; and its world, for the simulator.
 */
import { Connector, Decision, Task, Transaction } from "@ergon/core"
import { Simulation } from "@ergon/core/testing"
import { Context, Effect, Schema } from "effect"

class Order extends Schema.Class<Order>("Order")({ sku: Schema.String, quantity: Schema.Int }) {}

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Confirmations
  extends Connector.Sink<Confirmations>()("confirmations", Schema.Struct({ order: Schema.String, left: Schema.Int }))
{}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}

/** What is in stock, and which orders have reserved some of it. It outlives the process, as a database does. */
export class Stock extends Context.Service<Stock, {
  readonly left: Map<string, number>
  readonly reserved: Map<string, number>
}>()("shop/Stock") {}

/** Reserves for an order; doing it again for the same order changes nothing. */
const reserve = Effect.fnUntraced(function*(id: string, { quantity, sku }: Order) {
  const { left, reserved } = yield* Stock
  const before = reserved.get(id)
  if (before !== undefined) return before
  const rest = (left.get(sku) ?? 0) - quantity
  if (rest < 0) return yield* new OutOfStock({ sku })
  left.set(sku, rest)
  reserved.set(id, rest)
  return rest
})

export const shop = Task.consumer("shop", Orders, ({ id, payload }) => reserve(id, payload)).pipe(
  Task.dispatch(
    Confirmations,
    (order, left) => Transaction.make(`confirmation-${order.id}`, { order: order.id, left })
  ),
  Task.deadLetter(DeadOrders),
  Task.decide({ OutOfStock: Decision.deadLetter }),
  Task.policy({ loop: { concurrency: 4 }, process: { retry: { maxAttempts: 3, backoff: "1 second" } } })
)

const orders = Array.from(
  { length: 8 },
  (_, n) => Transaction.make(`order-${n + 1}`, new Order({ sku: n % 2 === 0 ? "bolt" : "nut", quantity: 2 }))
)

export const world = [
  Simulation.source(Orders, orders, { lease: "30 seconds" }),
  Simulation.sink(Confirmations),
  Simulation.deadLetters(DeadOrders),
  Simulation.service(
    Stock,
    Effect.sync(() => ({ left: new Map([["bolt", 100], ["nut", 5]]), reserved: new Map<string, number>() }))
  )
] as const

/** Every order that was acknowledged is confirmed, or kept as a dead letter. */
export const answered: Simulation.Invariant = {
  name: "every order is answered",
  check: ({ ended, received, settled }) => {
    if (!ended) return undefined
    const lost = orders.find(({ id }) =>
      settled(id) === "Ack" && !received("confirmations").includes(`confirmation-${id}`) &&
      !received("dead-orders").includes(id)
    )
    return lost === undefined ? undefined : `${lost.id} is acknowledged and nobody was told`
  }
}
