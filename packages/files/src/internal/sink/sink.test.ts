import { type ConnectorError, Reason, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { columnsOf } from "./columns.ts"
import { csvSink, jsonlSink } from "./formats.ts"

const Row = Schema.Struct({ id: Schema.String, note: Schema.optional(Schema.String) })

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-sink-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const inFolder = (name: string) => Effect.map(folder, (folder) => path.join(folder, name))

const read = (file: string) => Effect.promise(() => fs.readFile(file, "utf8"))
const write = (file: string, text: string) => Effect.promise(() => fs.writeFile(file, text))
const list = (file: string) => Effect.promise(() => fs.readdir(path.dirname(file)))

const payloads = (...payloads: ReadonlyArray<unknown>) =>
  payloads.map((payload, index) => Transaction.make(`t-${index + 1}`, payload, { source: "test" }))

const jsonl = (file: string) => jsonlSink(file, { envelope: false })

const refusal = (error: ConnectorError.DispatchError) => `${error.reason._tag}: ${error.reason.message}`

describe("a JSONL sink", () => {
  it.live("writes the payload as a line, in a folder that it makes", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("new/out.jsonl")
      yield* Effect.scoped(
        Effect.flatMap(jsonl(file), (sink) => sink.dispatch(payloads({ a: "line\nbreak" }, [1], null)))
      )
      yield* Effect.scoped(Effect.flatMap(jsonl(file), (sink) => sink.dispatch(payloads("more"))))
      assert.strictEqual(yield* read(file), "{\"a\":\"line\\nbreak\"}\n[1]\nnull\n\"more\"\n")
      assert.deepStrictEqual(yield* list(file), ["out.jsonl"])
    }))

  it.live("writes id, payload and metadata in an envelope", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const sink = yield* jsonlSink(file, { envelope: true })
      yield* sink.dispatch(payloads({ a: 1 }))
      assert.strictEqual(
        yield* read(file),
        "{\"id\":\"t-1\",\"payload\":{\"a\":1},\"metadata\":{\"source\":\"test\"}}\n"
      )
    }))

  it.live("names what is no JSON and writes the others", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const sink = yield* jsonl(file)
      const error = yield* Effect.flip(sink.dispatch(payloads(1, 2n, 3, undefined)))
      assert.deepStrictEqual(error.failed?.map(({ index }) => index), [1, 3])
      assert.include(refusal(error), `InvalidRequest: "t-2" cannot be written to "${file}": it is no JSON`)
      assert.strictEqual(yield* read(file), "1\n3\n")
    }))

  it.live("moves a torn last line aside", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      yield* write(file, `{"a":1}\n{"a":"${"x".repeat(200_000)}`)
      yield* Effect.scoped(Effect.flatMap(jsonl(file), (sink) => sink.dispatch(payloads({ a: 2 }))))
      assert.strictEqual(yield* read(file), "{\"a\":1}\n{\"a\":2}\n")
      assert.strictEqual((yield* read(`${file}.torn`)).length, 200_007)
    }))

  it.live("keeps a last line that lacks nothing but its end, as other programs write it", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      for (const whole of ["{\"a\":1}", "[1]", "\"text\""]) {
        yield* write(file, `1\n${whole}`)
        yield* Effect.scoped(Effect.flatMap(jsonl(file), (sink) => sink.dispatch(payloads(2))))
        assert.strictEqual(yield* read(file), `1\n${whole}\n2\n`)
      }
      yield* write(file, "1\n12")
      yield* Effect.scoped(Effect.flatMap(jsonl(file), (sink) => sink.dispatch(payloads(2))))
      assert.strictEqual(yield* read(file), "1\n2\n")
      assert.strictEqual(yield* read(`${file}.torn`), "12\n")
    }))

  it.live("begins anew when the file is removed, and goes on when it was cut", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const sink = yield* jsonl(file)
      yield* sink.dispatch(payloads(1, 2))
      yield* Effect.promise(() => fs.rm(file))
      yield* sink.dispatch(payloads(3, 4))
      assert.strictEqual(yield* read(file), "3\n4\n")
      yield* Effect.promise(() => fs.truncate(file, 2))
      yield* sink.dispatch(payloads(5))
      assert.strictEqual(yield* read(file), "3\n5\n")
    }))

  it.live("has one writer: a second is refused, by another name of the file too", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const scope = yield* Scope.make()
      yield* Scope.provide(jsonl(file), scope)
      const alias = path.join(path.dirname(file), "alias.jsonl")
      yield* Effect.promise(() => fs.symlink(file, alias))
      for (const name of [file, alias]) {
        const error = yield* Effect.flip(jsonl(name))
        assert.include(
          refusal(error),
          `InvalidRequest: "${yield* Effect.promise(() => fs.realpath(file))}" is in use by`
        )
        assert.include(refusal(error), `process ${process.pid}`)
      }
      yield* Scope.close(scope, Exit.void)
      yield* jsonl(alias)
    }))

  it.live("respects a lock that cannot be judged, and says which file it is", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const elsewhere = { token: "0", pid: 1, host: "elsewhere.example", started: "1" }
      yield* write(`${file}.lock`, JSON.stringify(elsewhere))
      assert.include(refusal(yield* Effect.flip(jsonl(file))), "in use by process 1 on elsewhere.example")
      for (const text of ["", "{}", "{\"token\":\"../x\",\"pid\":1,\"host\":\"x\"}"]) {
        yield* write(`${file}.lock`, text)
        const message = refusal(yield* Effect.flip(jsonl(file)))
        assert.include(
          message,
          `is locked, and ${yield* Effect.promise(() => fs.realpath(`${file}.lock`))} does not say`
        )
      }
      assert.deepStrictEqual(yield* list(file), ["out.jsonl.lock"])
    }))

  it.live("refuses what is not a file, and leaves no lock behind", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out")
      yield* Effect.promise(() => fs.mkdir(file))
      assert.include(refusal(yield* Effect.flip(jsonl(file))), "InvalidRequest: ")
      assert.deepStrictEqual(yield* list(file), ["out"])
    }))

  it.live("ends a write that is interrupted", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.jsonl")
      const sink = yield* jsonl(file)
      for (let round = 0; round < 50; round++) {
        const fiber = yield* Effect.forkChild(sink.dispatch(payloads(...Array.from({ length: 100 }, () => round))))
        if (round % 2 === 0) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
      }
      yield* sink.dispatch(payloads("end"))
      const counts = new Map<string, number>()
      for (const line of (yield* read(file)).trimEnd().split("\n")) counts.set(line, (counts.get(line) ?? 0) + 1)
      assert.strictEqual(counts.get("\"end\""), 1)
      counts.delete("\"end\"")
      assert.isTrue([...counts.values()].every((count) => count === 100))
    }))
})

