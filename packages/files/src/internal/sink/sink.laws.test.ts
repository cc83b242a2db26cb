import { Transaction } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema, Stream } from "effect"
import { Csv } from "effect/encoding"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { firstRow, row } from "./csv.ts"
import { csvSink, jsonlSink } from "./formats.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-sink-laws-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const Envelope = Schema.Struct({
  id: Schema.String,
  payload: Schema.Unknown,
  metadata: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean]))
})

const readLines = (file: string) =>
  Effect.promise(async () =>
    (await fs.readFile(file, "utf8")).split("\n").filter((line) => line !== "").map((line): unknown => JSON.parse(line))
  )

const readRows = (file: string) =>
  Effect.flatMap(
    Effect.promise(() => fs.readFile(file, "utf8")),
    (text) => Stream.make(text).pipe(Stream.pipeThroughChannel(Csv.decodeString({ headers: true })), Stream.runCollect)
  )

/** A transaction of a line that is a payload alone: its id is not in the file. */
const anonymous = (payload: unknown) => Transaction.make("?", payload)

const harness = (
  name: string,
  open: (file: string) => ReturnType<typeof jsonlSink>,
  received: (file: string) => Effect.Effect<ReadonlyArray<Transaction.Transaction<unknown>>, unknown>,
  rest: Partial<Harness.Sink>
): Harness.Sink => ({
  name,
  time: "live",
  can: ["refused"],
  storage: Effect.map(folder, (folder) => {
    const file = path.join(folder, "out")
    return {
      open: open(file),
      received: received(file),
      refused: (n) => Transaction.make(`refused-${n}`, { n: 1n, a: [] })
    }
  }),
  ...rest
})

const payloadAlone = {
  "dispatched ids arrive": "the line is the payload: with `envelope: true` it carries the id",
  "dispatched metadata arrives": "the line is the payload: with `envelope: true` it carries the metadata",
  "the dispatched trace context arrives": "the line is the payload: with `envelope: true` it carries the metadata"
} as const

const rowAlone = {
  "dispatched ids arrive": "a row has the columns of the payload and no others",
  "dispatched metadata arrives": "a row has the columns of the payload and no others",
  "the dispatched trace context arrives": "a row has the columns of the payload and no others"
} as const

const jsonl = Conformance.sink(
  harness(
    "Jsonl.sink",
    (file) => jsonlSink(file, { envelope: false }),
    (file) => Effect.map(readLines(file), (lines) => lines.map(anonymous)),
    { without: payloadAlone }
  )
)

const envelope = Conformance.sink(
  harness(
    "Jsonl.sink with envelopes",
    (file) => jsonlSink(file, { envelope: true }),
    (file) =>
      Effect.map(
        Effect.flatMap(readLines(file), Effect.forEach((line) => Schema.decodeUnknownEffect(Envelope)(line))),
        (envelopes) => envelopes.map(({ id, metadata, payload }) => Transaction.make(id, payload, metadata))
      ),
    {}
  )
)

const Columns = Schema.Struct({ n: Schema.String, a: Schema.String, "b c": Schema.String })

const csv = Conformance.sink(
  harness(
    "Csv.sink",
    (file) => csvSink(Columns, file, undefined),
    (file) => Effect.map(readRows(file), (rows) => rows.map(anonymous)),
    {
      payload: (n) => ({ n: `${n}`, a: ` "quoted", ünïcödé \u{1f980}\r\nline\nbreak\t`, "b c": "" }),
      without: rowAlone
    }
  )
)

for (
  const [name, laws, excused] of [
    ["Jsonl.sink", jsonl, payloadAlone],
    ["Jsonl.sink with envelopes", envelope, {}],
    ["Csv.sink", csv, rowAlone]
  ] as const
) {
  describe(name, () => {
    it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)

    it("is excused from no more than this", () => {
      process.stdout.write(`${Conformance.formatExcused(name, laws)}\n`)
      assert.deepStrictEqual(Conformance.excused(laws), {
        ...excused,
        "a cut connection heals by itself and is dispatched to": "the harness cannot cut the connection",
        "no secret shows in an error, a log or a span": "the harness has no secrets"
      })
    })
  })
}

const Cell = Schema.Array(Schema.Literals(["\"", ",", "\r", "\n", "a", "\ufeff", "ü", "\u{1f980}"])).check(
  Schema.isMaxLength(6)
)
const Table = Schema.Array(Schema.Array(Cell).check(Schema.isMinLength(1), Schema.isMaxLength(4))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(6)
)

const texts = (table: typeof Table.Type) => table.map((one) => one.map((cell) => cell.join("")))

describe("rows", () => {
  it.effect.prop(
    "are read back by a reader of RFC 4180 as they were written",
    [Table],
    ([table]) =>
      Effect.gen(function*() {
        const text = texts(table).map((one) => row(one, "\r\n")).join("")
        const decoded = yield* Stream.make(text).pipe(Stream.pipeThroughChannel(Csv.decodeString()), Stream.runCollect)
        assert.deepStrictEqual(decoded.map((one) => [...one]), texts(table))
      })
  )

  it.effect.prop("as headers are read back with their line end", [Table], ([table]) =>
    Effect.sync(() => {
      for (const one of texts(table)) {
        for (const lineEnd of ["\n", "\r\n"]) {
          assert.deepStrictEqual(firstRow(row(one, lineEnd)), { cells: one, lineEnd })
        }
      }
    }))

  it.effect.prop(
    "cut anywhere, keep the whole rows before the cut",
    [Table, Schema.Int],
    ([table, cut]) =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, "out.csv")
        const header = Buffer.from(row(["n"], "\r\n"))
        const written = texts(table).map((one) => row(one, "\r\n"))
        const whole = Buffer.from(written.join(""))
        const at = Math.abs(cut) % (whole.length + 1)
        yield* Effect.promise(() => fs.writeFile(file, Buffer.concat([header, whole.subarray(0, at)])))
        yield* Effect.scoped(csvSink(Columns, file, ["n"]))
        let expected = ""
        for (const one of written) {
          if (Buffer.byteLength(expected + one) > at) break
          expected += one
        }
        assert.strictEqual(yield* Effect.promise(() => fs.readFile(file, "utf8")), header.toString() + expected)
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
    { timeout: 60_000, arbitrary: { runs: 60 } }
  )
})
