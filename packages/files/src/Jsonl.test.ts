import { Connector, type ConnectorError, type Delivery, Disposition, Memory, Task } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { jsonlSource } from "./internal/source/formats.ts"
import { Jsonl } from "./index.ts"

class Values extends Connector.Source<Values>()("values", Schema.Struct({ n: Schema.Int })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-jsonl-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const write = (file: string, content: string | Uint8Array) => Effect.promise(() => fs.writeFile(file, content))
const append = (file: string, content: string) => Effect.promise(() => fs.appendFile(file, content))
const readText = (file: string) => Effect.promise(() => fs.readFile(file, "utf8"))

const fileOf = (content: string | Uint8Array, name = "in.jsonl") =>
  Effect.gen(function*() {
    const file = path.join(yield* folder, name)
    yield* write(file, content)
    return file
  })

const wait = Duration.zero
const none: ReadonlyArray<Delivery.Delivery> = []

const fetch = (source: Connector.SourceService, max = 100) =>
  Effect.catchTag(source.fetch({ max, wait }), "Done", () => Effect.succeed(none))

const readAll = Effect.fnUntraced(function*(source: Connector.SourceService) {
  const all: Array<Delivery.Delivery> = []
  for (;;) {
    const deliveries = yield* fetch(source)
    if (deliveries.length === 0) return all
    all.push(...deliveries)
  }
})

const ack = (source: Connector.SourceService, delivery: Delivery.Delivery | undefined) =>
  source.settle(delivery === undefined ? [] : [Disposition.settlement(delivery, Disposition.ack)])

const payloads = (deliveries: ReadonlyArray<Delivery.Delivery>) =>
  deliveries.map(({ transaction }) => transaction.payload)
const ids = (deliveries: ReadonlyArray<Delivery.Delivery>) => deliveries.map(({ transaction }) => transaction.id)

const refusal = (open: ReturnType<typeof jsonlSource>) =>
  Effect.map(Effect.flip(Effect.scoped(open)), ({ reason }) => `${reason._tag}: ${reason.message}`)

describe("reading JSONL", () => {
  it.live("names the file, the line and the byte of every transaction", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("{\"n\":1}\n\n  \r\n[\"\u00fc\"]\r\n3")
      const deliveries = yield* readAll(yield* jsonlSource({ path: file }))
      assert.deepStrictEqual(payloads(deliveries), [{ n: 1 }, ["\u00fc"], 3])
      assert.deepStrictEqual(ids(deliveries), ["in.jsonl:1", "in.jsonl:4", "in.jsonl:5"])
      assert.deepStrictEqual(deliveries.map(({ transaction }) => transaction.metadata), [
        { file, line: 1, offset: 0 },
        { file, line: 4, offset: 13 },
        { file, line: 5, offset: 21 }
      ])
      assert.deepStrictEqual(new Set(deliveries.map(({ partition }) => partition)), new Set([file]))
    }))

  it.live("signals its end, at once for an empty file", () =>
    Effect.gen(function*() {
      for (const content of ["", "\ufeff", "\n\n"]) {
        const source = yield* jsonlSource({ path: yield* fileOf(content) })
        const error = yield* Effect.flip(source.fetch({ max: 1, wait }))
        assert.strictEqual(error._tag, "Done")
      }
    }))

  it.live("skips a byte order mark", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("\ufeff1\n2\n")
      const deliveries = yield* readAll(yield* jsonlSource({ path: file, chunk: 1 }))
      assert.deepStrictEqual(payloads(deliveries), [1, 2])
    }))

  it.live("takes its ids from a field or a function", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("{\"sku\":\"a\",\"n\":7}\n{\"sku\":\"\"}\n3\n")
      const idsBy = (id: string | ((payload: unknown) => string)) =>
        Effect.scoped(Effect.flatMap(jsonlSource({ path: file, id }), readAll))
      const bySku = yield* idsBy("sku")
      assert.deepStrictEqual(ids(bySku), ["a", "in.jsonl:2", "in.jsonl:3"])
      assert.deepStrictEqual(bySku.map(({ malformed }) => malformed), [
        undefined,
        `${file}:2: no id: it must be a text that is not empty`,
        `${file}:3: no id: it must be a text that is not empty`
      ])
      assert.deepStrictEqual(ids(yield* idsBy("n")), ["7", "in.jsonl:2", "in.jsonl:3"])
      assert.deepStrictEqual(ids(yield* idsBy((payload) => `x${JSON.stringify(payload)}`)), [
        "x{\"sku\":\"a\",\"n\":7}",
        "x{\"sku\":\"\"}",
        "x3"
      ])
    }))

  it.live("opens envelopes", () =>
    Effect.gen(function*() {
      const lines = [
        { id: "a", payload: { n: 1 }, metadata: { traceparent: "00-1", line: 99 } },
        { id: "b", payload: null },
        { id: "", payload: 1 },
        { id: "c" },
        { id: "d", payload: 1, metadata: { deep: {} } },
        3
      ]
      const file = yield* fileOf(lines.map((line) => JSON.stringify(line)).join("\n"))
      const deliveries = yield* readAll(yield* jsonlSource({ path: file, envelope: true }))
      assert.deepStrictEqual(ids(deliveries).slice(0, 3), ["a", "b", "in.jsonl:3"])
      assert.deepStrictEqual(deliveries[0]?.transaction.metadata, { traceparent: "00-1", file, line: 1, offset: 0 })
      assert.deepStrictEqual(deliveries.map(({ malformed }) => malformed?.replace(file, "")), [
        undefined,
        undefined,
        ":3: not an envelope: its id is no text",
        ":4: not an envelope: it has no payload",
        ":5: not an envelope: its metadata is no object of texts, numbers and booleans",
        ":6: not an envelope: it is no object"
      ])
    }))

  it.live("hands over bad lines with file, line and what is wrong, and goes on", () =>
    Effect.gen(function*() {
      const invalid = Buffer.concat([Buffer.from("1\n{\"a\":\n\""), Buffer.from([0xff, 0xfe]), Buffer.from("\"\n")])
      const file = yield* fileOf(Buffer.concat([invalid, Buffer.from(`"${"x".repeat(100)}"\n{"a" 1}\n2\n`)]))
      for (const chunk of [1, 7, 64]) {
        const source = yield* jsonlSource({ path: file, chunk, maxLine: 20, offset: false })
        const deliveries = yield* readAll(source)
        assert.deepStrictEqual(deliveries.map(({ malformed }) => malformed?.replace(file, "FILE")), [
          undefined,
          "FILE:2: not JSON: Unexpected end of JSON input",
          "FILE:3: not valid UTF-8",
          "FILE:4: longer than 20 bytes; only its beginning is kept",
          "FILE:5: not JSON: Expected ':' after property name in JSON at position 5",
          undefined
        ])
        assert.deepStrictEqual(payloads(deliveries), [
          1,
          "{\"a\":",
          "\"\ufffd\ufffd\"",
          `"${"x".repeat(19)}`,
          "{\"a\" 1}",
          2
        ])
      }
    }))

  it.live("keeps a text with a replacement character that stands in the file", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("\"\ufffd\"\n")
      const [delivery] = yield* readAll(yield* jsonlSource({ path: file }))
      assert.strictEqual(delivery?.malformed, undefined)
      assert.strictEqual(delivery?.transaction.payload, "\ufffd")
    }))
})

