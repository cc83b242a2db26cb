/**
 * From a dead letter to its trace, as docs/observability says it is done: with the command `ergon`, on
 * the example of redrives, and nothing but the environment that switches telemetry on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Program } from "@ergon/lab"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Receiver from "./receiver.ts"

const main = join(import.meta.dirname, "../redrive/main.ts")

describe("one bad transaction", () => {
  it.live("is followed from its dead letter to its trace and to its producer", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "ergon-follow-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const receiver = yield* Receiver.make
      const env = {
        DATABASE: join(folder, "shop.db"),
        ORDERS: "4",
        NO_COLOR: "1",
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url
      }
      const ergon = (...args: ReadonlyArray<string>) =>
        Program.run({ command: process.execPath, args: ["--conditions=@ergon/source", main, ...args], env })
      yield* ergon("run", "place")
      yield* ergon("run", "ship", "--once")

      // The transaction is an attribute of its span, and the way to what happened to it.
      const [failed, ...others] = receiver.spans.filter(({ attributes, name }) =>
        name === "transaction orders" && attributes["messaging.message.id"] === "order-3"
      )
      assert.isDefined(failed)
      assert.isEmpty(others)
      assert.strictEqual(failed.service, "ship")
      assert.deepInclude(failed.attributes, {
        "ergon.outcome": "failed",
        "ergon.category": "business",
        "ergon.step": "process"
      })
      assert.include(failed.error, "there is no lamp left")

      // The letter says which span sent it, and the transaction is linked to that one.
      const letter = yield* ergon("dead-letters", "ship", "show", "order-3")
      const [, traceId, spanId = ""] = /traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(letter) ?? []
      assert.isTrue(failed.links?.includes(spanId), letter)
      const sender = receiver.spans.find((span) => span.spanId === spanId)
      assert.deepStrictEqual([sender?.service, sender?.name, sender?.traceId], ["place", "dispatch orders", traceId])
    }), 60_000)
})
