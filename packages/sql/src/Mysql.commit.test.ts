import { Connector, Task, Transaction } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { Database, Mysql, Sql } from "./index.ts"
import { databaseOf, server } from "./test/mariadb.ts"

const Item = Schema.Struct({ n: Schema.Int })
class Items extends Connector.Queue<Items>()("items", Item) {}
class Results extends Connector.Sink<Results>()("results", Item) {}

const total = 400

await Services.describe([Services.mariadb], "a queue and a table of one MariaDB", () => {
  const layers = Effect.map(
    databaseOf,
    (database) =>
      Layer.merge(Sql.queue(Items, { poll: "20 millis" }), Sql.table(Results)).pipe(
        Layer.provideMerge(Mysql.layer({ ...server, database }))
      )
  )
  const work = (concurrency: number) =>
    Task.consumer("work", Items, ({ payload }) => Effect.succeed(payload)).pipe(
      Task.dispatch(Results, ({ id }, result) => Transaction.make(id, result)),
      Task.policy({ loop: { concurrency } })
    )
  const counts = Effect.gen(function*() {
    const { sql } = yield* Database.Database
    const [row] = yield* sql<{ many: number; done: number }>`SELECT (SELECT COUNT(*) FROM results) AS many,
      (SELECT COUNT(*) FROM items WHERE state = 'done') AS done`
    return { ...row }
  })
  const prepare = Effect.gen(function*() {
    const { sql } = yield* Database.Database
    const { sink } = yield* Items
    yield* sql.unsafe("ALTER TABLE results ADD CONSTRAINT no_seven CHECK (n <> 7)")
    yield* sink.dispatch(Array.from({ length: total }, (_, n) => Transaction.make(`${n}`, { n })))
  })

  it.live("commit together: a row that is refused is given up alone", () =>
    Effect.gen(function*() {
      yield* prepare
      const summary = yield* Task.run(work(64))
      assert.deepInclude(summary, { succeeded: total - 1, failed: 1 })
      assert.deepStrictEqual(yield* counts, { many: total - 1, done: total - 1 })
      const [letter] = yield* Sql.letters(Items)
      assert.strictEqual(letter?.id, "7")
      assert.include(letter?.error.message, "no_seven")
    }).pipe((test) => Effect.flatMap(layers, (layers) => Effect.provide(test, layers)), Effect.scoped))

  it.live("never one without the other, whenever one looks", () =>
    Effect.gen(function*() {
      yield* prepare
      const running = yield* Effect.forkChild(Task.run(work(8)))
      let looks = 0
      while (running.pollUnsafe() === undefined) {
        const { done, many } = yield* counts
        assert.strictEqual(many, done)
        looks++
      }
      yield* Fiber.join(running)
      assert.isAbove(looks, 3)
    }).pipe((test) => Effect.flatMap(layers, (layers) => Effect.provide(test, layers)), Effect.scoped))
})