describe("the position of a file", () => {
  const file = fileOf("1\n2\n3\n4\n")

  it.live("is stored by settling, and reading goes on there", () =>
    Effect.gen(function*() {
      const path = yield* file
      const rest = Effect.fnUntraced(function*(settle: number) {
        const source = yield* jsonlSource({ path })
        const deliveries = yield* readAll(source)
        yield* ack(source, deliveries[settle])
        return payloads(deliveries)
      }, Effect.scoped)
      assert.deepStrictEqual(yield* rest(1), [1, 2, 3, 4])
      assert.deepStrictEqual(yield* rest(0), [3, 4])
      assert.deepStrictEqual(yield* rest(5), [4])
      yield* append(path, "5\n")
      assert.deepStrictEqual(yield* rest(1), [4, 5])
      assert.deepStrictEqual(yield* rest(0), [])
    }))

  it.live("stands where `offset` says, or nowhere", () =>
    Effect.gen(function*() {
      const input = yield* file
      const sidecar = `${input}.position`
      const readOnce = (offset: string | false) =>
        Effect.scoped(Effect.gen(function*() {
          const source = yield* jsonlSource({ path: input, offset })
          const deliveries = yield* readAll(source)
          yield* ack(source, deliveries.at(-1))
          return deliveries.length
        }))
      assert.deepStrictEqual([yield* readOnce(false), yield* readOnce(false)], [4, 4])
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.dirname(input))), ["in.jsonl"])
      assert.deepStrictEqual([yield* readOnce(sidecar), yield* readOnce(sidecar)], [4, 0])
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.dirname(input))), [
        "in.jsonl",
        "in.jsonl.position"
      ])
    }))

  it.live("does not fit a file that was cut, replaced or edited", () =>
    Effect.gen(function*() {
      const input = yield* file
      const sidecar = `${input}.offset`
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* jsonlSource({ path: input })
        yield* ack(source, (yield* readAll(source))[2])
      }))
      const again = `Delete "${sidecar}" to read the file from its beginning`
      yield* write(input, "1\n2\n")
      assert.strictEqual(
        yield* refusal(jsonlSource({ path: input })),
        `InvalidRequest: "${sidecar}" says that "${input}" is done up to byte 6, but it has 4 bytes: it was cut or ` +
          `replaced. ${again}`
      )
      yield* write(input, "1\n9\n3\n4\n")
      assert.strictEqual(
        yield* refusal(jsonlSource({ path: input })),
        `InvalidRequest: "${sidecar}" says that "${input}" is done up to byte 6, but what stands before that has ` +
          `changed: the file was replaced or edited. ${again}`
      )
      yield* write(sidecar, "{\"version\":1,\"offset\":")
      assert.strictEqual(
        yield* refusal(jsonlSource({ path: input })),
        `InvalidRequest: "${sidecar}" holds no position of "${input}": it is damaged, or something else. ${again}`
      )
    }))

  it.live("sees an edit far behind the beginning", () =>
    Effect.gen(function*() {
      const lines = Array.from({ length: 5000 }, (_, n) => `${n}\n`)
      const input = yield* fileOf(lines.join(""))
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* jsonlSource({ path: input })
        yield* ack(source, (yield* readAll(source)).at(-1))
      }))
      yield* write(input, lines.with(4999, "XXXX\n").join(""))
      assert.include(yield* refusal(jsonlSource({ path: input })), "the file was replaced or edited")
    }))

  it.live("behind a last line without a line break needs the line break to come first", () =>
    Effect.gen(function*() {
      for (const lineBreak of ["\n", "\r\n"]) {
        const input = yield* fileOf("1\n2")
        const readOn = Effect.scoped(Effect.gen(function*() {
          const source = yield* jsonlSource({ path: input })
          const deliveries = yield* readAll(source)
          yield* ack(source, deliveries.at(-1))
          return ids(deliveries)
        }))
        assert.deepStrictEqual(yield* readOn, ["in.jsonl:1", "in.jsonl:2"])
        assert.deepStrictEqual(yield* readOn, [])
        yield* append(input, `${lineBreak}3\n`)
        assert.deepStrictEqual(yield* readOn, ["in.jsonl:3"])
      }
      const input = yield* fileOf("1\n2")
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* jsonlSource({ path: input })
        yield* ack(source, (yield* readAll(source)).at(-1))
      }))
      yield* append(input, "3\n")
      const source = yield* jsonlSource({ path: input })
      const error = yield* Effect.flip(source.fetch({ max: 1, wait }))
      assert.include(error._tag === "FetchError" ? error.reason.message : "", "line 2 of")
    }))

  it.live("has one reader at a time", () =>
    Effect.gen(function*() {
      const path = yield* file
      yield* jsonlSource({ path })
      assert.include(
        yield* refusal(jsonlSource({ path })),
        `InvalidRequest: locking "${path}.offset": a file has one reader at a time. "${path}.offset" is`
      )
      yield* jsonlSource({ path, offset: false })
    }))

  it.live("is not stored when the disk refuses it, and the error names what was to be settled", () =>
    Effect.gen(function*() {
      const input = yield* file
      const sidecar = path.join(path.dirname(input), "positions", "in.offset")
      yield* Effect.promise(() => fs.mkdir(path.dirname(sidecar)))
      const source = yield* jsonlSource({ path: input, offset: sidecar })
      const deliveries = yield* readAll(source)
      yield* Effect.promise(() => fs.rm(path.dirname(sidecar), { recursive: true }))
      const error = yield* Effect.flip(source.settle(
        deliveries.slice(0, 3).map((delivery, index) =>
          Disposition.settlement(delivery, index === 1 ? Disposition.release : Disposition.ack)
        )
      ))
      assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason._tag]), [
        [0, "NotFound"],
        [2, "NotFound"]
      ])
      yield* Effect.promise(() => fs.mkdir(path.dirname(sidecar)))
      yield* ack(source, deliveries[2])
      assert.include(yield* readText(sidecar), "\"offset\":6")
    }))
})

