import { Connector } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { Redis, RedisClient } from "./index.ts"

class Orders extends Connector.Queue<Orders>()("orders", Schema.Unknown) {}

const problems = <E>(layer: Layer.Layer<never, E> | Layer.Layer<RedisClient.RedisClient, E>) =>
  Effect.map(
    Effect.flip(Effect.scoped(Layer.build(layer as Layer.Layer<never, E>))),
    (error) => String((error as Error).message)
  )

const environment = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

describe("options of a connection", () => {
  it.effect("tell all that is wrong with them", () =>
    Effect.gen(function*() {
      const text = yield* problems(RedisClient.layer({
        host: "a b",
        port: 0,
        username: "",
        database: 1.5,
        connectTimeout: "1 minute",
        commandTimeout: 0,
        ...{ hosts: "x" }
      }))
      assert.strictEqual(
        text,
        [
          "the connection to Redis has 7 problems:",
          "- host: \"a b\" is not valid; expected a host name or an address",
          "- port: 0 is not valid; expected an integer from 1 to 65535",
          "- username: \"\" is not valid; expected a text that is not empty",
          "- database: 1.5 is not valid; expected an integer from 0 to 1000000",
          "- connectTimeout: \"1 minute\" is not valid; expected a duration from 1 ms to 30 s",
          "- commandTimeout: 0 is not valid; expected a duration from 10 ms to 30 s",
          "- hosts: no such field (valid: url, host, port, nodes, username, password, database, tls, name, connectTimeout, commandTimeout)"
        ].join("\n")
      )
    }))

  it.effect("show no secret", () =>
    Effect.gen(function*() {
      for (
        const options of [
          { url: "redis://user:hunter2@host:port" },
          { url: "http://user:hunter2@host" },
          { url: Redacted.make("redis://user:hunter2@host/x/y") },
          { url: "redis://user:hunter2@host", password: Redacted.make("hunter2") },
          { tls: { key: "hunter2" as unknown as Redacted.Redacted<string> } },
          { password: "hunter2" as unknown as Redacted.Redacted<string> }
        ]
      ) {
        const text = yield* problems(RedisClient.layer(options))
        assert.notInclude(text, "hunter2")
        assert.match(text, /url|password|tls/)
      }
    }))

  it.effect("that say a thing twice are refused", () =>
    Effect.gen(function*() {
      assert.include(yield* problems(RedisClient.layer({ url: "redis://a", host: "b" })), "host: given twice; url")
      assert.include(yield* problems(RedisClient.layer({ nodes: ["a:1"], port: 7 })), "port: given twice; nodes")
      assert.include(yield* problems(RedisClient.layer({ nodes: ["a:1"], database: 3 })), "database 0 only")
      assert.include(yield* problems(RedisClient.layer({ url: "rediss://a", tls: false })), "asks for TLS")
    }))
})

