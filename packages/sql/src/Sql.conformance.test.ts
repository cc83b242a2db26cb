import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Schema } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Database, Sql, Sqlite } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
class Rows extends Connector.Sink<Rows>()("rows", Schema.Unknown) {}

const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "ergon-sql-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
)

const buried = (filename: string) =>
  Effect.gen(function*() {
    const { sql } = yield* Database.Database
    return yield* sql<{ id: string; reason: string }>`SELECT id, reason FROM items WHERE state = 'dead'`
  }).pipe(Effect.provide(Sqlite.layer({ filename })))

const queue = (options: Sql.QueueOptions): Harness.Queue => ({
  name: "Sql.queue",
  time: "test",
  capabilities: {
    settlement: "each",
    lease: { duration: Duration.seconds(20), extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: options.key === undefined ? "none" : "byKey"
  },
  operations: ["count", "resolve", "isHeld", "letters", "putBack", "takeBack"],
  can: ["buried", "refused"],
  // A database of its own for each connector: what two processes see.
  storage: Effect.map(directory, (directory) => {
    const filename = path.join(directory, "queue.db")
    const layer = Sql.queue(Items, { ...options, lease: "20 seconds" }).pipe(Layer.provide(Sqlite.layer({ filename })))
    return {
      open: Effect.map(Layer.build(layer), (context) => Context.get(context, Items)),
      buried: buried(filename),
      refused: (n: number) => ({ id: `refused-\u0000-${n}`, payload: { refused: n }, metadata: {} })
    }
  })
})

const table: Harness.Sink = {
  name: "Sql.table",
  time: "test",
  can: [],
  without: {
    "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
    "the dispatched trace context arrives": "a row holds the payload"
  },
  storage: Effect.map(directory, (directory) => {
    const filename = path.join(directory, "table.db")
    const layer = Sql.table(Rows).pipe(Layer.provide(Sqlite.layer({ filename })))
    return {
      open: Effect.map(Layer.build(layer), (context) => Context.get(context, Rows).sink),
      received: Effect.gen(function*() {
        const { sql } = yield* Database.Database
        const rows = yield* sql<{ id: string; payload: string }>`SELECT id, payload FROM rows`
        return rows.map(({ id, payload }) => ({ id, payload: JSON.parse(payload), metadata: {} }))
      }).pipe(Effect.provide(Sqlite.layer({ filename })))
    }
  })
}

const deadLetters: Harness.DeadLetters = {
  name: "Sql.deadLetters",
  time: "test",
  storage: Effect.map(directory, (directory) => {
    const layer = Sql.deadLetters(Dead).pipe(
      Layer.provide(Sqlite.layer({ filename: path.join(directory, "letters.db") }))
    )
    return { open: Effect.map(Layer.build(layer), (context) => Context.get(context, Dead).deadLetters) }
  })
}

const notApplicable = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "a cut connection heals by itself and is consumed from": "the harness cannot cut the connection",
  "a cut connection heals by itself and is dispatched to": "the harness cannot cut the connection",
  "no secret shows in an error, a log or a span": "the harness has no secrets",
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch"
}

describe("a queue", () => {
  const laws = Conformance.queue(queue({}))
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
  it("is excused from what it has not", ({ task }) => {
    process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), {
      ...notApplicable,
      "the order is kept": "the source keeps no order",
      "the order of each key is kept": "the source keeps no order"
    })
  })
})

// Every transaction has a key of its own: of one key, one is handed over at a time, and the laws want several.
describe("a queue ordered by key", () => {
  const laws = Conformance.queue(queue({ key: ({ id }) => id }))
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
  it("is excused from what it has not", ({ task }) => {
    process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), {
      ...notApplicable,
      "the order is kept": "the source keeps an order for each key only"
    })
  })
})

describe("a table", () => {
  const laws = Conformance.sink(table)
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
  it("is excused from what it has not", ({ task }) => {
    process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), {
      "a batch that fails in part names the ones that failed":
        "the harness cannot make a transaction that the target refuses",
      "a cut connection heals by itself and is dispatched to": "the harness cannot cut the connection",
      "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
      "no secret shows in an error, a log or a span": "the harness has no secrets",
      "the dispatched trace context arrives": "a row holds the payload"
    })
  })
})

describe("a table of dead letters", () => {
  it.live.each(Conformance.deadLetters(deadLetters))("$name", ({ check }) => check)
})