describe("settling a file", () => {
  it.live("hands over again what was released, first and in order", () =>
    Effect.gen(function*() {
      const source = yield* jsonlSource({ path: yield* fileOf("1\n2\n3\n4\n") })
      const [first, second, third] = yield* fetch(source, 3)
      for (const delivery of [third, second]) {
        yield* source.settle(delivery === undefined ? [] : [Disposition.settlement(delivery, Disposition.release)])
      }
      yield* ack(source, first)
      assert.deepStrictEqual(payloads(yield* readAll(source)), [2, 3, 4])
    }))

  it.live("stores the furthest position of a batch, and never goes back", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("1\n2\n3\n4\n")
      const source = yield* jsonlSource({ path: file })
      const deliveries = yield* readAll(source)
      const settle = (...indices: ReadonlyArray<number>) =>
        source.settle(indices.flatMap((index) =>
          deliveries.slice(index, index + 1).map((delivery) => Disposition.settlement(delivery, Disposition.ack))
        ))
      yield* settle(0, 2, 1)
      assert.include(yield* readText(`${file}.offset`), "\"offset\":6")
      yield* settle(1)
      assert.include(yield* readText(`${file}.offset`), "\"offset\":6")
    }))

  it.live("refuses what a position cannot express, foreign receipts and those of a closed connector", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("1\n2\n")
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(jsonlSource({ path: file }), scope)
      const [first, second] = yield* fetch(source)
      if (first === undefined || second === undefined) return assert.fail("nothing came")
      const failures = (settlements: ReadonlyArray<Disposition.Settlement>) =>
        Effect.map(
          Effect.flip(source.settle(settlements)),
          ({ failed }) => failed?.map(({ index, reason }) => [index, reason._tag])
        )
      assert.deepStrictEqual(
        yield* failures([
          Disposition.settlement(first, Disposition.requeue()),
          Disposition.settlement(second, Disposition.deadLetter("no")),
          Disposition.settlement({ ...first, receipt: "foreign" }, Disposition.ack)
        ]),
        [[0, "Unsupported"], [1, "Unsupported"], [2, "InvalidRequest"]]
      )
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* failures([Disposition.settlement(first, Disposition.ack)]), [[0, "LeaseLost"]])
      const error: ConnectorError.FetchError | { readonly _tag: "Done" } = yield* Effect.flip(
        source.fetch({ max: 1, wait })
      )
      assert.strictEqual(error._tag, "FetchError")
    }))
})

