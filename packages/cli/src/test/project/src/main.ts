/**
 * The project that the tests of the command line run: what it does is decided by variables.
 */
import { Ergon } from "@ergon/cli"
import { Connector, Memory, Task, Transaction } from "@ergon/core"
import { Config, Duration, Effect, Layer, Schema } from "effect"

class Order extends Schema.Class<Order>("Order")({ id: Schema.String, quantity: Schema.Int }) {}

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { order: Schema.String }) {
  override get message(): string {
    return `${this.order} is out of stock`
  }
}

const settings = Config.all({
  count: Config.Int("orderCount").pipe(Config.withDefault(3)),
  /** Quantities from here on are out of stock. */
  stock: Config.Int("stock").pipe(Config.withDefault(1000)),
  work: Config.Duration("work").pipe(Config.withDefault(Duration.zero)),
  tells: Config.Boolean("tells").pipe(Config.withDefault(false))
})

const source = Layer.unwrap(Effect.map(settings, ({ count }) =>
  Memory.source(
    Orders,
    Array.from({ length: count }, (_, index) =>
      Transaction.make(`order-${index}`, new Order({ id: `order-${index}`, quantity: index + 1 })))
  )))

const orders = Task.consumer("orders", Orders, ({ payload }) =>
  Effect.gen(function*() {
    const { stock, tells, work } = yield* settings
    if (tells) yield* Effect.logInfo(`${payload.id} begins`)
    yield* Effect.sleep(work)
    if (payload.quantity >= stock) return yield* new OutOfStock({ order: payload.id })
    if (payload.quantity % 100 === 0) yield* Effect.logInfo(`${payload.id} is a hundredth`)
    return payload.quantity * 2
  })).pipe(
    Task.dispatch(Totals, (order, total) => Transaction.make(`total-${order.id}`, total)),
    Task.deadLetter(DeadOrders),
    Task.policy({ loop: { concurrency: 2 } }),
    Task.provide(Layer.mergeAll(source, Memory.sink(Totals), Memory.deadLetters(DeadOrders)))
  )

/** Prints what the variables of the process say, to be looked at. */
const settingsTask = Task.make(
  "settings",
  Effect.gen(function*() {
    const url = yield* Config.String("databaseUrl").pipe(Config.withDefault("none"))
    const token = yield* Config.Redacted("apiToken").pipe(Config.option)
    const nested = yield* Config.Int("maxShards").pipe(Config.nested("pipeline"), Config.withDefault(0))
    yield* Effect.logInfo(`url=${url} shards=${nested} token=${JSON.stringify(token)} real=${process.env["API_TOKEN"]}`)
  })
)

const numbers = Task.producer(
  "numbers",
  Array.from({ length: 2 }, (_, index) => Transaction.make(`number-${index}`, index)),
  ({ payload }) => Effect.succeed(payload)
)

Ergon.main([orders, numbers, settingsTask])
