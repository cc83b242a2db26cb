import { RabbitMq, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

await Services.describe([RabbitMq.needs], "the example of RabbitMQ", () => {
  it.live("ships what it can, gives up the rest, and redrives it", () =>
    Effect.gen(function*() {
      const server = yield* RabbitMq.server()
      const { stderr, stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--conditions=@ergon/source", join(import.meta.dirname, "main.ts")], {
          env: { ...process.env, AMQP_URL: `amqp://guest:guest@127.0.0.1:${server.port}` }
        })
      )
      assert.strictEqual(stderr, "")
      const lines = stdout.trim().split("\n")
      assert.deepStrictEqual(lines.slice(0, 3), [
        "3 shipped, 1 dead-lettered",
        "order-3: process failed: OutOfStock",
        "1 redriven, 1 shipped"
      ])
      assert.sameMembers(lines.slice(3), [
        "shipment-order-1: 1 of lamp, by order.normal",
        "shipment-order-2: 2 of chair, by order.express",
        "shipment-order-3: 3 of unicorn, by order.normal",
        "shipment-order-4: 4 of table, by order.normal"
      ])
    }).pipe(Effect.scoped), 90_000)
})
