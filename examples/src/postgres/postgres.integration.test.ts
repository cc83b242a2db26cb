import { Postgres, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

await Services.describe([Postgres.needs], "the example of PostgreSQL", () => {
  it.live("prices what it can, gives up the rest, redrives it, and knows the totals", () =>
    Effect.gen(function*() {
      const server = yield* Postgres.server()
      const { stderr, stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--conditions=@ergon/source", join(import.meta.dirname, "main.ts")], {
          env: {
            ...process.env,
            RUN: "first",
            POSTGRES_URL: `postgres://postgres@127.0.0.1:${server.port}/postgres`
          }
        })
      )
      assert.strictEqual(stderr, "")
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "4 orders: 3 priced, 1 given up",
        "first-3: NoPrice: nobody knows the price of a unicorn",
        "1 redriven, 1 priced",
        "ada: 3000030",
        "bob: 280"
      ])
    }).pipe(Effect.scoped), 60_000)
})
