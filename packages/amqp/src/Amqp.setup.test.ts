import { Connector } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Layer, Redacted, Schema } from "effect"
import { loading } from "./internal/client/library.ts"
import { Amqp, Broker } from "./index.ts"

class Orders extends Connector.Queue<Orders>()("orders", Schema.Unknown) {}
class Source extends Connector.Source<Source>()("orders", Schema.Unknown) {}
class Sink extends Connector.Sink<Sink>()("results", Schema.Unknown) {}

const nowhere = Broker.layer({ hosts: ["127.0.0.1:1"], connect: "300 millis" })

const problems = <A, E>(layer: Layer.Layer<A, E, Broker.Broker>) =>
  Effect.scoped(Effect.flip(Layer.build(Layer.provide(layer, nowhere)))).pipe(
    Effect.map((error) => error instanceof Error ? error.message.split("; ") : [])
  )

// What a program without types gives.
const untyped = (options: unknown): object => Object(options)

describe("options", () => {
  it.live("are refused with all that is wrong", () =>
    Effect.gen(function*() {
      const found = yield* problems(Amqp.source(Source, {
        queues: ["a", ""],
        prefetch: 0,
        ...untyped({ declared: true, missingId: "random", deadLetter: 7 })
      }))
      assert.deepStrictEqual(found, [
        "orders: declared is no option: valid are queue, exchanges, declare, prefetch, deadLetter, requeueDelay, " +
        "missingId, queues",
        "prefetch is 0: expected an integer from 1 to 10000",
        "deadLetter is 7: expected a text of 1 to 255 bytes",
        "missingId is \"random\": expected \"digest\" | \"reject\"",
        "queues.1 is \"\": expected a text of 1 to 255 bytes"
      ])
    }))

  it.live("that do not fit together are refused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* problems(Amqp.source(Source, {
          queue: "a",
          queues: ["a", "b", { name: "a", maxPriority: 3 }],
          prefetch: 2,
          deadLetter: "b",
          requeueDelay: "native"
        })),
        [
          "orders: queue \"a\" is listed twice",
          "queue \"a\" has maxPriority 3: a quorum queue has none, give type \"classic\"",
          "queue and queues are both given",
          "prefetch is 2: expected at least one for each of 3 queues",
          "deadLetter is \"b\": expected another queue than the one consumed from",
          "requeueDelay is \"native\": its queues are made when they are needed, give declare: true"
        ]
      )
      assert.deepStrictEqual(
        yield* problems(Amqp.sink(Sink, { queue: "a", exchange: "b", routingKey: "c" })),
        [
          "results: queue and exchange are both given: a sink sends to a queue, or to an exchange with a routing key",
          "routingKey is given with a queue: it is for an exchange"
        ]
      )
    }))

  it.live("of a broker show no secret", () =>
    Effect.gen(function*() {
      const secret = "p4ss"
      const error = yield* Effect.scoped(Effect.flip(Layer.build(Broker.layer({
        url: Redacted.make(`http://me:${secret}@host`),
        hosts: [],
        heartbeat: 0,
        tls: { key: secret, ...untyped({ cat: 1 }) },
        ...untyped({ password: 7 })
      }))))
      assert.deepStrictEqual(error.message.split("; "), [
        "broker: url is not shown: expected amqp://user:password@host:port/vhost or amqps://...",
        "password is not shown: expected a text, Redacted or not",
        "tls is an object: expected true or false",
        "tls.cat is no option",
        "heartbeat is 0: expected a finite duration of at least 1000 milliseconds"
      ])
      assert.notInclude(`${error.message} ${error.stack}`, secret)
      const twice = yield* Effect.scoped(Effect.flip(Layer.build(Broker.layer({
        url: `amqp://me:${secret}@host/vhost`,
        password: "other",
        hosts: ["a"]
      }))))
      assert.strictEqual(
        twice.message,
        "broker: url and hosts are both given: give the hosts, and username, password and vhost beside them; " +
          "password is given twice, by itself and in the url"
      )
    }))

  it.live("come from Config", () =>
    Effect.gen(function*() {
      const layer = Amqp.queueConfig(Orders, { queue: Config.String("QUEUE"), prefetch: Config.Int("PREFETCH") }).pipe(
        Layer.provide(Broker.layerConfig({ url: Config.Redacted("AMQP_URL") })),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({
          QUEUE: "orders",
          PREFETCH: "0",
          AMQP_URL: "amqp://localhost"
        })))
      )
      const error = yield* Effect.scoped(Effect.flip(Layer.build(layer)))
      assert.strictEqual(error.message, "orders: prefetch is 0: expected an integer from 1 to 10000")
    }))
})

describe("a broker that cannot be reached", () => {
  it.live("fails the Layer within its time, with the reason", () =>
    Effect.gen(function*() {
      const [problem = ""] = yield* problems(Amqp.source(Source))
      assert.include(problem, "ConnectionLost: connecting to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1")
    }))
})

describe("a client that is not installed", () => {
  it.live("says what to install", () =>
    Effect.gen(function*() {
      const missing = Object.assign(new Error("Cannot find package 'rabbitmq-client' imported from /app"), {
        code: "ERR_MODULE_NOT_FOUND"
      })
      const error = yield* Effect.flip(loading(() => Promise.reject(missing)))
      assert.strictEqual(
        error.message,
        "@ergon/amqp needs the package rabbitmq-client, which is not installed: npm install rabbitmq-client@5.0.8"
      )
      // Something within it that is missing is another matter.
      const other = Object.assign(new Error("Cannot find package 'left-pad'"), { code: "ERR_MODULE_NOT_FOUND" })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(loading(() => Promise.reject(other)))))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(loading(() => Promise.reject(other)))))
    }))
})
