import { Connector, DeadLetter, Disposition, Redrive, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Layer, Schema, Stream } from "effect"
import { Database, Sql } from "./index.ts"
import { database, filename, idOf, inMemory, item } from "./test/queues.ts"

class Dead extends Connector.DeadLetters<Dead>()("dead-items") {}
class Items extends Connector.Queue<Items>()("items", Schema.Struct({ id: Schema.String })) {}
class Broken extends Data.TaggedError("Broken")<{}> {}

const encode = Schema.encodeSync(Schema.toCodecJson(DeadLetter.DeadLetter))

const letter = (id: string, source = "items") =>
  new DeadLetter.DeadLetter({
    id,
    payload: { id },
    metadata: { tenant: "north", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    reason: `gave up ${id}`,
    step: "process",
    category: "business",
    error: { tag: "Broken", message: "it broke" },
    attempts: 3,
    deliveries: 2,
    task: "work",
    source,
    failedAt: "2026-01-02T03:04:05.006Z"
  })

/** A table of dead letters, after whatever made the database so. */
const table = (before: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const layer = Layer.unwrap(Effect.gen(function*() {
      const { sql } = yield* Database.Database
      for (const text of before) yield* sql.unsafe(text)
      return Sql.deadLetters(Dead)
    })).pipe(Layer.provideMerge(database(yield* filename)))
    const context = yield* Layer.build(layer)
    const sink = Context.get(context, Dead).deadLetters
    const { sql } = Context.get(context, Database.Database)
    const send = (...letters: ReadonlyArray<DeadLetter.DeadLetter>) =>
      sink.dispatch(letters.map((letter) => Transaction.make(letter.id, encode(letter))))
    const ids = Effect.suspend(() =>
      Effect.map(
        sink.letters!.list({ after: undefined, max: 1000 }),
        ({ letters }) => letters.map(({ letter }) => letter.id)
      )
    )
    return { sink, sql, send, ids, letters: sink.letters! }
  })

const columns = "source TEXT, id TEXT, task TEXT, failed_at TEXT, step TEXT, category TEXT, reason TEXT, " +
  "error_tag TEXT, error_message TEXT, attempts INTEGER, deliveries INTEGER, payload TEXT, metadata TEXT"

describe("a table of dead letters", () => {
  it.effect("gives letters back as they were", () =>
    Effect.gen(function*() {
      const { letters, send } = yield* table()
      yield* send(letter("1"), letter("2", "others"))
      const [found] = yield* letters.find("1")
      assert.deepStrictEqual(found?.letter, letter("1"))
    }))

  it.effect("is in the order of arrival, what arrives again behind all others, also within one batch", () =>
    Effect.gen(function*() {
      const { ids, letters, send } = yield* table()
      yield* send(letter("1"), letter("2"), letter("3"))
      const [first] = (yield* letters.list({ after: undefined, max: 1 })).letters
      yield* send(letter("1"), letter("2"))
      assert.deepStrictEqual(yield* ids, ["3", "1", "2"])
      yield* letters.remove([first!.key])
      assert.deepStrictEqual(yield* ids, ["3", "1", "2"])
    }))

  it.effect("knows letters of several sources with one id", () =>
    Effect.gen(function*() {
      const { letters, send } = yield* table()
      yield* send(letter("1"), letter("1", "others"))
      const found = yield* letters.find("1")
      assert.deepStrictEqual(found.map(({ letter }) => letter.source), ["items", "others"])
    }))

  it.effect("keeps its order over a VACUUM", () =>
    Effect.gen(function*() {
      const { letters, send, sql } = yield* table()
      yield* send(letter("1"), letter("2"), letter("3"), letter("4"))
      const page = yield* letters.list({ after: undefined, max: 2 })
      yield* letters.remove([page.letters[0]!.key])
      yield* sql`VACUUM`
      const rest = yield* letters.list({ after: page.next, max: 9 })
      assert.deepStrictEqual(rest.letters.map(({ letter }) => letter.id), ["3", "4"])
    }))

  it.effect("that was made without a column for the order has one all the same", () =>
    Effect.gen(function*() {
      const { ids, letters, send } = yield* table([`CREATE TABLE dead_items (${columns}, PRIMARY KEY (source, id))`])
      yield* send(letter("1"), letter("2"))
      yield* send(letter("1"))
      assert.deepStrictEqual(yield* ids, ["2", "1"])
      yield* letters.remove((yield* letters.find("2")).map(({ key }) => key))
      assert.deepStrictEqual(yield* ids, ["1"])
    }))

  it.effect("without row numbers is written, and cannot be read", () =>
    Effect.gen(function*() {
      const { send, sink, sql } = yield* table([
        `CREATE TABLE dead_items (${columns}, PRIMARY KEY (source, id)) WITHOUT ROWID`
      ])
      yield* send(letter("1"))
      yield* send(letter("1"))
      assert.isUndefined(sink.letters)
      assert.lengthOf(yield* sql`SELECT 1 FROM dead_items`, 1)
    }))

  it.effect("that somebody has written to by hand can be read", () =>
    Effect.gen(function*() {
      const { letters, sql } = yield* table()
      yield* sql`INSERT INTO dead_items (source, id, payload, step) VALUES ('items', '1', '{broken', 'somewhere')`
      const [found] = yield* letters.find("1")
      assert.deepInclude(found?.letter, {
        payload: "{broken",
        step: "settle",
        reason: "given up by hand",
        metadata: {}
      })
    }))

  it.effect("goes by an index, whatever is asked for", () =>
    Effect.gen(function*() {
      const { sql } = yield* table()
      for (const condition of ["_rowid_ > 7 ORDER BY _rowid_ LIMIT 100", "id = '7' ORDER BY _rowid_"]) {
        const plan = yield* sql.unsafe<{ detail: string }>(
          `EXPLAIN QUERY PLAN SELECT * FROM dead_items WHERE ${condition}`
        )
        assert.notMatch(plan[0]?.detail ?? "SCAN", /^SCAN/)
      }
    }))
})

