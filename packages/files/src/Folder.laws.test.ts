import { Conformance, type Harness } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { folderSource } from "./internal/folder/source.ts"

const lease = 1500

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-folder-laws-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const Letter = Schema.fromJsonString(Schema.Struct({ id: Schema.String, reason: Schema.String }))

const harness: Harness.Source = {
  name: "Folder.source",
  time: "live",
  capabilities: {
    settlement: "each",
    lease: { duration: Duration.millis(lease), extend: true },
    deliveries: "native",
    requeueDelay: "engine",
    deadLetter: "native",
    ordering: "none"
  },
  operations: ["count", "resolve", "isHeld"],
  can: ["buried"],
  without: {
    "payloads survive the round trip": "the payload describes the file and is made by the source",
    "metadata survives the round trip": "a file has no headers",
    "the trace context survives the round trip": "a file has no headers"
  },
  storage: Effect.map(folder, (folder) => ({
    open: folderSource({
      path: folder,
      pattern: undefined,
      processing: "processing",
      done: "done",
      failed: "failed",
      stableFor: 0,
      lease,
      poll: 20
    }),
    enqueue: Effect.forEach(({ id, payload }) =>
      Effect.promise(async () => {
        await fs.writeFile(path.join(folder, `${id}.tmp`), JSON.stringify(payload))
        await fs.rename(path.join(folder, `${id}.tmp`), path.join(folder, id))
      }), { discard: true }),
    buried: Effect.gen(function*() {
      const failed = path.join(folder, "failed")
      const names = (yield* Effect.promise(() => fs.readdir(failed))).filter((name) => name.endsWith(".reason.json"))
      return yield* Effect.forEach(names, (name) =>
        Effect.flatMap(
          Effect.promise(() => fs.readFile(path.join(failed, name), "utf8")),
          (text) => Schema.decodeEffect(Letter)(text)
        ))
    })
  }))
}

const laws = Conformance.source(harness)

// Nearly all of their time is waiting for leases.
describe.concurrent("Folder.source", () => {
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check, 30_000)

  it("is excused from no more than this", () => {
    assert.deepStrictEqual(Conformance.excused(laws), {
      ...harness.without,
      "a requeue delay is respected": "the engine holds a delayed requeue for this source",
      "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch",
      "the order is kept": "the source keeps no order",
      "the order of each key is kept": "the source keeps no order",
      "a commit covers what was settled and nothing after it": "the source commits no positions",
      "a commit never goes back": "the source commits no positions",
      "a cut connection heals by itself and is consumed from": "the harness cannot cut the connection",
      "no secret shows in an error, a log or a span": "the harness has no secrets"
    })
  })
})
