/** The conformance suite on a database: a queue, one that is ordered by key, a table, and a table of dead letters. */
import { Connector, type Transaction } from "@ergon/core"
import { Conformance, type Harness, type Law } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, type Duration, Effect, Layer, Schema, type Scope } from "effect"
import { type Database, Sql } from "../index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
class Rows extends Connector.Sink<Rows>()("rows", Schema.Unknown) {}

/**
 * - `layer`: what the connectors use. Each of them gets one of its own, as two processes have.
 * - `admin`: a look at the same, which no test cuts.
 * - `table`: the name of the table for what is called so.
 */
export interface Opened {
  readonly layer: Layer.Layer<Database.Database, unknown>
  readonly admin: Effect.Effect<Database.Database["Service"], unknown, Scope.Scope>
  readonly table: (name: string) => string
  readonly cut?: Effect.Effect<void> | undefined
}

/** `open`: an empty database, or tables that nobody else has, until the scope ends. */
export interface Place extends Pick<Harness.Queue, "time" | "secrets" | "failures"> {
  readonly open: Effect.Effect<Opened, unknown, Scope.Scope>
  readonly lease: Duration.Duration
  readonly refused: (n: number) => Transaction.Transaction<unknown>
  readonly keyOf: (transaction: Transaction.Transaction<unknown>) => string
  readonly canCut: boolean
  /** Whether laws may run side by side. */
  readonly sideBySide: boolean
}

const built = <I, S, E>(
  key: Context.Key<I, S>,
  layer: Layer.Layer<I, E, Database.Database>,
  { layer: database }: Opened
) =>
  Effect.map(
    Layer.build(Layer.fresh(Layer.provide(layer, Layer.fresh(database)))),
    (context) => Context.get(context, key)
  )

const rowsOnly = {
  "dispatched metadata arrives": "a row holds the payload; what else it should hold belongs into the payload",
  "the dispatched trace context arrives": "a row holds the payload"
}

const queue = (place: Place, key: Sql.QueueOptions["key"]): Harness.Queue => ({
  name: "Sql.queue",
  time: place.time,
  capabilities: {
    settlement: "each",
    lease: { duration: place.lease, extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: key === undefined ? "none" : "byKey"
  },
  operations: ["count", "resolve", "isHeld", "letters", "putBack", "takeBack"],
  can: ["buried", "refused", ...place.canCut ? ["cut"] as const : []],
  secrets: place.secrets,
  failures: place.failures,
  storage: Effect.map(place.open, (opened) => {
    const table = opened.table("items")
    return {
      open: built(Items, Sql.queue(Items, { key, table, lease: place.lease }), opened),
      buried: Effect.scoped(
        Effect.flatMap(
          opened.admin,
          ({ sql }) => sql<{ id: string; reason: string }>`SELECT id, reason FROM ${sql(table)} WHERE state = 'dead'`
        )
      ),
      cut: opened.cut,
      refused: place.refused
    }
  })
})

const table = (place: Place): Harness.Sink => ({
  name: "Sql.table",
  time: place.time,
  can: place.canCut ? ["cut"] : [],
  without: rowsOnly,
  storage: Effect.map(place.open, (opened) => {
    const table = opened.table("rows")
    return {
      open: Effect.map(built(Rows, Sql.table(Rows, { table }), opened), ({ sink }) => sink),
      cut: opened.cut,
      received: Effect.scoped(Effect.gen(function*() {
        const { sql } = yield* opened.admin
        const rows = yield* sql<{ id: string; payload: string }>`SELECT id, payload FROM ${sql(table)}`
        return rows.map(({ id, payload }) => ({ id, payload: JSON.parse(payload), metadata: {} }))
      }))
    }
  })
})

const deadLetters = (place: Place): Harness.DeadLetters => ({
  name: "Sql.deadLetters",
  time: place.time,
  storage: Effect.map(place.open, (opened) => ({
    open: Effect.map(
      built(Dead, Sql.deadLetters(Dead, { table: opened.table("dead") }), opened),
      ({ deadLetters }) => deadLetters
    )
  }))
})

type Excused = Readonly<Record<string, string>>

const notOfQueues: Excused = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "the order is kept": "the source keeps no order",
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch"
}

const unsecret: Excused = { "no secret shows in an error, a log or a span": "the harness has no secrets" }

const notOfTables: Excused = {
  ...rowsOnly,
  ...unsecret,
  "a batch that fails in part names the ones that failed":
    "the harness cannot make a transaction that the target refuses"
}

const uncut = (place: Place, law: string): Excused =>
  place.canCut ? {} : { [`a cut connection heals by itself and is ${law}`]: "the harness cannot cut the connection" }

/** Registers everything; call it inside of a `describe`. */
export const conformance = (place: Place): void => {
  const group = place.sideBySide ? describe.concurrent : describe
  const suite = (name: string, laws: ReadonlyArray<Law.Law>, excused: Excused) =>
    group(name, () => {
      it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
      it("is excused from what it has not", ({ task }) => {
        process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
        assert.deepStrictEqual(Conformance.excused(laws), excused)
      })
    })
  const ofQueues: Excused = {
    ...notOfQueues,
    ...uncut(place, "consumed from"),
    ...uncut(place, "dispatched to"),
    ...place.secrets === undefined ? unsecret : {}
  }
  suite("a queue", Conformance.queue(queue(place, undefined)), {
    ...ofQueues,
    "the order of each key is kept": "the source keeps no order"
  })
  // Every transaction has a key of its own: of one key, one is handed over at a time, and the laws want several.
  suite("a queue ordered by key", Conformance.queue(queue(place, place.keyOf)), {
    ...ofQueues,
    "the order is kept": "the source keeps an order for each key only"
  })
  suite("a table", Conformance.sink(table(place)), { ...notOfTables, ...uncut(place, "dispatched to") })
  group("a table of dead letters", () => {
    it.live.each(Conformance.deadLetters(deadLetters(place)))("$name", ({ check }) => check)
  })
}