describe("a CSV sink", () => {
  const csv = (file: string, columns?: ReadonlyArray<string>) => csvSink(Row, file, columns)

  it.live("writes the fields of the schema under a header, quoted by RFC 4180", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      const sink = yield* csv(file)
      yield* sink.dispatch(payloads({ id: "1", note: "a, \"b\"\r\nc" }, { id: "2" }))
      assert.strictEqual(yield* read(file), "id,note\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n2,\r\n")
    }))

  it.live("writes the columns that it is given, in their order", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      const sink = yield* csv(file, ["note", "id"])
      yield* sink.dispatch(payloads({ id: "1", note: "a" }))
      assert.strictEqual(yield* read(file), "note,id\r\na,1\r\n")
    }))

  it.live("appends under a header that fits, with the line ends of the file", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      yield* write(file, "\ufeff\"id\",note\n0,\"old\nrow\"\n")
      const sink = yield* csv(file)
      yield* sink.dispatch(payloads({ id: "1" }))
      assert.strictEqual(yield* read(file), "\ufeff\"id\",note\n0,\"old\nrow\"\n1,\n")
    }))

  it.live("refuses a header that does not fit, and names both", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      const content = "id,text\n1,torn"
      yield* write(file, content)
      const message = refusal(yield* Effect.flip(csv(file)))
      assert.include(message, `the header of "${yield* Effect.promise(() => fs.realpath(file))}" is [id, text]`)
      assert.include(message, "the columns of the sink are [id, note]")
      assert.strictEqual(yield* read(file), content)
      yield* write(file, "no header")
      assert.include(refusal(yield* Effect.flip(csv(file))), "is [], the columns of the sink are")
      assert.deepStrictEqual(yield* list(file), ["out.csv"])
    }))

  it.live("begins a header anew that was cut short", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      yield* write(file, "id,no")
      yield* csv(file)
      assert.strictEqual(yield* read(file), "id,note\r\n")
    }))

  it.live("moves a torn row aside, also when a line of it is whole", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      yield* write(file, "id,note\r\n1,\"a\r\nb\"\r\n2,\"whole line\r\nthen to")
      const sink = yield* csv(file)
      yield* sink.dispatch(payloads({ id: "3", note: "" }))
      assert.strictEqual(yield* read(file), "id,note\r\n1,\"a\r\nb\"\r\n3,\r\n")
      assert.strictEqual(yield* read(`${file}.torn`), "2,\"whole line\r\nthen to\n")
    }))

  it.live("names a nested field", () =>
    Effect.gen(function*() {
      const sink = yield* csv(yield* inFolder("out.csv"))
      const error = yield* Effect.flip(sink.dispatch(payloads({ id: "1" }, { id: "2", note: { deep: "x" } }, "text")))
      assert.deepStrictEqual(error.failed?.map(({ index }) => index), [1, 2])
      assert.include(refusal(error), "the field \"note\" is an object")
      assert.instanceOf(error.reason, Reason.InvalidRequest)
    }))

  it.live("asks for columns where the schema names none", () =>
    Effect.gen(function*() {
      const file = yield* inFolder("out.csv")
      const open = csvSink(Schema.Record(Schema.String, Schema.String), file, undefined)
      assert.include(refusal(yield* Effect.flip(open)), "does not name its fields: give the columns")
      assert.include(refusal(yield* Effect.flip(csv(file, ["id", "id"]))), "the column \"id\" of")
      assert.include(refusal(yield* Effect.flip(csv(file, ["id", "nota"]))), "is none of the fields [id, note]")
      assert.include(refusal(yield* Effect.flip(csv(file, []))), "has no columns")
    }))

  it("reads the columns of a class, as they are encoded", () => {
    class Film extends Schema.Class<Film>("Film")({
      title: Schema.String,
      year: Schema.Number.pipe(Schema.optional)
    }) {}
    assert.deepStrictEqual(columnsOf(Film), ["title", "year"])
    assert.isUndefined(columnsOf(Schema.Union([Film, Row])))
  })
})
