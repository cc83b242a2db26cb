import { Redis, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

await Services.describe([Redis.needs], "the example of Redis", () => {
  it.live("prices what it can, gives up the rest, and redrives it", () =>
    Effect.gen(function*() {
      const server = yield* Redis.server()
      const { stderr, stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--conditions=@ergon/source", join(import.meta.dirname, "main.ts")], {
          env: { ...process.env, RUN: "first", REDIS_URL: `redis://127.0.0.1:${server.port}` }
        })
      )
      assert.strictEqual(stderr, "")
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "4 orders: 3 priced, 1 given up",
        "first-order-3: NoPrice: nobody knows the price of a unicorn",
        "1 redriven, 1 priced"
      ])
    }).pipe(Effect.scoped), 60_000)
})