describe("a queue takes back", () => {
  it.effect("what it knows as done or dead, and leaves what waits, is in flight or delayed as it is", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("done"), item("dead"), item("leased"), item("delayed"))
      const [done, dead, , delayed] = yield* queue.fetch(9)
      yield* queue.settle(done!, Disposition.ack)
      yield* queue.settle(dead!, Disposition.deadLetter("no stock"))
      yield* queue.settle(delayed!, Disposition.requeue("1 hour"))
      yield* queue.send(item("ready"))
      const all = ["done", "dead", "leased", "delayed", "ready", "unknown"].map((id) =>
        Transaction.make(id, { again: id }, { tenant: "north" })
      )
      yield* queue.source.takeBack!(all)
      assert.deepStrictEqual(yield* queue.count, { ready: 4, inFlight: 1, delayed: 1 })
      const back = yield* queue.fetch(9)
      assert.deepStrictEqual(
        back.map((delivery) => [idOf(delivery), delivery.deliveries, delivery.transaction.payload]),
        [
          ["ready", 0, { id: "ready" }],
          ["done", 0, { again: "done" }],
          ["dead", 0, { again: "dead" }],
          ["unknown", 0, { again: "unknown" }]
        ]
      )
      assert.deepStrictEqual(back[1]?.transaction.metadata, { tenant: "north" })
      const [row] = yield* queue.sql`SELECT reason, letter FROM items WHERE id = 'dead'`
      assert.deepStrictEqual({ ...row }, { reason: null, letter: null })
    }))

  it.effect("without its delay, with its key and priority", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: () => "1 hour", key: () => "k", priority: () => 7 })
      yield* queue.source.takeBack!([item("1"), item("2")])
      const first = yield* queue.fetch(9)
      assert.deepStrictEqual(first.map(idOf), ["1"])
      const rows = yield* queue.sql`SELECT state, key, priority FROM items ORDER BY seq`
      assert.deepStrictEqual(rows.map((row) => ({ ...row })), [
        { state: "leased", key: "k", priority: 7 },
        { state: "blocked", key: "k", priority: 7 }
      ])
    }))

  it.effect("names what it cannot store, and takes the others", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      const error = yield* Effect.flip(queue.source.takeBack!([item("1"), item("\u0000"), item("3")]))
      assert.strictEqual(error._tag, "LettersError")
      assert.deepStrictEqual(error.failed?.map(({ index }) => index), [1])
      assert.deepStrictEqual(yield* queue.ids(9), ["1", "3"])
    }))

  it.effect("removed letters are forgotten: their ids arrive anew", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"))
      yield* queue.settle(yield* queue.one, Disposition.deadLetter("no stock"))
      const letters = queue.source.letters!
      yield* letters.remove((yield* letters.find("1")).map(({ key }) => key))
      yield* queue.send(item("1"))
      assert.deepStrictEqual(yield* queue.ids(9), ["1"])
    }))
})

describe("a task on a queue with a table of dead letters", () => {
  it.effect("loses nothing when what is redriven fails again before its letter is removed", () =>
    Effect.gen(function*() {
      const task = Task.consumer("work", Items, () => Effect.fail(new Broken())).pipe(Task.deadLetter(Dead))
      const { sink, source } = yield* Items
      const { deadLetters } = yield* Dead
      yield* sink.dispatch([item("1")])
      yield* Task.run(task)
      const [old] = yield* Redrive.letter(task, "1")
      // In the middle of a redrive: back at the source, worked on by another process, given up once more.
      yield* source.takeBack!([item("1")])
      yield* Task.run(task)
      yield* deadLetters.letters!.remove([old!.key])
      const left = yield* Stream.runCollect(Redrive.letters(task))
      assert.deepStrictEqual(left.map(({ letter }) => letter.id), ["1"])
    }).pipe(
      Effect.provide(
        Layer.unwrap(
          Effect.map(
            filename,
            (filename) =>
              Layer.mergeAll(Sql.queue(Items), Sql.deadLetters(Dead)).pipe(Layer.provideMerge(database(filename)))
          )
        )
      ),
      Effect.scoped
    ))
})
