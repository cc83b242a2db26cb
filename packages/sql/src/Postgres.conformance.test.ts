import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { database, server } from "./test/postgres.ts"
import { Postgres, Sql } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
class Rows extends Connector.Sink<Rows>()("rows", Schema.Unknown) {}

const lease = Duration.seconds(1)
const secret = "hush-hush-hush"

const queue = (options: Sql.QueueOptions): Harness.Queue => ({
  name: "Sql.queue on PostgreSQL",
  time: "live",
  capabilities: {
    settlement: "each",
    lease: { duration: lease, extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: options.key === undefined ? "none" : "byKey"
  },
  operations: ["count", "resolve", "isHeld", "letters", "putBack", "takeBack"],
  can: ["buried", "cut", "refused"],
  secrets: [secret],
  failures: [
    Layer.build(Postgres.layer({ ...server, username: "nobody", password: Redacted.make(secret) })),
    Layer.build(Postgres.layer({ url: Redacted.make(`postgres://nobody:${secret}@127.0.0.1:1/test`) })),
    Layer.build(Postgres.layer({ url: Redacted.make(`https://nobody:${secret}@127.0.0.1:1/test`) }))
  ],
  // Connections of its own for each connector: what two processes see.
  storage: Effect.gen(function*() {
    const { admin, cut, layer } = yield* database
    return {
      open: Effect.map(
        Layer.build(
          Layer.fresh(Sql.queue(Items, { ...options, lease }).pipe(Layer.provide(Layer.fresh(layer))))
        ),
        (context) => Context.get(context, Items)
      ),
      buried: Effect.scoped(
        Effect.flatMap(
          admin,
          ({ sql }) => sql<{ id: string; reason: string }>`SELECT id, reason FROM items WHERE state = 'dead'`
        )
      ),
      cut,
      refused: (n: number) => ({ id: `refused-\u0000-${n}`, payload: { refused: n }, metadata: {} })
    }
  })
})

const table: Harness.Sink = {
  name: "Sql.table on PostgreSQL",
  time: "live",
  can: ["cut"],
  without: {
    "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
    "the dispatched trace context arrives": "a row holds the payload"
  },
  storage: Effect.gen(function*() {
    const { admin, cut, layer } = yield* database
    return {
      open: Effect.map(
        Layer.build(Layer.fresh(Sql.table(Rows).pipe(Layer.provide(Layer.fresh(layer))))),
        (context) => Context.get(context, Rows).sink
      ),
      cut,
      received: Effect.scoped(Effect.gen(function*() {
        const { sql } = yield* admin
        const rows = yield* sql<{ id: string; payload: string }>`SELECT id, payload FROM rows`
        return rows.map(({ id, payload }) => ({ id, payload: JSON.parse(payload), metadata: {} }))
      }))
    }
  })
}

const deadLetters: Harness.DeadLetters = {
  name: "Sql.deadLetters on PostgreSQL",
  time: "live",
  storage: Effect.map(database, ({ layer }) => ({
    open: Effect.map(
      Layer.build(Layer.fresh(Sql.deadLetters(Dead).pipe(Layer.provide(Layer.fresh(layer))))),
      (context) => Context.get(context, Dead).deadLetters
    )
  }))
}

const notApplicable = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch"
}

await Services.describe([Services.postgres], "on PostgreSQL", () => {
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
        "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
        "no secret shows in an error, a log or a span": "the harness has no secrets",
        "the dispatched trace context arrives": "a row holds the payload"
      })
    })
  })

  describe("a table of dead letters", () => {
    it.live.each(Conformance.deadLetters(deadLetters))("$name", ({ check }) => check)
  })
})
