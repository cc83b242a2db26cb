/**
 * Orders through RabbitMQ: a topic exchange routes them into two queues, one source consumes from both, results go to
 * another queue, and what cannot be shipped to the dead letters of the source, from where it is sent again.
 *
 *     rabbitmq-server -detached
 *     cd examples
 *     npx node --conditions=@ergon/source src/rabbitmq/main.ts
 *
 * AMQP_URL says where the broker is; amqp://guest:guest@127.0.0.1 unless set. PREFIX begins the names of all queues.
 */
import { Amqp, Broker } from "@ergon/amqp"
import { Connector, Redrive, Task, Transaction } from "@ergon/core"
import { Config, Console, Effect, Layer, Redacted, Schema, Stream } from "effect"

class Order
  extends Schema.Class<Order>("Order")({ item: Schema.String, quantity: Schema.Int, express: Schema.Boolean })
{}
class Shipment extends Schema.Class<Shipment>("Shipment")({ item: Schema.String, quantity: Schema.Int }) {}

class Shop extends Connector.Sink<Shop>()("shop", Order) {}
class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Shipments extends Connector.Queue<Shipments>()("shipments", Shipment) {}

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { item: Schema.String }) {}

const prefix = process.env["PREFIX"] ?? "ergon-example"
const [shop, normal, express] = [`${prefix}.shop`, `${prefix}.orders`, `${prefix}.express`]

const broker = Broker.layerConfig({
  url: Config.Redacted("AMQP_URL").pipe(Config.withDefault(Redacted.make("amqp://guest:guest@127.0.0.1")))
})
const layers = Layer.mergeAll(
  Amqp.source(Orders, {
    queues: [
      { name: normal, bindings: [{ exchange: shop, routingKey: "order.normal" }] },
      { name: express, bindings: [{ exchange: shop, routingKey: "order.express" }] }
    ],
    exchanges: [{ name: shop, type: "topic" }],
    deadLetter: `${prefix}.dead`,
    declare: true
  }),
  Amqp.queue(Shipments, { queue: `${prefix}.shipments`, declare: true })
).pipe(
  // An exchange is there before what is sent to it.
  Layer.provideMerge(Amqp.sink(Shop, {
    exchange: shop,
    routingKey: ({ metadata }) => `order.${metadata["speed"] === "express" ? "express" : "normal"}`,
    exchanges: [{ name: shop, type: "topic" }],
    declare: true
  })),
  Layer.provideMerge(broker)
)

const orders = ["lamp", "chair", "unicorn", "table"].map((item, index) =>
  Transaction.make(`order-${index + 1}`, new Order({ item, quantity: index + 1, express: index === 1 }))
)

const place = Task.producer("place", orders, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(
    Shop,
    ({ id }, order) => Transaction.make(id, order, { speed: order.express ? "express" : "normal" })
  ),
  Task.policy({ loop: { concurrency: 10 } })
)

const stock = new Set(["lamp", "chair", "table"])

const ship = Task.consumer(
  "ship",
  Orders,
  ({ payload: { item, quantity } }) =>
    stock.has(item) ? Effect.succeed(new Shipment({ item, quantity })) : Effect.fail(new OutOfStock({ item }))
).pipe(
  Task.dispatch(
    Shipments,
    ({ id, metadata }, shipment) =>
      Transaction.make(`shipment-${id}`, shipment, { from: String(metadata["amqp.routingKey"]) })
  ),
  Task.policy({ loop: { concurrency: 10 } })
)

const arrived = Task.consumer(
  "arrived",
  Shipments,
  ({ id, metadata, payload }) => Console.log(`${id}: ${payload.quantity} of ${payload.item}, by ${metadata["from"]}`)
).pipe(Task.discardFailures)

const program = Effect.gen(function*() {
  yield* Task.run(place)
  const first = yield* Task.run(ship)
  yield* Console.log(`${first.succeeded} shipped, ${first.deadLettered} dead-lettered`)
  yield* Stream.runForEach(
    Redrive.letters(ship),
    ({ letter }) => Console.log(`${letter.id}: ${letter.reason}`)
  )
  stock.add("unicorn")
  const { redriven } = yield* Redrive.redrive(ship, { tags: ["OutOfStock"] })
  const second = yield* Task.run(ship)
  yield* Console.log(`${redriven} redriven, ${second.succeeded} shipped`)
  yield* Task.run(arrived)
})

await Effect.runPromise(Effect.provide(program, layers))
