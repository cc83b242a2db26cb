import { Connector } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Schema, Scope } from "effect"
import { Cluster, Kafka } from "./index.ts"
import { loadWith } from "./internal/client/library.ts"
import { reasonOf } from "./internal/client/reason.ts"
import { clusterSettings } from "./internal/settings/cluster.ts"
import { lettersSettings, sinkSettings } from "./internal/settings/sink.ts"
import { sourceSettings } from "./internal/settings/source.ts"

class Orders extends Connector.Source<Orders>()("orders", Schema.Unknown) {}
class Spaced extends Connector.Sink<Spaced>()("two words", Schema.Unknown) {}

const message = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.map(Effect.flip(effect), (error) => error.message)

describe("options", () => {
  it.effect("of a cluster tell all that is wrong, and no secret", () =>
    Effect.gen(function*() {
      const wrong = yield* message(clusterSettings({
        brokers: ["localhost", "a:9092", "a:9092"],
        sasl: { mechanism: "PLAIN", username: "ada", password: "hunter2" },
        tls: { key: "-----BEGIN hunter2" },
        retries: 3
      }))
      assert.notInclude(wrong, "hunter2")
      for (
        const part of [
          "brokers.0 is \"localhost\": expected host:port",
          "sasl.password is not shown: expected a Redacted text",
          "tls.key is not shown",
          "retries is no option; valid are brokers, clientId, tls"
        ]
      ) assert.include(wrong, part)
      assert.strictEqual(
        yield* message(clusterSettings({
          brokers: ["a:1", "a:1"],
          sasl: { mechanism: "SCRAM-SHA-512", token: Redacted.make("hunter2") },
          tls: { cert: "-----BEGIN CERTIFICATE-----" }
        })),
        "Cluster is not set up well: brokers has a:1 twice; sasl.username is missing: SCRAM-SHA-512 needs it; " +
          "sasl.password is missing: SCRAM-SHA-512 needs it; " +
          "sasl.token means nothing with SCRAM-SHA-512: give sasl.password; " +
          "tls.cert and tls.key belong together: one of them is missing"
      )
      assert.include(yield* message(clusterSettings({ brokers: [] })), "brokers is empty")
    }))

  it.effect("that cannot keep the guarantee are refused", () =>
    Effect.gen(function*() {
      const source = (options: unknown) => message(sourceSettings("Kafka.source", "orders", options))
      const sink = (options: unknown) => message(sinkSettings("Kafka.sink", "orders", options))
      assert.strictEqual(
        yield* source({ group: "g", autocommit: true }),
        "Kafka.source \"orders\" is not set up well: autocommit cannot be set: offsets are committed when transactions are " +
          "done; committing by a timer would lose what is not"
      )
      assert.include(yield* sink({ acks: 0 }), "acks is 0: expected \"all\": with fewer acknowledgements a confirmed")
      assert.include(yield* sink({ acks: 1 }), "acks is 1: expected \"all\"")
      assert.include(yield* source({ group: "g", topics: ["a", "a"] }), "topics has \"a\" twice")
      assert.include(yield* source({}), "group is missing")
      assert.include(
        yield* source({ group: "g", session: "3 seconds", heartbeat: "2 seconds" }),
        "at most a third of session"
      )
      assert.include(yield* source({ group: "g", session: "3 seconds", drain: "3 seconds" }), "drain is 3000 ms")
      assert.include(
        yield* source({ group: "g", highWaterMark: 0 }),
        "highWaterMark is 0: expected a whole number from 1"
      )
      assert.include(yield* source({ group: "g", topics: "no spaces" }), "topics")
      assert.include(
        yield* message(lettersSettings("dead", { retry: [{ topic: "dead", delay: "1 second" }] })),
        "retry names the topic of the dead letters"
      )
    }))

  it.effect("have defaults that fit together, whatever the session is", () =>
    Effect.gen(function*() {
      for (const session of ["500 millis", "6 seconds", "45 seconds", "5 minutes"] as const) {
        const settings = yield* sourceSettings("Kafka.source", "orders", { group: "g", session })
        assert.isAtMost(settings.heartbeat * 3, settings.session)
        assert.isBelow(settings.drain + settings.heartbeat, settings.session)
        assert.isAtLeast(settings.rebalance, settings.session)
      }
      const settings = yield* sourceSettings("Kafka.source", "orders", { group: "g" })
      assert.deepInclude(settings, { topics: ["orders"], start: "earliest", order: "key", isolation: "read_committed" })
    }))

  it.effect("name the topic where the id of the key does not", () =>
    Effect.gen(function*() {
      const layer = Kafka.sink(Spaced).pipe(Layer.provide(Cluster.layer({ brokers: ["localhost:9092"] })))
      assert.include(
        yield* message(Effect.scoped(Layer.build(layer))),
        "topic is missing, and the id of the key, \"two words\", is no name of a topic"
      )
    }))
})

