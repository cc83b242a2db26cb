import { Connector, DeadLetter, Disposition, Memory, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { filename, idOf, inMemory, item, Items, open } from "./test/queues.ts"
import { Sql, Sqlite } from "./index.ts"

class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}

class NoStock extends Data.TaggedError("NoStock")<{ readonly message: string }> {}

const bury = (queue: Effect.Success<ReturnType<typeof inMemory>>, id: string) =>
  Effect.flatMap(
    queue.source.resolve!(id),
    (delivery) => queue.settle(delivery, Disposition.deadLetter(`gave up ${id}`))
  )

describe("dead letters", () => {
  it.effect("keep what the engine knows of the failure", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 0, 2))
      const metadata = { tenant: "north", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }
      const queue = yield* Orders
      yield* queue.sink.dispatch([
        Transaction.make("half", { quantity: 0.5 }, metadata),
        Transaction.make("fails", { quantity: 2 })
      ])
      const summary = yield* Task.run(
        Task.consumer("ship", Orders, () => Effect.fail(new NoStock({ message: "no stock" })))
      )
      assert.strictEqual(summary.failed, 2)
      const letters = yield* Sql.letters(Orders)
      const [half, fails] = ["half", "fails"].map((id) => letters.find((letter) => letter.id === id)!)
      assert.instanceOf(half, DeadLetter.DeadLetter)
      assert.deepInclude(half, { payload: { quantity: 0.5 }, metadata, step: "decode", category: "invalid" })
      assert.deepInclude(fails, {
        payload: { quantity: 2 },
        step: "process",
        category: "business",
        error: { tag: "NoStock", message: "no stock" },
        attempts: 1,
        deliveries: 0,
        task: "ship",
        source: "orders",
        failedAt: "2026-01-02T00:00:00.000Z"
      })
      assert.include(fails?.reason, "no stock")
      assert.deepStrictEqual(yield* Connector.count(Orders), { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.provide(Sql.queue(Orders).pipe(Layer.provide(Sqlite.layer({ filename: ":memory:" }))))))

  it.effect("without an envelope say what the row says", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"))
      yield* queue.settle(yield* queue.one, Disposition.requeue())
      yield* bury(queue, "1")
      const [letter] = yield* Sql.letters(Items).pipe(Effect.provide(queue.context))
      assert.deepInclude(letter, { id: "1", reason: "gave up 1", deliveries: 1, source: "items" })
      assert.deepStrictEqual(letter?.payload, { id: "1" })
    }))

  it.effect("come oldest first, at most `limit`", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"), item("2"), item("3"))
      for (const id of ["3", "1", "2"]) {
        yield* bury(queue, id)
        yield* TestClock.adjust(1)
      }
      const letters = yield* Sql.letters(Items, { limit: 2 }).pipe(Effect.provide(queue.context))
      assert.deepStrictEqual(letters.map(({ id }) => id), ["3", "1"])
    }))

  it.effect("that somebody made by hand, without anything, are readable too", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(Transaction.make("1", 7, { tenant: "north" }), item("2"))
      yield* queue.sql`UPDATE items SET state = 'dead'`
      yield* queue.sql`UPDATE items SET payload = NULL, metadata = '[' WHERE id = '2'`
      const letters = yield* Sql.letters(Items).pipe(Effect.provide(queue.context))
      assert.deepStrictEqual(letters.map(({ metadata, payload }) => [payload, metadata]), [[7, { tenant: "north" }], [
        null,
        {}
      ]])
    }))

  it.effect("of a source that is no Sql.queue are a defect that says so", () =>
    Effect.gen(function*() {
      const defect = yield* Sql.letters(Orders).pipe(
        Effect.provide(Memory.queue(Orders)),
        Effect.catchDefect(Effect.succeed)
      )
      assert.include(String(defect), `"orders" is not a queue of Sql.queue`)
    }))
})

describe("redrive", () => {
  const redrive = (
    queue: Effect.Success<ReturnType<typeof inMemory>>,
    which: { readonly ids: ReadonlyArray<string> } | { readonly limit: number }
  ) => Sql.redrive(Items, which).pipe(Effect.provide(queue.context))

  it.effect("puts back those with these ids, with a count of 0, and answers with how many there were", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"), item("2"), item("3"))
      yield* queue.settle(yield* queue.one, Disposition.requeue())
      yield* bury(queue, "1")
      yield* bury(queue, "2")
      assert.strictEqual(yield* redrive(queue, { ids: ["1", "3", "unknown"] }), 1)
      const back = yield* queue.source.resolve!("1")
      assert.strictEqual(back.deliveries, 0)
      assert.deepStrictEqual(back.transaction.payload, { id: "1" })
      const [row] = yield* queue.sql`SELECT reason, letter FROM items WHERE id = '1'`
      assert.deepStrictEqual({ ...row }, { reason: null, letter: null })
      const letters = yield* Sql.letters(Items).pipe(Effect.provide(queue.context))
      assert.deepStrictEqual(letters.map(({ id }) => id), ["2"])
    }))

  it.effect("puts back the oldest, behind what waits", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"), item("2"), item("3"))
      for (const id of ["3", "1", "2"]) {
        yield* bury(queue, id)
        yield* TestClock.adjust(1)
      }
      yield* queue.send(item("4"))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* redrive(queue, { limit: 2 }), 2)
      assert.deepStrictEqual(yield* queue.ids(9), ["4", "1", "3"])
    }))

  it.effect("keeps the order of a key: behind what is in flight, one at a time, the earlier first", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queue = yield* open(file, { key: () => "k" })
      yield* queue.send(item("1"), item("2"), item("3"))
      yield* queue.settle(yield* queue.one, Disposition.deadLetter("no stock"))
      yield* queue.settle(yield* queue.one, Disposition.deadLetter("no stock"))
      const third = yield* queue.one
      assert.strictEqual(idOf(third), "3")
      assert.strictEqual(yield* redrive(queue, { limit: 9 }), 2)
      assert.deepStrictEqual(yield* queue.ids(9), [])
      yield* queue.settle(third, Disposition.requeue())
      for (const id of ["3", "1", "2"]) {
        const deliveries = yield* queue.fetch(9)
        assert.deepStrictEqual(deliveries.map(idOf), [id])
        yield* queue.settle(deliveries[0]!, Disposition.ack)
      }
    }))
})
