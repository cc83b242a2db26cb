import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { Kafka, MariaDb, Port, Postgres, Prometheus, RabbitMq, Redis, type Server, Services } from "./index.ts"

/** It stops, is killed and frozen, and serves again on the same port. */
const comesBack = (server: Server.Server) =>
  Effect.gen(function*() {
    assert.isTrue(yield* Port.accepts(server.port))
    yield* server.stop
    assert.isFalse(yield* Port.accepts(server.port))
    yield* server.start
    assert.isTrue(yield* Port.accepts(server.port))
    yield* server.freeze
    yield* server.thaw
    yield* server.kill
    assert.isFalse(yield* Port.accepts(server.port))
    yield* server.start
    assert.isTrue(yield* Port.accepts(server.port))
  })

await Services.describe([Redis.needs], "a Redis of its own", () => {
  it.live("comes back after a stop and a kill", () => Effect.flatMap(Redis.server(), comesBack))
})

await Services.describe([Postgres.needs], "a PostgreSQL of its own", () => {
  it.live("comes back after a stop and a kill", () => Effect.flatMap(Postgres.server(), comesBack))
})

await Services.describe([MariaDb.needs], "a MariaDB of its own", () => {
  it.live("comes back after a stop and a kill", () => Effect.flatMap(MariaDb.server(), comesBack))
})

await Services.describe([RabbitMq.needs], "a RabbitMQ of its own", () => {
  it.live("comes back after a stop and a kill, and is managed", () =>
    Effect.gen(function*() {
      const server = yield* RabbitMq.server(["consumer_timeout = 60000"])
      yield* comesBack(server)
      assert.include(yield* server.control("list_users"), "guest")
    }), 120_000)
})

await Services.describe([Kafka.needs], "a mock of Kafka", () => {
  it.live("listens", () =>
    Effect.gen(function*() {
      const { port } = yield* Kafka.mock
      assert.isTrue(yield* Port.accepts(port))
    }))
})

await Services.describe([Prometheus.needs], "a Prometheus of its own", () => {
  it.live("comes back, and answers queries about itself", () =>
    Effect.gen(function*() {
      const server = yield* Prometheus.server({ targets: [yield* Port.free] })
      yield* comesBack(server)
      assert.deepStrictEqual(yield* server.query("vector(1) / 0"), [{ labels: {}, value: Infinity }])
      const { message } = yield* Effect.flip(server.query("up{"))
      assert.include(message, "parse error")
    }))
})