describe("several fetches of one file", () => {
  const count = 400
  const file = fileOf(Array.from({ length: count }, (_, n) => `${n}\n`).join(""))
  const expected = Array.from({ length: count }, (_, n) => n)

  it.live("at once share its lines without loss", () =>
    Effect.gen(function*() {
      const source = yield* jsonlSource({ path: yield* file, chunk: 5 })
      const seen: Array<Delivery.Delivery> = []
      const reader = Effect.gen(function*() {
        for (;;) {
          const deliveries = yield* fetch(source, 2)
          if (deliveries.length === 0) return
          seen.push(...deliveries)
        }
      })
      yield* Effect.all([reader, reader, reader, reader], { concurrency: "unbounded" })
      assert.deepStrictEqual(payloads(seen).toSorted((left, right) => Number(left) - Number(right)), expected)
    }))

  it.live("interrupted while they read lose nothing and hand over nothing twice", () =>
    Effect.gen(function*() {
      const source = yield* jsonlSource({ path: yield* file, chunk: 5 })
      const seen: Array<Delivery.Delivery> = []
      for (let round = 0; seen.length < count; round++) {
        const fiber = yield* Effect.forkChild(fetch(source, 3))
        for (let turn = 0; turn < round % 4; turn++) yield* Effect.yieldNow
        if (round % 2 === 0) yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        if (Exit.isSuccess(exit)) seen.push(...exit.value)
      }
      assert.deepStrictEqual(payloads(seen), expected)
    }))
})

