import { Redis as Server } from "@ergon/lab"
import { Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Redis, RedisClient } from "./index.ts"
import { flow, Orders } from "./test/flow.ts"

const queue = (port: number, options: RedisClient.Options = {}, more: Redis.QueueOptions = {}) =>
  Redis.queue(Orders, { lease: "3 seconds", poll: "200 millis", ...more }).pipe(
    Layer.provide(Layer.fresh(RedisClient.layer({ port, commandTimeout: "1 second", ...options })))
  )

const told = (what: string, { balance, failures, growth }: Effect.Success<ReturnType<typeof flow>>) => {
  process.stdout.write(
    `${what}: ${balance.text}; ${failures} dispatches failed and were made again; ` +
      `memory grew by ${Math.round(growth / 1e6)} MB\n`
  )
  assert.deepStrictEqual(balance.lost, [])
  assert.deepStrictEqual(balance.strange, [])
  assert.isBelow(growth, 200e6)
}

await Services.describe([Server.needs], "a Redis under fault", () => {
  it.live("restarted, killed and frozen, it loses none of 20,000", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const result = yield* flow({
        count: 20_000,
        producer: queue(server.port),
        consumers: [queue(server.port)],
        events: [
          [4000, Effect.andThen(server.stop, server.start)],
          [8000, Effect.andThen(server.kill, server.start)],
          [12_000, Effect.andThen(server.freeze, Effect.andThen(Effect.sleep("4 seconds"), server.thaw))],
          [16_000, server.kill.pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(server.start))]
        ]
      })
      told("restarted, killed, frozen, killed for 2 s", result)
    }).pipe(Effect.scoped), 90_000)

  it.live("cut in mid-message, it loses none", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const proxy = yield* Proxy.make(server.port)
      const cut = (bytes: number, direction: "toServer" | "toClient") => proxy.cutAfter(bytes, direction)
      const result = yield* flow({
        count: 6000,
        producer: queue(proxy.port),
        consumers: [queue(proxy.port)],
        events: [
          [600, cut(1234, "toClient")],
          [1200, cut(7777, "toServer")],
          [1800, cut(3, "toClient")],
          [2400, cut(1, "toServer")],
          [3000, proxy.cut],
          [3600, cut(20_001, "toClient")],
          [4200, cut(20_001, "toServer")],
          [4800, Effect.andThen(proxy.refuse, Effect.andThen(Effect.sleep("1 second"), proxy.accept))]
        ]
      })
      told("cut in mid-message", result)
    }).pipe(Effect.scoped), 60_000)
})
