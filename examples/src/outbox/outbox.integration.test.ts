import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

it.live("the example of the outbox sends what is committed, and nothing else", () =>
  Effect.gen(function*() {
    const { stderr, stdout } = yield* Effect.promise(() =>
      promisify(execFile)(process.execPath, ["--conditions=@ergon/source", join(import.meta.dirname, "main.ts")])
    )
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(stdout.trim().split("\n"), [
      "order 2: out of stock, nothing was written",
      "orders in the table: 1, 3",
      "words sent by the relay: 2; at the broker: 2"
    ])
  }), 30_000)