describe("a connection from the configuration", () => {
  it.effect("names the variables", () =>
    Effect.gen(function*() {
      const layer = RedisClient.layerConfig("CACHE").pipe(
        Layer.provide(
          environment({ CACHE_PORT: "x", CACHE_NODES: "a", CACHE_COMMAND_TIMEOUT: "1 hour", CACHE_NAME: " " })
        )
      )
      assert.strictEqual(
        yield* problems(layer),
        [
          "the connection to Redis has 3 problems:",
          "- CACHE_PORT: \"x\" is not valid; expected an integer from 1 to 65535",
          "- CACHE_NODES: \"a\" is not valid; expected a list of host:port, at least one",
          "- CACHE_COMMAND_TIMEOUT: \"1 hour\" is not valid; expected a duration from 10 ms to 30 s"
        ].join("\n")
      )
    }))

  it.effect("has TLS in variables, whose secrets it does not show", () =>
    Effect.gen(function*() {
      const layer = RedisClient.layerConfig().pipe(
        Layer.provide(environment({
          REDIS_TLS: "no",
          REDIS_TLS_CA: "hunter1",
          REDIS_TLS_KEY: "hunter2",
          REDIS_TLS_PASSPHRASE: "hunter3"
        }))
      )
      assert.strictEqual(
        yield* problems(layer),
        [
          "the connection to Redis has 5 problems:",
          "- REDIS_TLS_CA: \"hunter1\" is not valid; expected a certificate or key in PEM",
          "- REDIS_TLS_KEY: what is given is not valid; expected a certificate or key in PEM",
          "- REDIS_TLS_CA: not valid together with REDIS_TLS, which is not true",
          "- REDIS_TLS_KEY: not valid together with REDIS_TLS, which is not true",
          "- REDIS_TLS_PASSPHRASE: not valid together with REDIS_TLS, which is not true"
        ].join("\n")
      )
    }))

  it.effect("takes bare numbers as seconds, and a Config of the options", () =>
    Effect.gen(function*() {
      const timeout = (layer: Layer.Layer<RedisClient.RedisClient, unknown>) =>
        Effect.map(RedisClient.RedisClient, ({ commandTimeout }) => commandTimeout).pipe(
          Effect.provide(
            layer.pipe(
              Layer.provide(environment({ REDIS_COMMAND_TIMEOUT: "2", REDIS_TLS: "No", LIMIT: "3 seconds" }))
            )
          )
        )
      assert.strictEqual(yield* timeout(RedisClient.layerConfig()), 2000)
      assert.strictEqual(yield* timeout(RedisClient.layerConfig({ commandTimeout: Config.Duration("LIMIT") })), 3000)
      assert.strictEqual(
        yield* timeout(RedisClient.layerConfig(Config.succeed({ commandTimeout: Duration.seconds(4) }))),
        4000
      )
    }))
})

// What the compiler would not let through.
const wrong: object = { from: "end", batch: 7 }

describe("options of a connector", () => {
  it.effect("tell all that is wrong with them", () =>
    Effect.gen(function*() {
      const layer = Redis.queue(Orders, {
        stream: "a{b",
        group: "",
        lease: "50 millis",
        poll: 0,
        keep: 0,
        unique: -1,
        ...wrong
      })
      const text = yield* problems(layer.pipe(Layer.provide(RedisClient.layer())))
      assert.strictEqual(
        text,
        [
          "the connector \"orders\" has 8 problems:",
          "- batch: no such field (valid: stream, group, from, lease, poll, keep, consumer, unique)",
          "- stream: \"a{b\" is not valid; expected a key that is not empty; one with braces has a hash tag, as in {shop}:orders",
          "- group: \"\" is not valid; expected a name without braces, not empty",
          "- lease: \"50 millis\" is not valid; expected a finite duration of at least 100 ms",
          "- poll: 0 is not valid; expected a duration from 1 ms to 60 s",
          "- keep: 0 is not valid; expected a finite duration of at least 1 ms",
          "- unique: -1 is not valid; expected a finite duration of at least 0 ms",
          "- from: \"end\" is not valid; expected beginning or new"
        ].join("\n")
      )
    }))

  it.effect("come from the configuration", () =>
    Effect.gen(function*() {
      const layer = Redis.queueConfig(Orders, "ORDERS").pipe(
        Layer.provide(RedisClient.layer()),
        Layer.provide(environment({ ORDERS_LEASE: "0.05", ORDERS_FROM: "old" }))
      )
      assert.include(yield* problems(layer), "ORDERS_LEASE: \"0.05\" is not valid")
      const sound = Redis.queueConfig(Orders, "ORDERS").pipe(
        Layer.provide(RedisClient.layer()),
        Layer.provide(environment({ ORDERS_LEASE: "45" }))
      )
      const lease = yield* Effect.map(Orders, ({ source }) => source.capabilities.lease?.duration).pipe(
        Effect.provide(sound)
      )
      assert.deepStrictEqual(lease, Duration.seconds(45))
    }))
})
