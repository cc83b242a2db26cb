import { type Delivery, Disposition, type Transaction } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Predicate, Schema } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { row } from "../sink/csv.ts"
import { capabilities } from "./connect.ts"
import { csvSource, jsonlSource } from "./formats.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-source-laws-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const append = (file: string, text: string | Uint8Array) => Effect.promise(() => fs.appendFile(file, text))

const lawId = (payload: unknown): string => `law-${Predicate.hasProperty(payload, "n") ? String(payload.n) : "?"}`

const follow = { follow: true, poll: "20 millis" } as const

const harness = (
  name: string,
  open: (path: string) => ReturnType<typeof jsonlSource>,
  header: string,
  line: (transaction: Transaction.Transaction<unknown>) => string,
  rest: Partial<Harness.Source>
) =>
  Conformance.source({
    name,
    time: "live",
    quiet: "50 millis",
    capabilities,
    operations: [],
    can: [],
    storage: Effect.gen(function*() {
      const file = path.join(yield* folder, "in")
      yield* append(file, header)
      return { open: open(file), enqueue: (sent) => append(file, sent.map(line).join("")) }
    }),
    ...rest
  })

const oneReader = "a file has one position, so one reader at a time: its sidecar is locked"

const payloadAlone = {
  "two connectors share no delivery": oneReader,
  "metadata survives the round trip": "a line is the payload; metadata names the file, the line and the byte",
  "the trace context survives the round trip":
    "a line is the payload: with `envelope: true` it carries the trace context"
} as const

const rowAlone = { ...payloadAlone, "the trace context survives the round trip": "a row has no place for it" } as const

const jsonl = harness(
  "Jsonl.source",
  (path) => jsonlSource({ path, id: lawId, ...follow }),
  "",
  ({ payload }) => `${JSON.stringify(payload)}\n`,
  { without: payloadAlone }
)

const envelope = harness(
  "Jsonl.source of envelopes",
  (path) => jsonlSource({ path, envelope: true, ...follow }),
  "",
  ({ id, metadata, payload }) => `${JSON.stringify({ id, payload, metadata })}\n`,
  { without: { "two connectors share no delivery": oneReader } }
)

const text = " \"quoted\", ünïcödé \u{1f980}\r\nline\nbreak\t"

const csv = harness(
  "Csv.source",
  (path) => csvSource({ path, id: lawId, chunk: 16, ...follow }),
  "n,text,empty\r\n",
  ({ payload }) => row(Object.values(payload ?? {}), "\r\n"),
  { payload: (n) => ({ n: `${n}`, text, empty: "" }), without: rowAlone }
)

const positions = "the source commits positions: it is told only that everything up to one is done"
const ours = "a delivery is ours for as long as the connector lives"
const uncut = `${ours}, and the harness cannot cut its connection`

const unread = "the source's dead letters cannot be read"
const inapplicable = {
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch",
  "the order of each key is kept": "the source keeps one order for all",
  "a requeued delivery comes back": positions,
  "a requeue delay is respected": positions,
  "a dead letter is kept with its reason and never comes back": positions,
  "a released delivery comes back untouched": positions,
  "an old receipt settles nothing": positions,
  "each of a batch is settled by its own disposition": positions,
  "an expired lease is delivered again": ours,
  "an extended lease keeps its delivery": ours,
  "extending names the lost leases": ours,
  "settling what was lost fails with LeaseLost for exactly that": uncut,
  "a lost delivery is no longer held": "the source has no isHeld",
  "a cut connection heals by itself and is consumed from": "the harness cannot cut the connection",
  "resolving claims one transaction by its id": "the source has no resolve",
  "resolving an unknown id fails with NotFound": "the source has no resolve",
  "the count is truthful": "the source has no count",
  "letters are listed oldest first, as they were given up": unread,
  "pages of letters miss none while others come and go": unread,
  "letters are found by the id of their transaction": unread,
  "a removed letter is gone, and no other": unread,
  "what is put back is delivered again with a count of 0": unread,
  "putting back twice changes nothing": unread,
  "what is taken back is delivered again with a count of 0": "the source takes nothing back",
  "taking back twice changes nothing": "the source takes nothing back",
  "no secret shows in an error, a log or a span": "the harness has no secrets"
}

for (
  const [name, laws, excused] of [
    ["Jsonl.source", jsonl, payloadAlone],
    ["Jsonl.source of envelopes", envelope, { "two connectors share no delivery": oneReader }],
    ["Csv.source", csv, rowAlone]
  ] as const
) {
  describe(name, () => {
    it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)

    it("is excused from no more than this", () => {
      process.stdout.write(`${Conformance.formatExcused(name, laws)}\n`)
      assert.deepStrictEqual(Conformance.excused(laws), { ...inapplicable, ...excused })
    })
  })
}

