import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { cuttable, drained, queueName, seen, withChannel } from "./test/places.ts"
import { Amqp, Broker } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Results extends Connector.Sink<Results>()("results", Schema.Unknown) {}

const port = 5672
const prefetch = 20
const secret = "guest-is-no-secret-7f3a"

const refused = (n: number) => ({ id: `${"too long ".repeat(30)}${n}`, payload: { refused: n }, metadata: {} })

const wrongPassword = Layer.build(
  Amqp.sink(Results).pipe(
    Layer.provide(
      Broker.layer({ url: Redacted.make(`amqp://nobody:${secret}@127.0.0.1:${port}`), connect: "2 seconds" })
    )
  )
)
const wrongUrl = Layer.build(Broker.layer({ url: `amqp://nobody:${secret}@127.0.0.1:port` }))

const queue = (options: Pick<Amqp.QueueSpec, "type">): Harness.Queue => ({
  name: "Amqp.queue",
  time: "live",
  patience: "10 seconds",
  capabilities: {
    settlement: "each",
    lease: undefined,
    deliveries: options.type === "classic" ? "engine" : "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  operations: ["count", "isHeld", "letters", "putBack"],
  can: ["buried", "cut", "refused"],
  prefetch,
  secrets: [secret],
  failures: [wrongPassword, wrongUrl],
  storage: Effect.gen(function*() {
    const name = yield* queueName(port, [".delay.1s", ".delay.1h"])
    const { cut, proxy } = yield* cuttable(port)
    const layer = Amqp.queue(Items, {
      queue: { name, ...options },
      declare: true,
      deadLetter: `${name}.dead`,
      prefetch
    }).pipe(Layer.provide(Broker.layer({ hosts: [`127.0.0.1:${proxy.port}`], name: "ergon-test" })))
    return {
      open: Effect.map(Layer.build(layer), (context) => Context.get(context, Items)),
      cut,
      refused,
      buried: Effect.map(seen(port, `${name}.dead`), (messages) =>
        messages.map(({ headers, messageId }) => ({
          id: messageId ?? "",
          reason: String(headers?.["x-ergon-reason"])
        })))
    }
  })
})

const exchange: Harness.Sink = {
  name: "Amqp.sink",
  time: "live",
  patience: "10 seconds",
  can: ["cut", "refused"],
  secrets: [secret],
  failures: [wrongPassword, wrongUrl],
  storage: Effect.gen(function*() {
    const name = yield* queueName(port)
    yield* Effect.addFinalizer(() => withChannel(port, (channel) => channel.exchangeDelete({ exchange: name })))
    const { cut, proxy } = yield* cuttable(port)
    const layer = Amqp.sink(Results, {
      exchange: name,
      routingKey: ({ id }) => id,
      exchanges: [{ name, type: "topic" }],
      queues: [{ name, bindings: [{ exchange: name, routingKey: "#" }] }],
      declare: true
    }).pipe(Layer.provide(Broker.layer({ hosts: [`127.0.0.1:${proxy.port}`] })))
    const arrived: Array<{ id: string; payload: unknown; metadata: { [key: string]: string } }> = []
    return {
      open: Effect.map(Layer.build(layer), (context) => Context.get(context, Results).sink),
      cut,
      refused,
      received: Effect.map(drained(port, name), (messages) => {
        arrived.push(...messages.map(({ body, headers, messageId }) => ({
          id: messageId ?? "",
          payload: body,
          metadata: headers ?? {}
        })))
        return [...arrived]
      })
    }
  })
}

class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const deadLetters: Harness.DeadLetters = {
  name: "Amqp.deadLetters",
  time: "live",
  patience: "10 seconds",
  storage: Effect.gen(function*() {
    const queue = yield* queueName(port)
    const layer = Amqp.deadLetters(Dead, { queue, declare: true }).pipe(
      Layer.provide(Broker.layer({ hosts: [`127.0.0.1:${port}`] }))
    )
    return { open: Effect.map(Layer.build(layer), (context) => Context.get(context, Dead).deadLetters) }
  })
}

const notApplicable = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "an expired lease is delivered again": "a delivery is ours for as long as the connector lives",
  "an extended lease keeps its delivery": "a delivery is ours for as long as the connector lives",
  "extending names the lost leases": "a delivery is ours for as long as the connector lives",
  "resolving an unknown id fails with NotFound": "the source has no resolve",
  "resolving claims one transaction by its id": "the source has no resolve",
  "the order is kept": "the source keeps no order",
  "the order of each key is kept": "the source keeps no order",
  "what is taken back is delivered again with a count of 0": "the source takes nothing back",
  "taking back twice changes nothing": "the source takes nothing back"
}

const check = (laws: ReturnType<typeof Conformance.queue>) =>
  it.live.each(Conformance.applying(laws))(
    "$name",
    ({ check }) => check,
    60_000
  )

await Services.describe([Services.rabbitmq], "RabbitMQ", () => {
  describe("a quorum queue", () => {
    const laws = Conformance.queue(queue({}))
    check(laws)
    it("is excused from what it has not", ({ task }) => {
      process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
      assert.deepStrictEqual(Conformance.excused(laws), notApplicable)
    })
  })

  describe("a classic queue", () => {
    const laws = Conformance.queue(queue({ type: "classic" }))
    check(laws)
    it("is excused from what it has not", () => {
      assert.deepStrictEqual(Conformance.excused(laws), notApplicable)
    })
  })

  describe("a queue of dead letters", () => {
    check(Conformance.deadLetters(deadLetters))
  })

  describe("an exchange", () => {
    const laws = Conformance.sink(exchange)
    check(laws)
    it("is excused from nothing", () => {
      assert.deepStrictEqual(Conformance.excused(laws), {})
    })
  })
})
