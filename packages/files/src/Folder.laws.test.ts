import { type Delivery, Disposition } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Result, Schema, Scope } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { folderSource } from "./internal/folder/source.ts"

const lease = 1500

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-folder-laws-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const sourceOf = (folder: string, lease: number) =>
  folderSource({
    path: folder,
    pattern: undefined,
    processing: "processing",
    done: "done",
    failed: "failed",
    stableFor: 0,
    lease,
    poll: 20
  })

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
  operations: ["count", "resolve", "isHeld", "letters", "putBack"],
  can: ["buried"],
  without: {
    "payloads survive the round trip": "the payload describes the file and is made by the source",
    "metadata survives the round trip": "a file has no headers",
    "the trace context survives the round trip": "a file has no headers"
  },
  storage: Effect.map(folder, (folder) => ({
    open: sourceOf(folder, lease),
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
    process.stdout.write(`${Conformance.formatExcused("Folder.source", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), {
      ...harness.without,
      "a requeue delay is respected": "the engine holds a delayed requeue for this source",
      "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch",
      "the order is kept": "the source keeps no order",
      "the order of each key is kept": "the source keeps no order",
      "a commit covers what was settled and nothing after it": "the source commits no positions",
      "a commit never goes back": "the source commits no positions",
      "what is taken back is delivered again with a count of 0": "the source takes nothing back",
      "taking back twice changes nothing": "the source takes nothing back",
      "a cut connection heals by itself and is consumed from": "the harness cannot cut the connection",
      "no secret shows in an error, a log or a span": "the harness has no secrets"
    })
  })
})

const Which = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Offer"), name: Schema.Literals(["a", "a.1", "b.txt", "b.1.txt"]) }),
  Schema.Struct({ _tag: Schema.Literal("Fetch"), which: Which, max: Schema.Literals([1, 2, 5]) }),
  Schema.Struct({
    _tag: Schema.Literal("Settle"),
    which: Which,
    index: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    as: Schema.Literals(["Ack", "Requeue", "DeadLetter", "Release"])
  }),
  Schema.Struct({ _tag: Schema.Literal("Extend"), which: Which }),
  Schema.Struct({ _tag: Schema.Literal("Expire") }),
  Schema.Struct({ _tag: Schema.Literal("Reopen"), which: Which })
])

const Script = Schema.Array(Step).check(Schema.isMinLength(5), Schema.isMaxLength(40))

const dispositions = {
  Ack: Disposition.ack,
  Requeue: Disposition.requeue(),
  DeadLetter: Disposition.deadLetter("no stock"),
  Release: Disposition.release
}

/** The contents of all files below a folder; every file has a content of its own. */
const contents = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".reason.json"))
  return (await Promise.all(files.map((file) => fs.readFile(path.join(file.parentPath, file.name), "utf8")))).toSorted()
}

/** Makes the lease of every claim look as if it were over, to whoever did not make it. */
const expire = async (processing: string): Promise<void> => {
  for (const claim of await fs.readdir(processing)) await fs.utimes(path.join(processing, claim), 0, 0)
}

/** A connector that can be closed and opened again, and what it fetched. */
const connection = (folder: string) =>
  Effect.gen(function*() {
    const open = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(sourceOf(folder, 60_000), scope)
      return { source, close: Scope.close(scope, Exit.void) }
    })
    let current = yield* open
    yield* Effect.addFinalizer(() => current.close)
    const deliveries: Array<Delivery.Delivery> = []
    return {
      deliveries,
      source: () => current.source,
      reopen: Effect.gen(function*() {
        yield* current.close
        current = yield* open
      })
    }
  })

describe("any history of a folder with two connectors", () => {
  it.live.prop(
    "keeps every file exactly once, and settles each in the end",
    [Script],
    ([script]) =>
      Effect.gen(function*() {
        const inbox = yield* folder
        const connections = [yield* connection(inbox), yield* connection(inbox)] as const
        const offered: Array<string> = []
        for (const step of script) {
          switch (step._tag) {
            case "Offer": {
              const file = path.join(inbox, step.name)
              if (yield* Effect.promise(() => fs.access(file).then(() => true, () => false))) break
              const content = String(offered.length).padStart(3, "0")
              offered.push(content)
              yield* Effect.promise(() => fs.writeFile(file, content))
              break
            }
            case "Fetch": {
              const { deliveries, source } = connections[step.which]!
              deliveries.push(...yield* source().fetch({ max: step.max, wait: Duration.zero }))
              break
            }
            case "Settle": {
              const { deliveries, source } = connections[step.which]!
              const delivery = deliveries[step.index % Math.max(1, deliveries.length)]
              if (delivery === undefined) break
              const settlement = Disposition.settlement(delivery, dispositions[step.as])
              const settled = yield* Effect.result(source().settle([settlement]))
              if (Result.isFailure(settled)) assert.strictEqual(settled.failure.reason._tag, "LeaseLost")
              break
            }
            case "Extend": {
              const { deliveries, source } = connections[step.which]!
              yield* source().extend!(deliveries)
              break
            }
            case "Expire":
              yield* Effect.promise(() => expire(path.join(inbox, "processing")))
              break
            case "Reopen":
              yield* connections[step.which]!.reopen
              break
          }
          assert.deepStrictEqual(yield* Effect.promise(() => contents(inbox)), offered)
        }
        const last = yield* sourceOf(inbox, 60_000)
        for (;;) {
          yield* Effect.promise(() => expire(path.join(inbox, "processing")))
          const deliveries = yield* last.fetch({ max: 10, wait: Duration.millis(30) })
          if (deliveries.length === 0) break
          yield* last.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
        }
        const done = [
          ...yield* Effect.promise(() => contents(path.join(inbox, "done"))),
          ...yield* Effect.promise(() => contents(path.join(inbox, "failed")))
        ]
        assert.deepStrictEqual(done.toSorted(), offered)
        assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.join(inbox, "processing"))), [])
      }).pipe(Effect.scoped),
    { timeout: 60_000, arbitrary: { runs: 60, size: 30 } }
  )
})
