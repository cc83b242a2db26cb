import { Connector, type Delivery, Disposition, Memory, Task } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schema, Stream } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { csvSource } from "./internal/source/formats.ts"
import { Csv } from "./index.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-csv-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const fileOf = (content: string | Uint8Array) =>
  Effect.gen(function*() {
    const file = path.join(yield* folder, "in.csv")
    yield* Effect.promise(() => fs.writeFile(file, content))
    return file
  })

const wait = Duration.zero
const none: ReadonlyArray<Delivery.Delivery> = []

const readAll = Effect.fnUntraced(function*(source: Connector.SourceService) {
  const all: Array<Delivery.Delivery> = []
  for (;;) {
    const deliveries = yield* Effect.catchTag(source.fetch({ max: 100, wait }), "Done", () => Effect.succeed(none))
    if (deliveries.length === 0) return all
    all.push(...deliveries)
  }
})

type Options = Parameters<typeof csvSource>[0]

/** The payloads of a file, and why the malformed ones are, read in pieces of several sizes. */
const readBack = (content: string | Uint8Array, options: Partial<Options> = {}) =>
  Effect.gen(function*() {
    const file = yield* fileOf(content)
    const read = (chunk: number) =>
      Effect.scoped(Effect.flatMap(csvSource({ path: file, offset: false, chunk, ...options }), readAll))
    const deliveries = yield* read(1000)
    for (const chunk of [1, 2, 3, 7]) {
      const transactions = (yield* read(chunk)).map(({ malformed, transaction }) => [malformed, transaction])
      assert.deepStrictEqual(transactions, deliveries.map(({ malformed, transaction }) => [malformed, transaction]))
    }
    return deliveries.map(({ malformed, transaction }) =>
      malformed === undefined
        ? transaction.payload
        : [malformed.replace(`${file}:`, "line "), transaction.payload]
    )
  })

const refusal = (content: string, options: Partial<Options> = {}) =>
  Effect.gen(function*() {
    const file = yield* fileOf(content)
    const { reason } = yield* Effect.flip(Effect.scoped(csvSource({ path: file, ...options })))
    return `${reason._tag}: ${reason.message.replaceAll(file, "FILE")}`
  })

