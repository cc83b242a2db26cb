/**
 * The processes of the tests beside this file: `program.ts ROLE BROKER PLACE TRACE ORDERS`. A shop puts orders into a queue, a
 * clerk takes them out. Where what they tell goes stands in the environment.
 *
 * - ROLE: `shop`, `clerk`, `clerks` (two workers, until a signal), or `cruncher`, which has a step in a thread.
 * - BROKER: `sqlite`, `postgres`, `rabbitmq` or `redis`. PLACE: its file, schema, queue or stream.
 * - TRACE: `link` or `parent`. ORDERS: what becomes of each, `ok,retry` for two of them.
 */
import { Amqp, Broker } from "@ergon/amqp"
import { Connector, Decision, Memory, Task, Telemetry, Transaction } from "@ergon/core"
import { ErgonRuntime, Offload, Workers } from "@ergon/node"
import { Redis, RedisClient } from "@ergon/redis"
import { Postgres, Sql, Sqlite } from "@ergon/sql"
import { Observability } from "@ergon/telemetry"
import { Effect, Layer, Schema } from "effect"
import * as fs from "node:fs"
import { Crunch, Order } from "./order.ts"

const [, , role = "", broker = "sqlite", place = "", trace = "link", given = ""] = process.argv
const does = Schema.decodeUnknownSync(Schema.Array(Order.fields.does))(given.split(","))

class Orders extends Connector.Queue<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.String) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class Broken extends Schema.TaggedError<Broken>()("Broken", { why: Schema.String }) {
  override get message(): string {
    return `it is broken ${this.why}`
  }
}

const orders = (): Layer.Layer<Orders, unknown> => {
  switch (broker) {
    case "postgres":
      return Sql.queue(Orders).pipe(
        Layer.provide(Postgres.layer({ host: "127.0.0.1", username: "postgres", database: "test", schema: place }))
      )
    case "redis":
      return Redis.queue(Orders, { stream: place }).pipe(Layer.provide(RedisClient.layer({})))
    case "rabbitmq":
      return Amqp.queue(Orders, { queue: place, declare: true }).pipe(Layer.provide(Broker.layer({})))
    default:
      return Sql.queue(Orders, { lease: "1 second" }).pipe(Layer.provide(Sqlite.layer({ filename: place })))
  }
}

// What came with the orders from whoever asked for them.
const asked = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=1",
  baggage: "customer=7"
}
const joining = trace === "parent" ? "parent" : "link"

const shop = Task.producer(
  "shop",
  does.map((does, index) => {
    const id = `order-${index}`
    return Transaction.make(id, { id, does }, asked)
  }),
  ({ payload }) => Effect.succeed(payload)
).pipe(
  Task.dispatch(Orders, ({ id }, order) => Transaction.make(id, order)),
  Task.discardFailures,
  Task.policy({ transaction: { trace: joining } }),
  Task.provide(orders())
)

const isFirst = (id: string): boolean => {
  try {
    fs.writeFileSync(`${place}.${id}`, "", { flag: "wx" })
    return true
  } catch {
    return false
  }
}

const work = ({ does, id }: typeof Order.Type) =>
  Effect.gen(function*() {
    const { baggage, tracestate } = yield* Telemetry.headers
    yield* Effect.logInfo(`works on ${id}`).pipe(Effect.annotateLogs({ baggage, tracestate }))
    if (does === "slow") return yield* Effect.never
    if (does === "fail") return yield* new Broken({ why: "for good" })
    if (does === "ok" || !isFirst(id)) return id
    if (does === "retry") return yield* new Broken({ why: "the first time" })
    if (does === "again") return yield* new Broken({ why: "for now" })
    process.kill(process.pid, "SIGKILL")
    return yield* Effect.never
  })

const decide = ({ why }: Broken): Decision.Decision =>
  why === "for good" ? Decision.deadLetter : why === "for now" ? Decision.requeue("100 millis") : Decision.retry

const clerks = Task.consumer("clerk", Orders, ({ payload }) => work(payload)).pipe(
  Task.decide({ Broken: decide }),
  Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
  Task.deadLetter(DeadOrders),
  Task.policy({
    loop: { streaming: true },
    fetch: { wait: "200 millis", empty: { cap: "200 millis" } },
    process: { timeout: "500 millis", retry: { maxAttempts: 2, backoff: "50 millis" } },
    transaction: { trace: joining }
  }),
  Task.provide(Layer.mergeAll(orders(), Memory.sink(Receipts), Memory.deadLetters(DeadOrders)))
)

const clerk = clerks.pipe(
  Task.policy({ loop: { limit: does.length + does.filter((one) => one === "again").length, concurrency: 2 } })
)

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}

const crunching = Offload.layer(Crunch, { entry: new URL("./thread.ts", import.meta.url), size: 1 })

const cruncher = Task.consumer("cruncher", Numbers, ({ payload }) => Crunch.use((crunch) => crunch(payload))).pipe(
  Task.discardFailures,
  Task.provide(Layer.merge(Memory.source(Numbers, [Transaction.make("one", 1)]), crunching))
)

const telemetry = Observability.layerRuns({ service: { version: "1.2.3" } })

const main = (): Effect.Effect<unknown, unknown> => {
  switch (role) {
    case "shop":
      return Task.run(shop)
    case "clerk":
      return Task.run(clerk)
    case "cruncher":
      return Task.run(cruncher)
    default:
      return Workers.run(clerks, { count: 2, entry: import.meta.filename, args: process.argv.slice(2) })
  }
}

ErgonRuntime.runMain((Workers.isWorker() ? Workers.serve([clerks]) : main()).pipe(Effect.provide(telemetry)))
