import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Csv } from "effect/encoding"
import { type Boundary, LineBoundary, QuotedBoundary } from "./boundary.ts"
import { fieldsOf } from "./parser.ts"
import { type RawRecord, Records } from "./records.ts"

/** Everything of a file, read in pieces of these lengths, the last one over and over. */
const split = (
  file: Uint8Array,
  boundary: Boundary,
  pieces: ReadonlyArray<number>,
  maxRecord = 1000
): ReadonlyArray<RawRecord> => {
  const records = new Records(boundary, { maxRecord, chunk: 64 })
  const found: Array<RawRecord> = []
  const keep = (record: RawRecord) => found.push({ ...record, bytes: Uint8Array.from(record.bytes) })
  for (let piece = 0;;) {
    const record = records.next()
    if (record !== undefined) {
      keep(record)
      continue
    }
    const length = pieces[Math.min(piece++, pieces.length - 1)] ?? 1
    const space = records.space()
    const bytes = file.subarray(records.offset, records.offset + Math.min(length, space.length))
    space.set(bytes)
    records.filled(bytes.length)
    if (bytes.length > 0) continue
    const reached = records.offset
    const last = records.last()
    if (last !== undefined) keep(last)
    if (records.offset === reached) return found
  }
}

const textOf = ({ bytes }: RawRecord): string => Buffer.from(bytes).toString("utf8")
const plain = (records: ReadonlyArray<RawRecord>) => records.map((record) => ({ ...record, bytes: textOf(record) }))

const Text = Schema.Array(Schema.Literals(["\"", ",", "\r", "\n", "\n", "a", "ü", "\u{1f980}", "\ufeff"])).check(
  Schema.isMaxLength(40)
)
const Piece = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 }))
const Pieces = Schema.Array(Piece).check(Schema.isMinLength(1), Schema.isMaxLength(5))
const Bound = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 }))

const boundaries = [
  ["lines", () => new LineBoundary()],
  ["quoted records", () => new QuotedBoundary(",")]
] as const

describe.each(boundaries)("%s", (_, boundary) => {
  it.effect.prop(
    "are the same however the file is cut",
    [Text, Pieces, Bound],
    ([text, pieces, bound]) =>
      Effect.sync(() => {
        const file = Buffer.from(text.join(""))
        const whole = split(file, boundary(), [64], bound)
        assert.deepStrictEqual(plain(split(file, boundary(), pieces, bound)), plain(whole))
      })
  )

  it.effect.prop("are the same cut in two at every byte", [Text], ([text]) =>
    Effect.sync(() => {
      const file = Buffer.from(text.join("")).subarray(0, 64)
      const whole = plain(split(file, boundary(), [64]))
      for (let at = 1; at < file.length; at++) {
        assert.deepStrictEqual(plain(split(file, boundary(), [at, 64])), whole, `cut at ${at}`)
      }
    }))

  it.effect.prop(
    "follow one another without a gap, up to the end",
    [Text, Pieces, Bound],
    ([text, pieces, bound]) =>
      Effect.sync(() => {
        const file = Buffer.from(text.join(""))
        const mark = file.subarray(0, 3).equals(Buffer.from("\ufeff")) ? 3 : 0
        const records = split(file, boundary(), pieces, bound)
        let at = mark
        let lines = 0
        for (const record of records) {
          assert.strictEqual(record.start, at)
          assert.strictEqual(record.line, lines + 1)
          const raw = file.subarray(record.start, record.end)
          lines += raw.filter((byte) => byte === 10).length
          assert.strictEqual(record.lines, lines)
          assert.strictEqual(record.terminated, raw.at(-1) === 10)
          const overlong = (record.terminated ? raw.length - 1 : raw.length) > bound
          if (record.flaw !== "unclosed") assert.strictEqual(record.flaw === "overlong", overlong)
          if (record.flaw === undefined) assert.isTrue(raw.equals(record.bytes))
          else assert.isTrue(raw.subarray(0, bound).equals(record.bytes))
          at = record.end
        }
        assert.strictEqual(at, file.length)
        assert.isAtMost(records.filter(({ flaw }) => flaw === "unclosed").length, 1)
      })
  )
})

