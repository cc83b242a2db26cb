import { Connector, Disposition, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import * as fs from "node:fs"
import { directory, filename, item, Items, open } from "./test/queues.ts"
import { start } from "./test/processes.ts"
import { Database, Sql, Sqlite } from "./index.ts"

const queueOf = (folder: string) => `${folder}/queue.db`

describe("several processes at one file", () => {
  const total = 10_000

  it.live(
    `4 consumers and 2 producers: ${total} transactions, each handled once, keys one after another`,
    () =>
      Effect.gen(function*() {
        const folder = yield* directory
        const consumers = yield* Effect.all(Array.from({ length: 4 }, () => start("consumer", folder)))
        const producers = [
          yield* start("producer", folder, 0, total / 2),
          yield* start("producer", folder, total / 2, total)
        ]
        for (const producer of producers) assert.deepStrictEqual(yield* producer.ended, { code: 0, signal: null })
        const queue = yield* open(queueOf(folder))
        const idle = { ready: 0, inFlight: 0, delayed: 0 }
        yield* Effect.repeat(Effect.delay(queue.count, "20 millis"), {
          until: ({ delayed, inFlight, ready }) => ready + inFlight + delayed === 0
        })
        for (const consumer of consumers) yield* Effect.andThen(consumer.kill, consumer.ended)

        const lines = [...consumers, ...producers].flatMap((worker) => worker.lines)
        assert.deepStrictEqual(lines.filter((line) => !line.startsWith("handled ")), [])
        const handled = lines.map((line) => {
          const [, id = "", began = "", ended = ""] = line.split(" ")
          return { id: Number(id), began: BigInt(began), ended: BigInt(ended) }
        })
        assert.deepStrictEqual(
          handled.map(({ id }) => id).toSorted((a, b) => a - b),
          Array.from({ length: total }, (_, n) => n)
        )
        // Even ones have keys. Each producer enqueues in rising order, so that its ones of a key come in rising order.
        for (let key = 0; key < 46; key += 2) {
          const ofKey = handled.filter(({ id }) => id % 2 === 0 && id % 46 === key)
            .toSorted((a, b) => a.began < b.began ? -1 : 1)
          for (const [place, one] of ofKey.entries()) {
            const next = ofKey[place + 1]
            assert.isTrue(next === undefined || one.ended < next.began, `${one.id} and ${next?.id} at the same time`)
          }
          for (const half of [0, total / 2]) {
            const ids = ofKey.map(({ id }) => id).filter((id) => id >= half && id < half + total / 2)
            assert.deepStrictEqual(ids, ids.toSorted((a, b) => a - b))
          }
        }
        const parts = consumers.map(({ lines }) => lines.length)
        assert.isAbove(Math.min(...parts), 0, "a consumer got nothing")
        assert.deepStrictEqual(yield* queue.count, idle)
      }),
    60_000
  )

  it.live("one that holds the lock for a second does not block the event loop of another, nor does it fail", () =>
    Effect.gen(function*() {
      const folder = yield* directory
      const queue = yield* open(queueOf(folder))
      const locker = yield* start("locker", folder, 1000)
      yield* locker.said("locked")
      let lag = 0
      let last = performance.now()
      const timer = setInterval(() => {
        const now = performance.now()
        lag = Math.max(lag, now - last)
        last = now
      }, 1)
      const began = performance.now()
      yield* queue.send(item("1"))
      const waited = performance.now() - began
      clearInterval(timer)
      assert.isAbove(waited, 500)
      assert.isBelow(lag, 250)
      assert.deepStrictEqual(yield* queue.ids(1), ["1"])
    }))

  it.live("one that holds it for longer than `busy` makes others fail with a reason that is retryable", () =>
    Effect.gen(function*() {
      const folder = yield* directory
      yield* Effect.scoped(open(queueOf(folder)))
      const layer = Sql.queue(Items).pipe(
        Layer.provide(Sqlite.layer({ filename: queueOf(folder), busy: "100 millis" }))
      )
      yield* Effect.gen(function*() {
        const locker = yield* start("locker", folder, 1000)
        yield* locker.said("locked")
        const error = yield* Effect.flip(Connector.send(Items, item("1")))
        assert.strictEqual(error._tag, "DispatchError")
        if (error._tag !== "DispatchError") return
        assert.strictEqual(error.reason._tag, "Timeout")
        assert.isTrue(error.reason.isRetryable)
        assert.include(error.message, "locked by another process")
      }).pipe(Effect.provide(layer))
    }))
})

describe("a disk that is full", () => {
  class Rows extends Connector.Sink<Rows>()("rows", Schema.Struct({ text: Schema.String })) {}
  const text = "x".repeat(2000)

  const grow = (pages: number) =>
    Effect.gen(function*() {
      const { sql } = yield* Database.Database
      const [used] = yield* sql<{ page_count: number }>`PRAGMA page_count`
      yield* sql.unsafe(`PRAGMA max_page_count = ${used!.page_count + pages}`)
    })

  it.live("is said with a reason that is retryable; nothing is lost, and it goes on once there is space", () =>
    Effect.gen(function*() {
      const queue = yield* open(yield* filename)
      yield* grow(20).pipe(Effect.provide(queue.context))
      let confirmed = 0
      const send = Effect.suspend(() => queue.send(Transaction.make(`${confirmed}`, text)))
      const error = yield* Effect.flip(Effect.forever(Effect.tap(send, () => Effect.sync(() => confirmed++))))
      assert.strictEqual(error.reason._tag, "Throttled")
      assert.isTrue(error.reason.isRetryable)
      assert.include(error.message, "the disk is full")
      assert.isAbove(confirmed, 10)
      yield* grow(20).pipe(Effect.provide(queue.context))
      yield* send
      assert.deepStrictEqual(yield* queue.ids(999), Array.from({ length: confirmed + 1 }, (_, n) => `${n}`))
    }))

  it.live("in the middle of a common transaction takes neither the rows nor the acknowledgements", () =>
    Effect.gen(function*() {
      class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ n: Schema.Int })) {}
      const count = 100
      yield* Effect.gen(function*() {
        const { sink } = yield* Orders
        const { sql } = yield* Database.Database
        yield* sink.dispatch(Array.from({ length: count }, (_, n) => Transaction.make(`${n}`, { n })))
        yield* grow(10)
        const rows = Effect.map(sql<{ n: number }>`SELECT count(*) AS n FROM rows`, ([row]) => row!.n)
        const done = Effect.map(
          sql<{ n: number }>`SELECT count(*) AS n FROM orders WHERE state = 'done'`,
          ([row]) => row!.n
        )
        const task = Task.consumer("work", Orders, () => Effect.succeed({ text })).pipe(
          Task.dispatch(Rows, (transaction, result) => Transaction.make(transaction.id, result)),
          Task.policy({ loop: { concurrency: 16 }, transaction: { timeout: "20 seconds" } })
        )
        const running = yield* Effect.forkChild(Task.run(task))
        yield* Effect.sleep("500 millis")
        assert.strictEqual(yield* rows, yield* done)
        assert.isBelow(yield* rows, count)
        yield* grow(1000)
        const summary = yield* Fiber.join(running)
        assert.deepInclude(summary, { succeeded: count, failed: 0 })
        assert.deepStrictEqual([yield* rows, yield* done], [count, count])
      }).pipe(Effect.provide(
        Layer.merge(Sql.queue(Orders), Sql.table(Rows)).pipe(
          Layer.provideMerge(Sqlite.layer({ filename: yield* filename }))
        )
      ))
    }))
})

describe("a file that cannot be written", () => {
  // Nobody refuses the superuser anything.
  const asNobody = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    process.geteuid?.() === 0
      ? Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(65534)),
        () => effect,
        () => Effect.sync(() => process.seteuid?.(0))
      )
      : effect

  it.live("is refused by name", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* Effect.scoped(Effect.flatMap(open(file), (queue) => queue.send(item("1"))))
      const folder = file.replace(/\/[^/]*$/, "")
      fs.chmodSync(file, 0o444)
      fs.chmodSync(folder, 0o555)
      const error = yield* Effect.flip(asNobody(open(file)))
      fs.chmodSync(folder, 0o755)
      assert.strictEqual(error._tag, "SqlError")
      assert.include(error.message, file)
      fs.chmodSync(file, 0o644)
      const queue = yield* open(file)
      yield* queue.settle(yield* queue.one, Disposition.ack)
    }))
})
