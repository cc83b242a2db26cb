import { Connector, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Database, Sql, Sqlite } from "./index.ts"

class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ total: Schema.Int })) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.Int })) {}
class Copies extends Connector.Sink<Copies>()("copies", Schema.Struct({ total: Schema.Int })) {}

/** A table that somebody has made, with a rule; `written` says how the order of each row stood when it was written. */
const tables = Layer.effectDiscard(Effect.gen(function*() {
  const { sql } = yield* Database.Database
  yield* sql`CREATE TABLE receipts (id TEXT PRIMARY KEY, total INTEGER CHECK (total < 100))`
  yield* sql`CREATE TABLE written (id TEXT, state TEXT)`
  yield* sql`CREATE TRIGGER receipt_written AFTER INSERT ON receipts BEGIN
    INSERT INTO written SELECT NEW.id, state FROM orders WHERE id = NEW.id; END`
}))

const layer = Layer.mergeAll(Sql.queue(Orders), Sql.table(Receipts), Sql.table(Copies)).pipe(
  Layer.provide(tables),
  Layer.provideMerge(Sqlite.layer({ filename: ":memory:" }))
)

const order = (id: string, total: number) => Transaction.make(id, { total })
const enqueue = (...orders: ReadonlyArray<ReturnType<typeof order>>) =>
  Effect.flatMap(Orders, ({ sink }) => sink.dispatch(orders))

const price = Task.consumer("price", Orders, (transaction) => Effect.succeed(transaction.payload))
const toReceipts = Task.dispatch(
  Receipts,
  (transaction: Transaction.Transaction<{ readonly total: number }>, result: { readonly total: number }) =>
    Transaction.make(transaction.id, result)
)
const concurrently = Task.policy({ loop: { concurrency: 16 } })

const rows = <A extends object>(text: string) =>
  Effect.flatMap(
    Database.Database,
    ({ sql }) => Effect.map(sql.unsafe<A>(text), (rows) => rows.map((row) => ({ ...row })))
  )
const written = rows<{ id: string; state: string }>("SELECT id, state FROM written ORDER BY id")
const counted = Connector.count(Orders)

describe("a queue and one table of one database", () => {
  it.live("are written in one transaction: the row stands where the order is done", () =>
    Effect.gen(function*() {
      const orders = Array.from({ length: 200 }, (_, n) => order(`${1000 + n}`, n % 100))
      yield* enqueue(...orders)
      const summary = yield* Task.run(price.pipe(toReceipts, concurrently))
      assert.strictEqual(summary.succeeded, 200)
      assert.deepStrictEqual(yield* written, orders.map(({ id }) => ({ id, state: "done" })))
    }).pipe(Effect.provide(layer)))

  it.live("a row that breaks a rule is given up alone, the others of its batch are written", () =>
    Effect.gen(function*() {
      const orders = Array.from({ length: 60 }, (_, n) => order(`${1000 + n}`, n % 20 === 7 ? 100 + n : n))
      yield* enqueue(...orders)
      const summary = yield* Task.run(price.pipe(toReceipts, concurrently))
      assert.deepInclude(summary, { succeeded: 57, failed: 3 })
      const good = orders.filter(({ payload }) => payload.total < 100)
      assert.deepStrictEqual(yield* written, good.map(({ id }) => ({ id, state: "done" })))
      const letters = yield* Sql.letters(Orders)
      assert.deepStrictEqual(letters.map(({ id }) => id).toSorted(), ["1007", "1027", "1047"])
      for (const letter of letters) {
        assert.strictEqual(letter.step, "dispatch")
        assert.include(letter.reason, "CHECK constraint failed")
      }
      assert.deepStrictEqual(yield* counted, { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.provide(layer)))

  it.live("a delivery that is no longer ours writes no row", () =>
    Effect.gen(function*() {
      const { sql } = yield* Database.Database
      yield* enqueue(order("1", 1), order("2", 2), order("3", 3))
      // Somebody else has claimed it since.
      const task = Task.consumer("price", Orders, (transaction) =>
        transaction.id === "2"
          ? Effect.as(Effect.orDie(sql`UPDATE orders SET claim = claim + 1 WHERE id = '2'`), transaction.payload)
          : Effect.succeed(transaction.payload)).pipe(toReceipts, concurrently)
      const summary = yield* Task.run(task)
      assert.deepInclude(summary, { succeeded: 2, redelivered: 1 })
      assert.deepStrictEqual(yield* written, [{ id: "1", state: "done" }, { id: "3", state: "done" }])
      assert.deepStrictEqual(yield* counted, { ready: 0, inFlight: 1, delayed: 0 })
    }).pipe(Effect.provide(layer)))

  it.live("no row at all is one transaction too, and several rows of one order are", () =>
    Effect.gen(function*() {
      yield* enqueue(order("1", 0), order("2", 3))
      const task = price.pipe(
        Task.dispatch(Receipts, (transaction) =>
          Array.from({ length: transaction.payload.total }, (_, n) =>
            Transaction.make(`${transaction.id}-${n}`, { total: n })))
      )
      assert.strictEqual((yield* Task.run(task)).succeeded, 2)
      assert.deepStrictEqual(yield* rows("SELECT id FROM receipts ORDER BY id"), [{ id: "2-0" }, { id: "2-1" }, {
        id: "2-2"
      }])
      assert.deepStrictEqual(yield* counted, { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.provide(layer)))
})

describe("there is no common transaction", () => {
  const atLeastOnce = (id: string) => [{ id, state: "leased" }]

  it.live("with a success step", () =>
    Effect.gen(function*() {
      yield* enqueue(order("1", 1))
      yield* Task.run(price.pipe(toReceipts, Task.onSuccess(() => Effect.void)))
      assert.deepStrictEqual(yield* written, atLeastOnce("1"))
    }).pipe(Effect.provide(layer)))

  it.live("with two sinks", () =>
    Effect.gen(function*() {
      yield* enqueue(order("1", 1))
      yield* Task.run(
        price.pipe(toReceipts, Task.dispatch(Copies, (transaction, result) => Transaction.make(transaction.id, result)))
      )
      assert.deepStrictEqual(yield* written, atLeastOnce("1"))
    }).pipe(Effect.provide(layer)))

  it.live("with two databases", () =>
    Effect.gen(function*() {
      yield* enqueue(order("1", 1))
      const elsewhere = Sql.table(Receipts).pipe(Layer.provide(Sqlite.layer({ filename: ":memory:" })), Layer.fresh)
      const summary = yield* Task.run(price.pipe(toReceipts, Task.provide(elsewhere)))
      assert.strictEqual(summary.succeeded, 1)
      assert.deepStrictEqual(yield* written, [])
      assert.deepStrictEqual(yield* counted, { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.provide(layer)))
})