describe("reading CSV", () => {
  it.live("names the fields by the header", () =>
    Effect.gen(function*() {
      const content = "\ufeff\"a\",b c\r\n1,\"x\r\ny, \"\"z\"\"\"\r\n\r\n\"\",\n\u00fc,\u{1f980}"
      assert.deepStrictEqual(yield* readBack(content), [
        { a: "1", "b c": "x\r\ny, \"z\"" },
        { a: "", "b c": "" },
        { a: "\u00fc", "b c": "\u{1f980}" }
      ])
    }))

  it.live("skips blank lines, before the header too", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* readBack("\n\r\na\n\n1\n\r\n\"\"\n"), [{ a: "1" }, { a: "" }])
    }))

  it.live("names the fields by `columns`, another delimiter between them", () =>
    Effect.gen(function*() {
      const options = { columns: ["a", "b"], delimiter: ";" }
      assert.deepStrictEqual(yield* readBack("1;2,3\n;\"4;5\"\n", options), [{ a: "1", b: "2,3" }, { a: "", b: "4;5" }])
    }))

  it.live("takes an empty cell for an empty text, or for nothing", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* readBack("a,b\n1,\n"), [{ a: "1", b: "" }])
      assert.deepStrictEqual(yield* readBack("a,b\n1,\n", { empty: "absent" }), [{ a: "1" }])
    }))

  it.live("has no field that a name of its prototype hides", () =>
    Effect.gen(function*() {
      const [row] = yield* readBack("__proto__,toString\n1,2\n")
      assert.deepStrictEqual(Object.entries(row ?? {}), [["__proto__", "1"], ["toString", "2"]])
    }))

  it.live("names the line and the byte where a record begins", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("a\n\"1\n2\"\n\n3\n")
      const deliveries = yield* readAll(yield* csvSource({ path: file }))
      assert.deepStrictEqual(deliveries.map(({ transaction }) => [transaction.id, transaction.metadata]), [
        ["in.csv:2", { file, line: 2, offset: 2 }],
        ["in.csv:5", { file, line: 5, offset: 9 }]
      ])
    }))

  it.live("hands over bad records with file, line and what is wrong, and goes on", () =>
    Effect.gen(function*() {
      const content = Buffer.concat([
        Buffer.from("a,b\n1\n1,2,3\nx\"y,2\n\"x\"y,2\nok,2\n"),
        Buffer.from([0xff, 0x2c, 0x32, 0x0a]),
        Buffer.from(`${"x".repeat(30)},2\n"${"x\n".repeat(15)}",2\nok,3\n1,"2\nok,4\n`)
      ])
      assert.deepStrictEqual(yield* readBack(content, { maxLine: 20 }), [
        ["line 2: 1 field for 2 columns", "1"],
        ["line 3: 3 fields for 2 columns", "1,2,3"],
        ["line 4: field 1 has a quote but does not begin with one", "x\"y,2"],
        ["line 5: field 1 goes on after its closing quote", "\"x\"y,2"],
        { a: "ok", b: "2" },
        ["line 7: not valid UTF-8", "\ufffd,2"],
        ["line 8: longer than 20 bytes; only its beginning is kept", "x".repeat(20)],
        ["line 9: longer than 20 bytes; only its beginning is kept", `"${"x\n".repeat(10).slice(0, 19)}`],
        { a: "ok", b: "3" },
        ["line 26: a quoted field that begins in this line is not closed before the end of the file", "1,\"2"],
        { a: "ok", b: "4" }
      ])
    }))

  it.live("reads a file that has a header or less, and waits for it when it follows", () =>
    Effect.gen(function*() {
      for (const content of ["", "\n", "a,b", "a,b\n"]) assert.deepStrictEqual(yield* readBack(content), [])
      const file = yield* fileOf("a,")
      const source = yield* csvSource({ path: file, follow: true })
      assert.deepStrictEqual(yield* readAll(source), [])
      yield* Effect.promise(() => fs.appendFile(file, "b\n1,2\n3,\"4"))
      assert.deepStrictEqual((yield* readAll(source)).map(({ transaction }) => transaction.payload), [
        { a: "1", b: "2" }
      ])
      yield* Effect.promise(() => fs.appendFile(file, "\n\"\n"))
      assert.deepStrictEqual((yield* readAll(source)).map(({ transaction }) => transaction.payload), [
        { a: "3", b: "4\n" }
      ])
    }))

  it.live("goes on behind the header and the stored position", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("a,b\n1,\"2\n\"\n3,4\n5,6")
      const readOn = Effect.scoped(Effect.gen(function*() {
        const source = yield* csvSource({ path: file, chunk: 5 })
        const deliveries = yield* readAll(source)
        const [first] = deliveries
        if (first !== undefined) yield* source.settle([Disposition.settlement(first, Disposition.ack)])
        return deliveries.map(({ transaction }) => transaction.id)
      }))
      assert.deepStrictEqual(yield* readOn, ["in.csv:2", "in.csv:4", "in.csv:5"])
      assert.deepStrictEqual(yield* readOn, ["in.csv:4", "in.csv:5"])
      assert.deepStrictEqual(yield* readOn, ["in.csv:5"])
      assert.deepStrictEqual(yield* readOn, [])
      yield* Effect.promise(() => fs.appendFile(file, "\n7,8"))
      assert.deepStrictEqual(yield* readOn, ["in.csv:6"])
    }))

  it.live("refuses a header or options that cannot be used", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal("a,b,a\n1,2,3\n"),
        "InvalidRequest: the header of \"FILE\" cannot be used: the column \"a\" is there twice"
      )
      assert.include(yield* refusal("a,\"b\n1,2\n"), "a quoted field that begins in this line is not closed")
      assert.include(yield* refusal("a\"b\n"), "field 1 has a quote but does not begin with one")
      assert.include(yield* refusal("", { columns: [] }), "columns is empty")
      assert.include(yield* refusal("", { columns: ["x", "x"] }), "the column \"x\" is there twice")
      for (const delimiter of ["", "\"", "\n", "ab", "\u00fc"]) {
        assert.include(yield* refusal("", { delimiter }), "delimiter must be one ASCII character")
      }
      const file = yield* fileOf("")
      const source = yield* csvSource({ path: file, follow: true })
      yield* Effect.promise(() => fs.appendFile(file, "a,a\n1,2\n"))
      for (let fetch = 0; fetch < 2; fetch++) {
        const error = yield* Effect.flip(source.fetch({ max: 1, wait }))
        assert.strictEqual(error._tag === "FetchError" ? error.reason._tag : "", "InvalidRequest")
      }
    }))
})

describe("Csv.source", () => {
  const Order = Schema.Struct({ sku: Schema.String, quantity: Schema.Int, note: Schema.optional(Schema.String) })
  class Orders extends Connector.Source<Orders>()("orders", Order) {}
  class Dead extends Connector.DeadLetters<Dead>()("dead") {}

  it.live("feeds a task with what its schema decodes", () =>
    Effect.gen(function*() {
      const path = yield* fileOf("sku,quantity,note\nbolt,12,\nnut,many,\n\"washer\",3,\"thin, light\"\nscrew\n")
      const seen: Array<typeof Order.Type> = []
      const task = Task.consumer("orders", Orders, ({ payload }) =>
        Effect.sync(() => {
          seen.push(payload)
        })).pipe(Task.deadLetter(Dead))
      const letters = yield* Task.run(task).pipe(
        Effect.andThen(Memory.letters(Dead)),
        Effect.provide(
          Layer.mergeAll(Csv.source(Orders, { path, id: "sku", empty: "absent" }), Memory.deadLetters(Dead))
        )
      )
      assert.deepStrictEqual(seen, [
        { sku: "bolt", quantity: 12 },
        { sku: "washer", quantity: 3, note: "thin, light" }
      ])
      assert.deepStrictEqual(letters.map(({ id, payload }) => [id, payload]), [
        ["nut", { sku: "nut", quantity: "many" }],
        ["in.csv:5", "screw"]
      ])
    }))

  it.live("takes its ids from a function of the row", () =>
    Effect.gen(function*() {
      const path = yield* fileOf("sku,quantity\nbolt,12\nnut,3\n")
      const outcomes = Task.consumer("orders", Orders, () => Effect.void).pipe(Task.discardFailures, Task.outcomes)
      const seen = yield* Stream.runCollect(outcomes).pipe(
        Effect.provide(Csv.source(Orders, { path, id: ({ quantity, sku }) => quantity === "3" ? undefined : sku }))
      )
      assert.deepStrictEqual(seen.map(({ _tag, transaction }) => [_tag, transaction.id]), [
        ["succeeded", "bolt"],
        ["failed", "in.csv:3"]
      ])
    }))
})
