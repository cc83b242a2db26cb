/**
 * Redis Streams: orders in one stream, priced by two consumers, receipts in another, and what cannot be priced among the
 * dead letters.
 *
 *     REDIS_URL=redis://127.0.0.1:6379 npx node --conditions=@ergon/source src/redis/main.ts
 *
 * Start it in several terminals: the consumers of a group share the work.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Redrive, Task, Transaction } from "@ergon/core"
import { Redis, RedisClient } from "@ergon/redis"
import { Config, Console, Effect, Layer, Schema, Stream } from "effect"

const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
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

const program = Effect.gen(function*() {
  const run = yield* Config.String("RUN").pipe(Config.withDefault(`${process.pid}`))
  for (const [n, item] of ["lamp", "chair", "unicorn", "lamp"].entries()) {
    const order = Transaction.make(`${run}-order-${n + 1}`, { item, quantity: n + 1 })
    // The second time changes nothing: ids are unique here.
    yield* Connector.send(Orders, order)
    yield* Connector.send(Orders, order)
  }
  const { failed, succeeded } = yield* Task.run(price)
  yield* Console.log(`${succeeded + failed} orders: ${succeeded} priced, ${failed} given up`)
  const letters = yield* Stream.runCollect(Redrive.letters(price))
  for (const { letter: { error, id } } of letters) yield* Console.log(`${id}: ${error.tag}: ${error.message}`)
  prices.set("unicorn", 1_000_000)
  const { redriven } = yield* Redrive.redrive(price)
  const again = yield* Task.run(price)
  yield* Console.log(`${redriven} redriven, ${again.succeeded} priced`)
})

const shop = Config.String("SHOP").pipe(Config.withDefault("{shop}"))
const layers = Layer.mergeAll(
  Redis.queueConfig(Orders, {
    stream: Config.map(shop, (shop) => `${shop}:orders`),
    unique: Config.succeed("1 hour" as const)
  }),
  Redis.sinkConfig(Receipts, { stream: Config.map(shop, (shop) => `${shop}:receipts`) })
).pipe(Layer.provide(RedisClient.layerConfig()))

program.pipe(Effect.provide(layers), NodeRuntime.runMain)
