/**
 * A process that the integration tests start: `node --conditions=@ergon/source worker.ts <role> <folder> <numbers>`.
 */
import { Connector, Task, Transaction } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer, Schema } from "effect"
import * as path from "node:path"
import { Database, Sql, Sqlite } from "../index.ts"

const Item = Schema.Struct({ n: Schema.Int })
class Items extends Connector.Queue<Items>()("items", Item) {}
class Once extends Connector.Queue<Once>()("once", Item) {}
class Results extends Connector.Sink<Results>()("results", Item) {}
class Elsewhere extends Connector.Sink<Elsewhere>()("elsewhere", Item) {}

const [role = "", folder = "", ...rest] = process.argv.slice(2)
const [from = 0, to = 0] = rest.map(Number)

const file = (name: string, synchronous?: "normal") => Sqlite.layer({ filename: path.join(folder, name), synchronous })
const batch = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => Transaction.make(`${from + index}`, { n: from + index }))

const lease = "500 millis"
const queues = Layer.mergeAll(Sql.queue(Items, { lease }), Sql.queue(Once, { lease }), Sql.table(Results)).pipe(
  Layer.provideMerge(file("queue.db"))
)
const payload = (transaction: Transaction.Transaction<typeof Item.Type>) =>
  Effect.as(say("working"), transaction.payload)

/** To a table in another file, at least once; and to one in the file of the queue, in the transaction of the Acks. */
const works = (streaming: boolean) => {
  const policy = Task.policy({ loop: { concurrency: streaming ? 16 : 128, streaming } })
  return Effect.all([
    Task.run(
      Task.consumer("elsewhere", Items, payload).pipe(
        Task.dispatch(Elsewhere, (transaction, result) => Transaction.make(transaction.id, result)),
        Task.provide(Sql.table(Elsewhere).pipe(Layer.provide(file("elsewhere.db")))),
        policy
      )
    ),
    Task.run(
      Task.consumer("once", Once, payload).pipe(
        Task.dispatch(Results, (transaction, result) => Transaction.make(transaction.id, result)),
        policy
      )
    )
  ], { concurrency: "unbounded" })
}

/** Says after each batch how far it is. */
const produce = Effect.gen(function*() {
  const [items, once] = [yield* Items, yield* Once]
  yield* say("up")
  for (let n = from; n < to; n += 20) {
    const next = Math.min(n + 20, to)
    yield* items.sink.dispatch(batch(n, next))
    yield* once.sink.dispatch(batch(n, next))
    yield* say(`confirmed ${next}`)
  }
})

/** What surfaces of a file that others lock is said. */
const watching = <E>(effect: Effect.Effect<void, E>) =>
  Effect.tapError(effect, (error) => say(`error ${String(error)}`))

const keyed = Sql.queue(Items, { key: ({ id }) => Number(id) % 2 === 0 ? `${Number(id) % 46}` : undefined }).pipe(
  // What is tried with it is the lock, not the disk.
  Layer.provideMerge(file("queue.db", "normal"))
)
const nanoseconds = () => process.hrtime.bigint()

const roles: Record<string, Effect.Effect<unknown, unknown>> = {
  /** Enqueues and works on both queues until it is killed. */
  killed: Effect.all([produce, works(true)], { concurrency: "unbounded" }).pipe(Effect.provide(queues)),

  /** The same, until everything is done. */
  finish: Effect.gen(function*() {
    yield* produce
    for (let left = 1; left > 0;) {
      yield* works(false)
      const counts = yield* Effect.all([Connector.count(Items), Connector.count(Once)])
      left = counts.reduce((sum, { delayed, inFlight, ready }) => sum + ready + inFlight + delayed, 0)
      if (left > 0) yield* Effect.sleep("50 millis")
    }
  }).pipe(Effect.provide(queues)),

  /** One of several that enqueue at the same time. */
  producer: Effect.gen(function*() {
    const { sink } = yield* Items
    for (let n = from; n < to; n += 25) yield* watching(sink.dispatch(batch(n, Math.min(n + 25, to))))
  }).pipe(Effect.provide(keyed)),

  /** One of several that work on one queue: says when each transaction began and ended. */
  consumer: Effect.gen(function*() {
    const { sink, source } = yield* Items
    const task = Task.consumer("work", Items, ({ id }) =>
      Effect.gen(function*() {
        const began = nanoseconds()
        if (Number(id) % 10 === 0) yield* Effect.sleep(1)
        yield* say(`handled ${id} ${began} ${nanoseconds()}`)
      })).pipe(Task.policy({ loop: { concurrency: 32, streaming: true } }))
    yield* Task.run(task).pipe(Effect.provideService(Items, {
      sink,
      source: {
        ...source,
        fetch: (request) =>
          Effect.tapError(
            source.fetch(request),
            (error) => say(`error ${"message" in error ? error.message : error._tag}`)
          ),
        settle: (batch) => watching(source.settle(batch))
      }
    }))
  }).pipe(Effect.provide(keyed)),

  /** Holds the write lock for `from` milliseconds without doing anything else. */
  locker: Effect.gen(function*() {
    const { sql } = yield* Database.Database
    yield* sql.withTransaction(Effect.andThen(
      say("locked"),
      Effect.sync(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, from))
    ))
  }).pipe(Effect.provide(file("queue.db")))
}

await Effect.runPromise(roles[role] ?? Effect.die(`no role ${role}`))