describe("following a file", () => {
  it.live("ends with nothing at once when the connector closes, however rarely it looks", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(
        jsonlSource({ path: yield* fileOf(""), follow: true, poll: "1 hour" }),
        scope
      )
      const waiting = yield* Effect.forkChild(source.fetch({ max: 1, wait: Duration.hours(1) }))
      yield* Effect.sleep(10)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Effect.timeout(Fiber.join(waiting), "5 seconds"), [])
    }))

  it.live("delivers a line once its line break is there", () =>
    Effect.gen(function*() {
      const file = yield* fileOf("1\n2")
      const source = yield* jsonlSource({ path: file, follow: true, poll: "5 millis" })
      assert.deepStrictEqual(payloads(yield* fetch(source)), [1])
      assert.deepStrictEqual(yield* fetch(source), [])
      const waiting = yield* Effect.forkChild(source.fetch({ max: 10, wait: Duration.seconds(20) }))
      yield* append(file, "3\n")
      assert.deepStrictEqual(payloads(yield* Fiber.join(waiting)), [23])
    }))

  it.live("fails when the file is cut, replaced or removed", () =>
    Effect.gen(function*() {
      const failureAfter = Effect.fnUntraced(function*(change: (file: string) => Promise<void>) {
        const file = yield* fileOf("1\n")
        const source = yield* jsonlSource({ path: file, follow: true, poll: "5 millis" })
        yield* fetch(source)
        yield* Effect.promise(() => change(file))
        const error = yield* Effect.flip(source.fetch({ max: 10, wait: Duration.seconds(20) }))
        return error._tag === "FetchError" ? error.reason._tag : error._tag
      })
      assert.strictEqual(yield* failureAfter((file) => fs.truncate(file, 0)), "InvalidRequest")
      assert.strictEqual(yield* failureAfter((file) => fs.rm(file)), "NotFound")
      const replaced = yield* failureAfter(async (file) => {
        await fs.writeFile(`${file}.new`, "1\n2\n")
        await fs.rename(`${file}.new`, file)
      })
      assert.strictEqual(replaced, "InvalidRequest")
    }))
})

describe("Jsonl.source", () => {
  const build = (path: string, options: Partial<Jsonl.SourceOptions> = {}) =>
    Effect.scoped(Effect.map(Layer.build(Jsonl.source(Values, { path, ...options })), Context.get(Values)))

  it.live("fails to build for a file that cannot be read, and for options that make no sense", () =>
    Effect.gen(function*() {
      const there = yield* fileOf("")
      const why = (path: string, options?: Partial<Jsonl.SourceOptions>) =>
        Effect.map(Effect.flip(build(path, options)), ({ reason }) => `${reason._tag}: ${reason.message}`)
      const missing = path.join(yield* folder, "missing.jsonl")
      assert.strictEqual(yield* why(missing), `NotFound: reading "${missing}": it does not exist (ENOENT)`)
      assert.include(yield* why(`${missing}/in/it`), `NotFound: reading "${missing}/in/it": it does not exist`)
      assert.strictEqual(yield* why(path.dirname(there)), `InvalidRequest: "${path.dirname(there)}" is a directory`)
      assert.include(yield* why("/dev/null", { offset: false }), "is no regular file")
      assert.include(yield* why(""), "the path is empty")
      assert.include(yield* why(there, { offset: "" }), "the path of the sidecar is empty")
      assert.include(yield* why(there, { offset: there }), "the same path")
      assert.include(
        yield* why(there, { offset: `${missing}/offset` }),
        `NotFound: locking "${missing}/offset": it does not exist`
      )
      assert.include(yield* why(there, { maxLine: 0.5 }), "maxLine must be a whole number of bytes above 0, got 0.5")
      assert.include(yield* why(there, { poll: 0 }), "poll must be above 0 and finite")
      assert.include(yield* why(there, { envelope: true, id: "n" }), "leave out the option id")
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.dirname(there))), ["in.jsonl"])
    }))

  it.live("feeds a task; bad lines become dead letters, and a second run finds nothing left", () =>
    Effect.gen(function*() {
      const path = yield* fileOf("{\"n\":1}\n{\"n\":\n{\"n\":\"x\"}\n{\"n\":4}\n")
      const task = Task.consumer("sum", Values, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.deadLetter(Dead),
        Task.policy({ loop: { concurrency: 3 } })
      )
      const run = Effect.gen(function*() {
        const summary = yield* Task.run(task)
        const letters = yield* Memory.letters(Dead)
        return { succeeded: summary.succeeded, letters: letters.map(({ payload, reason }) => [payload, reason]) }
      }).pipe(Effect.provide([Jsonl.source(Values, { path }), Memory.deadLetters(Dead)]))
      const first = yield* run
      assert.strictEqual(first.succeeded, 2)
      assert.strictEqual(first.letters.length, 2)
      const broken = first.letters.find(([payload]) => payload === "{\"n\":")
      assert.include(String(broken?.[1]), `${path}:2: not JSON: Unexpected end of JSON input`)
      assert.deepStrictEqual(yield* run, { succeeded: 0, letters: [] })
    }))
})
