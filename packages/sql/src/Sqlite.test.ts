import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Database, Sqlite } from "./index.ts"
import { filename } from "./test/queues.ts"

const client = Effect.map(Database.Database, ({ sql }) => sql)
const memory = Sqlite.layer({ filename: ":memory:" })
const plain = (rows: ReadonlyArray<object>) => rows.map((row) => ({ ...row }))

describe("statements", () => {
  it.effect("take text, numbers, booleans, dates, bytes and nothing", () =>
    Effect.gen(function*() {
      const sql = yield* client
      const rows = yield* sql.unsafe("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g", [
        "it's",
        1.5,
        true,
        new Date(0),
        new Uint8Array([1, 2]),
        null,
        undefined
      ])
      assert.deepStrictEqual(plain(rows), [{
        a: "it's",
        b: 1.5,
        c: 1,
        d: "1970-01-01T00:00:00.000Z",
        e: new Uint8Array([1, 2]),
        f: null,
        g: null
      }])
    }).pipe(Effect.provide(memory)))

  it.effect("that are wrong, or get what cannot be stored, fail with SqlError", () =>
    Effect.gen(function*() {
      const sql = yield* client
      const wrong = yield* Effect.flip(sql`SELEC 1`)
      assert.include(wrong.message, "syntax error")
      const value = yield* Effect.flip(sql.unsafe("SELECT ?", [{ a: 1 }]))
      assert.include(value.message, "a value of type object cannot be bound")
    }).pipe(Effect.provide(memory)))

  it.effect("more different ones than are kept go on working", () =>
    Effect.gen(function*() {
      const sql = yield* client
      for (let round = 0; round < 2; round++) {
        for (let n = 0; n < 600; n++) {
          const [row] = yield* sql.unsafe<{ n: number }>(`SELECT ${n} AS n`)
          assert.strictEqual(row?.n, n)
        }
      }
    }).pipe(Effect.provide(memory)))

  it.effect("stream their rows", () =>
    Effect.gen(function*() {
      const sql = yield* client
      const rows = sql<{ n: number }>`SELECT value AS n FROM json_each('[1, 2, 3]')`.stream
      assert.deepStrictEqual(plain(yield* Stream.runCollect(rows)), [{ n: 1 }, { n: 2 }, { n: 3 }])
    }).pipe(Effect.provide(memory)))

  it.effect("that fail while they stream fail with SqlError, before and after their first row", () =>
    Effect.gen(function*() {
      const sql = yield* client
      const wrong = yield* Effect.flip(Stream.runDrain(sql`SELEC 1`.stream))
      assert.include(wrong.message, "syntax error")
      const later = sql`SELECT json_extract(value, '$.a') FROM json_each('["{}", "{"]')`.stream
      const error = yield* Effect.flip(Stream.runDrain(later))
      assert.include(error.message, "malformed JSON")
    }).pipe(Effect.provide(memory)))
})

describe("transactions", () => {
  const table = Effect.tap(client, (sql) => sql`CREATE TABLE t (n INTEGER)`)
  const all = Effect.flatMap(client, (sql) => Effect.map(sql<{ n: number }>`SELECT n FROM t ORDER BY n`, plain))

  it.effect("roll back on failure, on a defect and on interruption", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const insert = sql`INSERT INTO t VALUES (1)`
      yield* Effect.exit(sql.withTransaction(Effect.andThen(insert, Effect.fail("no"))))
      yield* Effect.exit(sql.withTransaction(Effect.andThen(insert, Effect.die("no"))))
      const hanging = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(insert, Effect.never)), {
        startImmediately: true
      })
      yield* Fiber.interrupt(hanging)
      assert.deepStrictEqual(yield* all, [])
    }).pipe(Effect.provide(memory)))

  it.effect("nest: an inner one that fails takes only its own with it", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const insert = (n: number) => sql`INSERT INTO t VALUES (${n})`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(1)
        yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(2), Effect.fail("no"))))
        yield* sql.withTransaction(insert(3))
      }))
      assert.deepStrictEqual(yield* all, [{ n: 1 }, { n: 3 }])
    }).pipe(Effect.provide(memory)))

  it.effect("keep other statements of the process out until they end", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const writing = yield* Effect.forkChild(
        sql.withTransaction(Effect.andThen(sql`INSERT INTO t VALUES (1)`, Effect.sleep("1 second"))),
        { startImmediately: true }
      )
      const reading = yield* Effect.forkChild(all, { startImmediately: true })
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(writing)
      assert.deepStrictEqual(yield* Fiber.join(reading), [{ n: 1 }])
    }).pipe(Effect.provide(memory)))
})

describe("a file", () => {
  it.effect("is in WAL mode, and durable as asked for", () =>
    Effect.gen(function*() {
      const file = yield* filename
      for (const [synchronous, value] of [[undefined, 2], ["full", 2], ["normal", 1]] as const) {
        yield* Effect.gen(function*() {
          const sql = yield* client
          assert.deepStrictEqual(plain(yield* sql`PRAGMA journal_mode`), [{ journal_mode: "wal" }])
          assert.deepStrictEqual(plain(yield* sql`PRAGMA synchronous`), [{ synchronous: value }])
        }).pipe(Effect.provide(Sqlite.layer({ filename: file, synchronous })))
      }
    }))

  it.effect("has a version that differs once another connection has written", () =>
    Effect.gen(function*() {
      const layer = Sqlite.layer({ filename: yield* filename })
      const one = Context.get(yield* Layer.build(Layer.fresh(layer)), Database.Database)
      const other = Context.get(yield* Layer.build(Layer.fresh(layer)), Database.Database)
      const versionOf = ({ dialect, sql }: Database.Database["Service"]) => dialect.queue.open(sql, "items").seen!
      const before = yield* versionOf(one)
      yield* one.sql`CREATE TABLE a (n)`
      assert.strictEqual(yield* versionOf(one), before)
      yield* other.sql`CREATE TABLE b (n)`
      assert.notStrictEqual(yield* versionOf(one), before)
    }))
})
