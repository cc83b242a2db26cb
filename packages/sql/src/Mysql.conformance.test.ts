import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { admin, database, server, tableOf } from "./test/mariadb.ts"
import { Mysql, Sql } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
class Rows extends Connector.Sink<Rows>()("rows", Schema.Unknown) {}

const lease = Duration.seconds(1)
const secret = "hush-hush-hush"

const queue = (options: Sql.QueueOptions): Harness.Queue => ({
  name: "Sql.queue on MariaDB",
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
    Layer.build(Mysql.layer({ ...server, username: "nobody", password: Redacted.make(secret) })),
    Layer.build(Mysql.layer({ ...server, url: Redacted.make(`mysql://nobody:${secret}@127.0.0.1:1/test`), port: 1 }))
  ],
  // Connections of its own for each connector: what two processes see.
  storage: Effect.gen(function*() {
    const table = yield* tableOf("items")
    const { cut, layer } = yield* database
    return {
      open: Effect.map(
        Layer.build(
          Layer.fresh(Sql.queue(Items, { ...options, table, lease }).pipe(Layer.provide(Layer.fresh(layer))))
        ),
        (context) => Context.get(context, Items)
      ),
      buried: Effect.scoped(
        Effect.flatMap(
          admin,
          ({ sql }) => sql<{ id: string; reason: string }>`SELECT id, reason FROM ${sql(table)} WHERE state = 'dead'`
        )
      ),
      cut,
      refused: (n: number) => ({ id: `refused-${n}-${"x".repeat(600)}`, payload: { refused: n }, metadata: {} })
    }
  })
})

const table: Harness.Sink = {
  name: "Sql.table on MariaDB",
  time: "live",
  can: ["cut"],
  without: {
    "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
    "the dispatched trace context arrives": "a row holds the payload"
  },
  storage: Effect.gen(function*() {
    const table = yield* tableOf("rows")
    const { cut, layer } = yield* database
    return {
      open: Effect.map(
        Layer.build(Layer.fresh(Sql.table(Rows, { table }).pipe(Layer.provide(Layer.fresh(layer))))),
        (context) => Context.get(context, Rows).sink
      ),
      cut,
      received: Effect.scoped(Effect.gen(function*() {
        const { sql } = yield* admin
        const rows = yield* sql<{ id: string; payload: string }>`SELECT id, payload FROM ${sql(table)}`
        return rows.map(({ id, payload }) => ({ id, payload: JSON.parse(payload), metadata: {} }))
      }))
    }
  })
}

const deadLetters: Harness.DeadLetters = {
  name: "Sql.deadLetters on MariaDB",
  time: "live",
  storage: Effect.map(Effect.zip(tableOf("dead"), database), ([table, { layer }]) => ({
    open: Effect.map(
      Layer.build(Layer.fresh(Sql.deadLetters(Dead, { table }).pipe(Layer.provide(Layer.fresh(layer))))),
      (context) => Context.get(context, Dead).deadLetters
    )
  }))
}

const notApplicable = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch"
}

await Services.describe([Services.mariadb], "on MariaDB", () => {
  describe.concurrent("a queue", () => {
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
  describe.concurrent("a queue ordered by key", () => {
    const laws = Conformance.queue(queue({ key: ({ id }) => id.slice(0, 500) }))
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