describe("configuration", () => {
  const env = (env: Record<string, string>) =>
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

  it.effect("reads a cluster from the environment", () =>
    Effect.gen(function*() {
      const read = yield* Cluster.config.pipe(env({
        KAFKA_BROKERS: "a:9092, b:9092",
        KAFKA_TLS: "true",
        KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
        KAFKA_USERNAME: "ada",
        KAFKA_PASSWORD: "hunter2"
      }))
      assert.deepStrictEqual(read.brokers, ["a:9092", "b:9092"])
      assert.strictEqual(read.tls, true)
      assert.strictEqual(read.sasl?.password && Redacted.value(read.sasl.password), "hunter2")
      assert.notInclude(JSON.stringify(read), "hunter2")
      const settings = yield* clusterSettings(read)
      assert.notInclude(JSON.stringify(settings), "hunter2")
    }))

  it.effect("reads options of a source from a Config", () =>
    Effect.gen(function*() {
      const layer = Kafka.sourceConfig(Orders, Config.all({ group: Config.NonEmptyString("GROUP") })).pipe(
        Layer.provide(Cluster.layer({ brokers: ["127.0.0.1:1"] }))
      )
      const built = yield* Effect.exit(Effect.scoped(Layer.build(layer)).pipe(env({ GROUP: "shipping" })))
      assert.isTrue(Exit.isSuccess(built))
      const missing = yield* Effect.exit(Effect.scoped(Layer.build(layer)).pipe(env({})))
      assert.isTrue(Exit.isFailure(missing))
    }))
})

describe("the client package", () => {
  it.effect("says what to install when it is missing", () =>
    Effect.gen(function*() {
      const absent = Object.assign(new Error("Cannot find package '@platformatic/kafka'"), {
        code: "ERR_MODULE_NOT_FOUND"
      })
      assert.strictEqual(
        yield* message(loadWith(() => Promise.reject(absent))),
        "Kafka needs the package @platformatic/kafka, which is not installed: npm install @platformatic/kafka@2.12.1"
      )
      // What it lacks itself, or what is wrong with it, is something else.
      const inner = Object.assign(new Error("Cannot find package 'avsc'"), { code: "ERR_MODULE_NOT_FOUND" })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(loadWith(() => Promise.reject(inner)))))
    }))
})

describe("reasons", () => {
  const protocol = (apiId: string, canRetry = false) => ({
    message: `response with ${apiId}`,
    errors: [{ apiId, canRetry, message: "inner" }]
  })

  it.each([
    ["UNKNOWN_MEMBER_ID", "LeaseLost"],
    ["ILLEGAL_GENERATION", "LeaseLost"],
    ["REBALANCE_IN_PROGRESS", "Timeout"],
    ["TOPIC_AUTHORIZATION_FAILED", "Unauthorized"],
    ["SASL_AUTHENTICATION_FAILED", "Unauthorized"],
    ["MESSAGE_TOO_LARGE", "InvalidRequest"],
    ["UNKNOWN_TOPIC_OR_PARTITION", "NotFound"],
    ["THROTTLING_QUOTA_EXCEEDED", "Throttled"],
    ["NOT_ENOUGH_REPLICAS", "ConnectionLost"]
  ])("%s is %s", (id, tag) => {
    assert.strictEqual(reasonOf("asking", protocol(id, id === "NOT_ENOUGH_REPLICAS"))._tag, tag)
  })

  it("of the connection can pass, and of something else nothing is known", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })
    const refused = Object.assign(new Error("Cannot connect to any broker."), {
      code: "PLT_KFK_NETWORK",
      canRetry: true,
      cause
    })
    const reason = reasonOf("asking", refused)
    assert.strictEqual(reason._tag, "ConnectionLost")
    assert.include(reason.message, "127.0.0.1:1")
    assert.strictEqual(
      reasonOf("asking", Object.assign(new Error("Request timed out"), { canRetry: true }))._tag,
      "Timeout"
    )
    assert.strictEqual(reasonOf("asking", new Error("strange"))._tag, "Unknown")
    assert.strictEqual(reasonOf("asking", undefined).message, "asking: failed without saying why")
  })
})

describe("a source", () => {
  it.live("that is closed ends a waiting fetch with nothing, and later ones fail", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const layer = Kafka.source(Orders, { group: "g" }).pipe(
        Layer.provide(Cluster.layer({ brokers: ["127.0.0.1:1"], connectTimeout: "100 millis" }))
      )
      const { source } = Context.get(yield* Scope.provide(Layer.build(layer), scope), Orders)
      const waiting = yield* Effect.forkChild(source.fetch({ max: 1, wait: Duration.minutes(1) }))
      yield* Effect.sleep(20)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(source.fetch({ max: 1, wait: Duration.zero }))))
    }))
})
