import { Connector, DeadLetter, Memory, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { Csv, Jsonl } from "../../index.ts"

const fields = {
  name: Schema.String,
  at: Schema.Date,
  price: Schema.Number,
  big: Schema.BigInt,
  flag: Schema.Boolean,
  nothing: Schema.NullOr(Schema.String),
  note: Schema.optional(Schema.String)
}

class Row extends Schema.Class<Row>("Row")(fields) {}
class Nested
  extends Schema.Class<Nested>("Nested")({ ...fields, maybe: Schema.Option(Schema.Number), list: Schema.Array(Row) })
{}

class Rows extends Connector.Source<Rows>()("rows", Row) {}
class RowsOut extends Connector.Sink<RowsOut>()("rows", Row) {}
class Values extends Connector.Source<Values>()("values", Nested) {}
class ValuesOut extends Connector.Sink<ValuesOut>()("values", Nested) {}

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-formats-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const row = new Row({
  name: "a, \"b\"\nc",
  at: new Date("2026-01-01T00:00:00.000Z"),
  price: -1.5e-7,
  big: 12345678901234567890n,
  flag: false,
  nothing: null
})

const noted = new Row({ ...row, nothing: "something", note: "" })

describe("what a sink wrote", () => {
  it.live("a CSV source of the same schema reads", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "rows.csv")
      yield* Effect.forEach([row, noted], (one, n) => Connector.send(RowsOut, Transaction.make(`row-${n}`, one))).pipe(
        Effect.provide(Csv.sink(RowsOut, { path: file }))
      )
      const payloads: Array<Row> = []
      yield* Task.run(
        Task.consumer("read", Rows, ({ payload }) => Effect.sync(() => payloads.push(payload))).pipe(
          Task.discardFailures
        )
      ).pipe(Effect.provide(Csv.source(Rows, { path: file, empty: "absent" })))
      assert.deepStrictEqual(payloads, [row, new Row({ ...row, nothing: "something" })])
    }))

  it.live("a JSONL source of the same schema reads", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "values.jsonl")
      const value = new Nested({ ...noted, maybe: Option.some(1), list: [row, noted] })
      yield* Connector.send(ValuesOut, Transaction.make("value-1", value, { traceparent: "00-1-2-01" })).pipe(
        Effect.provide(Jsonl.sink(ValuesOut, { path: file, envelope: true }))
      )
      const transactions: Array<unknown> = []
      yield* Task.run(
        Task.consumer("read", Values, (transaction) => Effect.sync(() => transactions.push(transaction))).pipe(
          Task.discardFailures
        )
      ).pipe(Effect.provide(Jsonl.source(Values, { path: file, envelope: true })))
      const [transaction] = transactions
      assert.isTrue(Transaction.isTransaction(transaction))
      if (!Transaction.isTransaction(transaction)) return
      assert.strictEqual(transaction.id, "value-1")
      assert.strictEqual(transaction.metadata["traceparent"], "00-1-2-01")
      assert.deepStrictEqual(transaction.payload, value)
    }))

  it.live("are dead letters, one per line", () => {
    class Dead extends Connector.DeadLetters<Dead>()("dead") {}
    const task = Task.consumer("fail", Rows, () => Effect.fail("out of stock")).pipe(
      Task.deadLetter(Dead),
      Task.policy({ process: { retry: { maxAttempts: 1 } } })
    )
    return Effect.gen(function*() {
      const file = path.join(yield* folder, "dead.jsonl")
      yield* Task.run(task).pipe(
        Effect.provide(Layer.mergeAll(
          Memory.source(Rows, [Transaction.make("row-1", row), Transaction.make("row-2", noted)]),
          Jsonl.deadLetters(Dead, { path: file })
        ))
      )
      const lines = (yield* Effect.promise(() => fs.readFile(file, "utf8"))).trimEnd().split("\n")
      const letters = lines.map((line) => Schema.decodeUnknownSync(DeadLetter.DeadLetter)(JSON.parse(line)))
      assert.deepStrictEqual(letters.map(({ id }) => id), ["row-1", "row-2"])
      assert.include(letters[0]?.error.message, "out of stock")
    })
  })
})