describe("lines", () => {
  it.effect.prop("end at every line feed", [Text, Pieces], ([text, pieces]) =>
    Effect.sync(() => {
      const file = `a${text.join("")}`
      const lines = file.match(/[^\n]*\n|[^\n]+$/g)
      assert.deepStrictEqual(split(Buffer.from(file), new LineBoundary(), pieces).map(textOf), [...lines ?? []])
    }))
})

const Cell = Schema.Array(Schema.Literals(["\"", ",", "\r", "\n", "a", "ü", "\u{1f980}"])).check(Schema.isMaxLength(6))
const Table = Schema.Array(Schema.Array(Cell).check(Schema.isMinLength(1), Schema.isMaxLength(4))).check(
  Schema.isMaxLength(6)
)

describe("quoted records", () => {
  it.effect.prop(
    "are what another encoder wrote",
    [Table, Pieces, Schema.Literals(["\n", "\r\n"]), Schema.Literals([",", ";", "\t"])],
    ([table, pieces, newline, delimiter]) =>
      Effect.gen(function*() {
        const cells = table.map((row) => row.map((cell) => cell.join("")))
        const texts = yield* Stream.fromIterable(cells).pipe(
          Stream.pipeThroughChannel(Csv.encodeString({ newline, delimiter })),
          Stream.runCollect
        )
        const records = split(Buffer.from(texts.join("")), new QuotedBoundary(delimiter), pieces)
        const read = records.map((record) => fieldsOf(textOf(record).replace(/\r?\n$/, ""), delimiter))
        assert.deepStrictEqual(read, cells)
      })
  )

  it.effect.prop("end where the parser of fields says so", [Text, Pieces], ([text, pieces]) =>
    Effect.sync(() => {
      for (const record of split(Buffer.from(text.join("")), new QuotedBoundary(","), pieces)) {
        if (record.flaw !== undefined) continue
        const line = textOf(record).replace(/\r?\n$/, "")
        const fields = fieldsOf(line, ",")
        if (typeof fields === "string") {
          assert.notInclude(fields, "are not closed")
          continue
        }
        for (let at = line.indexOf("\n"); at >= 0; at = line.indexOf("\n", at + 1)) {
          assert.include(fieldsOf(line.slice(0, at), ","), "are not closed")
        }
      }
    }))

  it.effect.prop("that are bad cost only themselves", [Table, Pieces], ([table, pieces]) =>
    Effect.gen(function*() {
      const good = table.map((row) => row.map((cell) => cell.filter((one) => one !== "\"").join("")))
      const written = good.map((row) => row.map((cell) => `"${cell}"`).join(",") + "\n")
      const bad = ["a\"b,c\n", "\"a\"b,\"c\"\n", "a,b\"\"\n", "\"a\"\r\"b\n", "\r\"b\n"]
      const file = written.map((row, index) => (bad[index % bad.length] ?? "") + row).join("")
      const read = split(Buffer.from(file), new QuotedBoundary(","), pieces).map((record) =>
        fieldsOf(textOf(record).replace(/\r?\n$/, ""), ",")
      )
      assert.deepStrictEqual(read.filter((_, index) => index % 2 === 1), good)
      assert.isTrue(read.filter((_, index) => index % 2 === 0).every((fields) => typeof fields === "string"))
    }))

  it.effect("that are never closed cost the line in which they begin", () =>
    Effect.sync(() => {
      const file = Buffer.from("a,b\n1,\"2\"\"\n3,4\n5,6\n7,8")
      for (const bound of [1000, 5]) {
        const records = split(file, new QuotedBoundary(","), [3], bound)
        assert.deepStrictEqual(records.map((record) => [textOf(record), record.line, record.flaw]), [
          ["a,b\n", 1, undefined],
          ["1,\"2\"\"\n".slice(0, bound), 2, "unclosed"],
          ["3,4\n", 3, undefined],
          ["5,6\n", 4, undefined],
          ["7,8", 5, undefined]
        ])
      }
    }))
})