const wait = Duration.zero

/** Reads on for at most `count` deliveries, `max` at a time, and acknowledges the last one. */
const read = (open: ReturnType<typeof jsonlSource>, count: number, max: number) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* open
    const seen: Array<Delivery.Delivery> = []
    const none: ReadonlyArray<Delivery.Delivery> = []
    const fetch = (max: number) => Effect.catchTag(source.fetch({ max, wait }), "Done", () => Effect.succeed(none))
    while (seen.length < count) {
      const deliveries = yield* fetch(Math.min(max, count - seen.length))
      if (deliveries.length === 0) break
      seen.push(...deliveries)
    }
    const last = seen.at(-1)
    if (last !== undefined) yield* source.settle([Disposition.settlement(last, Disposition.ack)])
    return seen
  }))

const Small = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))

const Cell = Schema.Array(Schema.Literals(["\"", ",", "\r", "\n", "a", "\u00fc", "\u{1f980}"])).check(
  Schema.isMaxLength(6)
)
const Table = Schema.Array(Schema.Tuple([Cell, Cell])).check(Schema.isMaxLength(6))

describe("what is written", () => {
  it.live.prop(
    "as JSONL reads back equal, in two parts, with bad lines between",
    [Schema.Array(Schema.Json), Small, Small, Small, Schema.Boolean],
    ([values, chunk, max, stop, broken]) =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, "in.jsonl")
        const bad = "{\"a\": \"\u00fc\n"
        yield* append(file, values.map((value) => `${JSON.stringify(value)}\r\n${broken ? bad : "\n"}`).join(""))
        const open = jsonlSource({ path: file, chunk })
        const first = yield* read(open, stop, max)
        const second = yield* read(open, 1000, max)
        const all = [...first, ...second]
        const good = all.filter(({ malformed }) => malformed === undefined)
        assert.deepStrictEqual(
          good.map(({ transaction }) => transaction.payload),
          values.map((value): unknown => JSON.parse(JSON.stringify(value)))
        )
        assert.strictEqual(first.length, Math.min(stop, values.length * (broken ? 2 : 1)))
        assert.strictEqual(all.length - good.length, broken ? values.length : 0)
        assert.deepStrictEqual(
          all.map(({ transaction }) => transaction.id),
          all.map((_, index) => `in.jsonl:${broken ? index + 1 : 2 * index + 1}`)
        )
      }),
    { arbitrary: { runs: 30, size: 30 } }
  )

  it.live.prop(
    "as CSV reads back equal, in two parts, with bad records between",
    [Table, Small, Small, Small, Schema.Boolean],
    ([table, chunk, max, stop, broken]) =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, "in.csv")
        const rows = table.map(([a, b]) => ({ a: a.join(""), "b c": b.join("") }))
        yield* append(file, row(["a", "b c"], "\r\n"))
        yield* append(file, rows.map(({ a, "b c": b }) => row([a, b], "\n") + (broken ? "1,2,\"3\n\"\n" : "")).join(""))
        const open = csvSource({ path: file, chunk })
        const first = yield* read(open, stop, max)
        const all = [...first, ...yield* read(open, 1000, max)]
        const good = all.filter(({ malformed }) => malformed === undefined)
        assert.deepStrictEqual(good.map(({ transaction }) => transaction.payload), rows)
        assert.strictEqual(first.length, Math.min(stop, rows.length * (broken ? 2 : 1)))
        assert.strictEqual(all.length - good.length, broken ? rows.length : 0)
      }),
    { arbitrary: { runs: 30, size: 30 } }
  )

  it.live.prop(
    "in pieces to a followed file is read as it grows, each record once",
    [Table, Schema.Array(Small).check(Schema.isMinLength(1)), Small],
    ([table, pieces, chunk]) =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, "in.csv")
        const rows = table.map(([a, b]) => ({ a: a.join(""), b: b.join("") }))
        const content = Buffer.from(`a,b\n${rows.map(({ a, b }) => row([a, b], "\r\n")).join("")}`)
        yield* append(file, "")
        const source = yield* csvSource({ path: file, chunk, follow: true })
        const seen: Array<unknown> = []
        for (let at = 0, piece = 0; at < content.length; piece++) {
          const length = pieces[piece % pieces.length] ?? 1
          yield* append(file, content.subarray(at, at + length))
          at += length
          for (;;) {
            const deliveries = yield* source.fetch({ max: 3, wait })
            if (deliveries.length === 0) break
            seen.push(...deliveries.map(({ transaction }) => transaction.payload))
          }
        }
        assert.deepStrictEqual(seen, rows)
      }),
    { arbitrary: { runs: 30, size: 30 } }
  )
})
