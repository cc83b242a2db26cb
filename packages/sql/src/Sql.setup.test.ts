import { Connector } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { Database, SetupError, Sql, Sqlite } from "./index.ts"
import { directory, filename, inMemory, item, Items, open } from "./test/queues.ts"

class Rows extends Connector.Sink<Rows>()("rows", Schema.Struct({ n: Schema.Int })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const refused = (options: Sql.QueueOptions, file = ":memory:") =>
  Effect.flatMap(Effect.flip(open(file, options)), (error) => {
    assert.instanceOf(error, SetupError.SetupError)
    return Effect.succeed(error.message)
  })

/** What the statements of somebody else do to a file before it is opened. */
const write = (file: string, ...statements: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { sql } = yield* Database.Database
    for (const statement of statements) yield* sql.unsafe(statement)
  }).pipe(Effect.provide(Sqlite.layer({ filename: file })))

describe("names", () => {
  it.effect.each([
    "items\"; DROP TABLE orders; --",
    "a b",
    "",
    "1st",
    "sqlite_items",
    "SQLITE_items",
    "ergon_tables",
    "ERGON_tables",
    "a".repeat(64),
    "ümlaut"
  ])("%s is refused", (table) =>
    Effect.gen(function*() {
      assert.include(yield* refused({ table }), `table "${table}": a table name is`)
      const build = <A, E>(layer: Layer.Layer<A, E, Database.Database>) =>
        Effect.exit(Layer.build(Layer.provide(layer, Sqlite.layer({ filename: ":memory:" }))))
      assert.isTrue(Exit.isFailure(yield* build(Sql.table(Rows, { table }))))
      assert.isTrue(Exit.isFailure(yield* build(Sql.deadLetters(Dead, { table }))))
    }))

  it.effect("the id of the key names the table, with _ for what a name cannot hold", () =>
    Effect.gen(function*() {
      class Odd extends Connector.Queue<Odd>()("3 odd-orders", Schema.Unknown) {}
      const { sql } = yield* Database.Database
      yield* Layer.build(Sql.queue(Odd))
      const rows = yield* sql<{ name: string }>`SELECT name FROM ergon_tables`
      assert.deepStrictEqual(rows.map(({ name }) => name), ["_3_odd_orders"])
    }).pipe(Effect.provide(Sqlite.layer({ filename: ":memory:" }))))
})

describe("options", () => {
  it.effect.each(
    [
      ["lease", { lease: 0 }],
      ["lease", { lease: "Infinity" }],
      ["retention", { retention: "-Infinity" }],
      ["retention", { retention: -1 }],
      ["poll", { poll: 0 }]
    ] as const
  )("%s that is not valid is named", ([field, options]) =>
    Effect.gen(function*() {
      assert.include(yield* refused(options), `table "items": ${field} must be a finite duration`)
    }))
})

describe("the table", () => {
  it.effect("of a newer version is refused and left as it is", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* Effect.scoped(open(file))
      yield* write(file, "UPDATE ergon_tables SET version = 9")
      assert.include(
        yield* refused({}, file),
        "it has version 9, and this release of @ergon/sql knows versions up to 1"
      )
    }))

  it.effect("that something else made is refused and left as it is", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* write(file, "CREATE TABLE items (a)", "INSERT INTO items VALUES (1)")
      assert.include(yield* refused({}, file), "there is a table of that name already")
      yield* write(file, "INSERT INTO items VALUES (2)")
    }))

  it.effect("that differs from an existing one by its case alone is refused too", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* write(file, "CREATE TABLE ITEMS (a)")
      assert.include(yield* refused({}, file), "there is a table of that name already")
    }))

  it.effect("that somebody has dropped is made again", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* Effect.scoped(Effect.flatMap(open(file), (queue) => queue.send(item("1"))))
      yield* write(file, "DROP TABLE items")
      const queue = yield* open(file)
      assert.deepStrictEqual(yield* queue.ids(9), [])
      yield* queue.send(item("1"))
    }))

  it.effect("keeps what it holds when it is opened again", () =>
    Effect.gen(function*() {
      const file = yield* filename
      yield* Effect.scoped(Effect.flatMap(open(file), (queue) => queue.send(item("1"))))
      assert.deepStrictEqual(yield* (yield* open(file)).ids(9), ["1"])
    }))

  it.live("is made once where many open at the same time", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queues = yield* Effect.all(Array.from({ length: 8 }, () => open(file)), { concurrency: "unbounded" })
      yield* Effect.forEach(queues, (queue, n) => queue.send(item(`${n}`)), { concurrency: "unbounded" })
      assert.strictEqual((yield* queues[0]!.ids(99)).length, 8)
    }))

  it.effect("two queues of one database do not meet", () =>
    Effect.gen(function*() {
      class Other extends Connector.Queue<Other>()("other", Schema.Unknown) {}
      const queue = yield* inMemory()
      yield* Layer.build(Sql.queue(Other)).pipe(
        Effect.provide(queue.context),
        Effect.flatMap((context) => Connector.send(Other, item("1")).pipe(Effect.provide(context)))
      )
      assert.deepStrictEqual(yield* queue.ids(9), [])
    }))
})

describe("the file", () => {
  const fails = (file: string) =>
    Effect.map(
      Effect.flip(Layer.build(Sql.queue(Items).pipe(Layer.provide(Sqlite.layer({ filename: file }))))),
      (error) => {
        assert.strictEqual(error._tag, "SqlError")
        return error.message
      }
    )

  it.live("that is no database is refused and left as it is", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const text = "id,quantity\n1,2\n".repeat(100)
      fs.writeFileSync(file, text)
      const message = yield* fails(file)
      assert.include(message, "file is not a database")
      assert.include(message, file)
      assert.strictEqual(fs.readFileSync(file, "utf8"), text)
    }))

  it.live("in a folder that is a file is refused by name", () =>
    Effect.gen(function*() {
      const file = yield* filename
      fs.writeFileSync(file, "")
      assert.include(yield* fails(path.join(file, "queue.db")), file)
    }))

  it.live("and its folder are made where they are missing, and closed with the layer", () =>
    Effect.gen(function*() {
      const file = path.join(yield* directory, "a", "b", "queue.db")
      const scope = yield* Scope.make()
      yield* Scope.provide(open(file), scope)
      assert.isTrue(fs.existsSync(`${file}-wal`))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(fs.existsSync(file))
      assert.isFalse(fs.existsSync(`${file}-wal`))
    }))
})
