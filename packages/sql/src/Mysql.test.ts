import { Connector, Transaction } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { load } from "./internal/mysql/driver.ts"
import { Database, Mysql, Sql } from "./index.ts"
import { databaseOf, server, tableOf } from "./test/mariadb.ts"

const secret = "hush-hush-hush"
const failure = (options: Mysql.Options) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(Layer.fresh(Mysql.layer(options))))), String)

describe("options", () => {
  const database = "test"
  it.live.each([
    [{}, "database: a database is needed, here or in the url"],
    [{ database, port: 0 }, "port: an integer from 1 to 65535, got 0"],
    [{ database, connections: 1 }, "connections: an integer of at least 2, got 1"],
    [{ database, statementTimeout: "none" }, `statementTimeout: a duration from 1 ms to 24 days, got "none"`],
    [{ database, idle: Duration.infinity }, "idle: a duration from 1 ms to 24 days"],
    [
      { url: Redacted.make(`postgres://me:${secret}@host/x`) },
      "url: not of the form mysql://user:password@host:port/database"
    ],
    [
      { url: Redacted.make(`mysql://me:%${secret}@host/x`) },
      "url: not of the form mysql://user:password@host:port/database"
    ]
  ] as ReadonlyArray<readonly [Mysql.Options, string]>)(
    "%# are refused by name: %s",
    ([options, problem]) =>
      Effect.gen(function*() {
        const told = yield* failure(options)
        assert.include(told, problem)
        assert.notInclude(told, secret)
      })
  )

  it.live("come from the configuration, under a prefix", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromUnknown({
        SHOP: {
          HOST: "db",
          PORT: "3307",
          USERNAME: "me",
          PASSWORD: secret,
          DATABASE: "shop",
          TLS_CA: "pem",
          IDLE: "5 seconds"
        }
      })
      const { idle, password, ...rest } = yield* Mysql.config("SHOP").pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      assert.deepInclude(rest, { host: "db", port: 3307, username: "me", database: "shop", socketPath: undefined })
      assert.deepStrictEqual(rest.tls, { ca: "pem", cert: undefined, key: undefined })
      assert.strictEqual(Redacted.value(password!), secret)
      assert.strictEqual(Duration.toMillis(Duration.fromInputUnsafe(idle!)), 5000)
      const wrong = yield* Effect.flip(Effect.scoped(Layer.build(Mysql.layerConfig()))).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ MYSQL: { PORT: "x" } }))
      )
      assert.include(String(wrong), "PORT")
    }))

  it.live("without the client say what to install", () =>
    Effect.gen(function*() {
      const missing = Object.assign(new Error("Cannot find package 'mysql2'"), { code: "ERR_MODULE_NOT_FOUND" })
      const error = yield* Effect.flip(load(() => Promise.reject(missing)))
      assert.strictEqual(
        error.message,
        "Mysql.layer needs the package mysql2, which is not installed: npm install mysql2@3.24.6"
      )
      const broken = yield* Effect.exit(load(() => Promise.reject(new Error("broken"))))
      assert.isTrue(Exit.hasDies(broken))
    }))

  it.live("of a server that is not there, or does not answer, are told in time", () =>
    Effect.gen(function*() {
      const refused = yield* failure({ host: "127.0.0.1", port: 1, database, password: Redacted.make(secret) })
      assert.include(refused, "ECONNREFUSED 127.0.0.1:1")
      assert.notInclude(refused, secret)
    }))
})

await Services.describe([Services.mariadb], "the client of MariaDB", () => {
  const connect = (options: Mysql.Options = {}) =>
    Effect.map(
      Layer.build(Layer.fresh(Mysql.layer({ ...server, ...options }))),
      (context) => Context.get(context, Database.Database)
    )
  const withTable = Effect.gen(function*() {
    const table = yield* tableOf("plain")
    const database = yield* connect({ lockTimeout: "1 second" })
    yield* database.sql`CREATE TABLE ${database.sql(table)} (id INT PRIMARY KEY, n INT NOT NULL)`
    yield* database.sql`INSERT INTO ${database.sql(table)} ${database.sql.insert([{ id: 1, n: 0 }, { id: 2, n: 0 }])}`
    return { ...database, name: table, table: database.sql(table) }
  })

  it.live("brings values back as they went", () =>
    Effect.gen(function*() {
      const { dialect, sql } = yield* connect()
      assert.strictEqual(dialect.name, "MariaDB")
      const [row] = yield* sql`SELECT ${"é😀'\\"} AS text, ${1.5} + 0 AS part, ${true} + 0 AS yes, ${null} AS nothing,
        CAST(${9007199254740993n} AS UNSIGNED) AS big, ${new Date(1e12)} AS time, CAST(${new Uint8Array([
        0,
        255
      ])} AS BINARY) AS bytes`
      assert.deepStrictEqual({ ...row }, {
        text: "é😀'\\",
        part: 1.5,
        yes: 1,
        nothing: null,
        big: "9007199254740993",
        time: new Date(1e12),
        bytes: Buffer.from([0, 255])
      })
      assert.deepStrictEqual(yield* sql`SELECT 1, 2`.values, [[1, 2]])
      const sum = yield* Stream.runFold(
        sql<{ seq: number }>`SELECT seq FROM seq_1_to_20000`.stream,
        () => 0,
        (sum, { seq }) => sum + seq
      )
      assert.strictEqual(sum, 200_010_000)
      assert.deepStrictEqual(
        yield* Stream.runCollect(Stream.take(sql`SELECT seq FROM seq_1_to_20000`.stream, 1)),
        [{ seq: 1 }]
      )
      assert.strictEqual((yield* sql`SELECT 1`).length, 1)
    }).pipe(Effect.scoped))

  it.live("tells errors by their reason", () =>
    Effect.gen(function*() {
      const { sql, table } = yield* withTable
      const reason = (effect: Effect.Effect<unknown, { readonly reason: { readonly _tag: string } }>) =>
        Effect.map(Effect.flip(effect), ({ reason: { _tag } }) => _tag)
      assert.strictEqual(yield* reason(sql`SELECT * FROM nowhere`), "SqlSyntaxError")
      assert.strictEqual(yield* reason(sql`INSERT INTO ${table} VALUES (1, 1)`), "UniqueViolation")
      assert.strictEqual(yield* reason(sql`INSERT INTO ${table} VALUES (3, NULL)`), "ConstraintError")
      assert.strictEqual(yield* reason(sql`INSERT INTO ${table} VALUES (3, 'many')`), "ConstraintError")
      const late = yield* connect({ statementTimeout: "100 millis" })
      assert.strictEqual(yield* reason(late.sql`SELECT SLEEP(2)`), "StatementTimeoutError")
      assert.strictEqual(yield* reason(sql`KILL CONNECTION_ID()`), "ConnectionError")
      assert.strictEqual((yield* sql`SELECT 1`).length, 1)
    }).pipe(Effect.scoped))

  it.live("tells a deadlock by its type, and commits nothing that comes after it", () =>
    Effect.gen(function*() {
      const { sql, table } = yield* withTable
      const set = (id: number) => sql`UPDATE ${table} SET n = n + 1 WHERE id = ${id}`
      const both = (first: number, second: number) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* set(first)
          yield* Effect.sleep("100 millis")
          // Who goes on regardless is told again, instead of writing without a transaction.
          const told = yield* Effect.exit(set(second))
          yield* sql.withTransaction(sql`INSERT INTO ${table} VALUES (${10 * first}, 1)`)
          return told
        }))
      const exits = yield* Effect.all([Effect.exit(both(1, 2)), Effect.exit(both(2, 1))], { concurrency: 2 })
      const failed = exits.filter(Exit.isFailure)
      assert.strictEqual(failed.length, 1)
      const error = yield* Effect.flip(failed[0]!)
      assert.strictEqual(error.reason._tag, "DeadlockError")
      assert.isTrue(error.reason.isRetryable)
      const rows = yield* sql<{ id: number; n: number }>`SELECT id, n FROM ${table} ORDER BY id`
      assert.deepStrictEqual(rows.slice(0, 2).map(({ n }) => n), [1, 1])
      assert.strictEqual(rows.length, 3)
    }).pipe(Effect.scoped))

  it.live("rolls back to where an inner transaction began, and all of it when it is broken off", () =>
    Effect.gen(function*() {
      const { sql, table } = yield* withTable
      const insert = (id: number) => sql`INSERT INTO ${table} VALUES (${id}, 1)`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(3)
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert(4), Effect.fail("no"))))
        yield* insert(5)
      }))
      yield* Effect.timeoutOption(sql.withTransaction(Effect.andThen(insert(6), Effect.never)), "50 millis")
      yield* Effect.timeoutOption(sql.withTransaction(Effect.andThen(insert(7), sql`SELECT SLEEP(5)`)), "50 millis")
      const rows = yield* sql<{ id: number }>`SELECT id FROM ${table} ORDER BY id`
      assert.deepStrictEqual(rows.map(({ id }) => id), [1, 2, 3, 5])
    }).pipe(Effect.scoped))

  it.live("does not lend on a transaction that somebody has left open, nor a lock that is held", () =>
    Effect.gen(function*() {
      const { name, sql, table } = yield* withTable
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* sql.reserve
        yield* connection.executeUnprepared("BEGIN", [], undefined)
        yield* connection.execute(`UPDATE ${name} SET n = 9`, [], undefined)
        const held = yield* Effect.flip(sql`UPDATE ${table} SET n = 1 WHERE id = 1`)
        assert.strictEqual(held.reason._tag, "LockTimeoutError")
      }))
      const rows = yield* sql<{ n: number }>`SELECT n FROM ${table}`
      assert.deepStrictEqual(rows.map(({ n }) => n), [0, 0])
    }).pipe(Effect.scoped))

  it.live("serves more fibers than it has connections, and closes them all", () =>
    Effect.gen(function*() {
      const { sql: admin } = yield* connect()
      const mark = `mark_${process.pid}`
      yield* Effect.scoped(Effect.gen(function*() {
        const { sql } = yield* connect({ connections: 3 })
        const rows = yield* Effect.forEach(
          Array.from({ length: 40 }, (_, n) => n),
          (n) => sql<{ id: number; n: number }>`SELECT ${n} AS n, CONNECTION_ID() AS id, ${mark} AS mark`,
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(rows.map(([row]) => row!.n), Array.from({ length: 40 }, (_, n) => n))
        const ids = new Set(rows.map(([row]) => row!.id))
        assert.isAtMost(ids.size, 3)
        const waiting = yield* Effect.forkScoped(sql`SELECT SLEEP(9)`)
        yield* Effect.sleep("50 millis")
        yield* Fiber.interrupt(waiting)
      }))
      const left =
        yield* admin`SELECT id FROM information_schema.processlist WHERE info LIKE ${`%${mark}%`} AND id <> CONNECTION_ID()`
      assert.deepStrictEqual(left, [])
    }).pipe(Effect.scoped))

  describe("the table of a queue", () => {
    class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
    const open = (database: string) =>
      Layer.build(Layer.fresh(Sql.queue(Items).pipe(Layer.provide(Layer.fresh(Mysql.layer({ ...server, database }))))))

    it.live("is made once, by whoever comes first", () =>
      Effect.gen(function*() {
        const database = yield* databaseOf
        const contexts = yield* Effect.all(Array.from({ length: 6 }, () => open(database)), {
          concurrency: "unbounded"
        })
        yield* Effect.forEach(
          contexts,
          (context, n) => Context.get(context, Items).sink.dispatch([Transaction.make(`${n}`, n)])
        )
        const { sql } = yield* connect({ database })
        assert.deepStrictEqual(yield* sql`SELECT name, kind, version FROM ergon_tables`, [
          { name: "items", kind: "queue", version: 1 }
        ])
        assert.strictEqual((yield* sql`SELECT 1 FROM items`).length, 6)
      }).pipe(Effect.scoped))

    it.live("is finished where a process has died while it made it, and left alone where something else made it", () =>
      Effect.gen(function*() {
        const database = yield* databaseOf
        yield* open(database)
        const { sql } = yield* connect({ database })
        yield* sql`DELETE FROM ergon_tables`
        const context = yield* open(database)
        yield* Context.get(context, Items).sink.dispatch([Transaction.make("1", 1)])
        yield* sql`DROP TABLE items`
        yield* sql`DELETE FROM ergon_tables`
        yield* sql`CREATE TABLE items (id INT)`
        const error = yield* Effect.flip(open(database))
        assert.include(String(error), "there is a table of that name already; choose another name")
        yield* sql`DROP TABLE items`
        yield* open(database)
        yield* sql`UPDATE ergon_tables SET version = 9`
        const newer = yield* Effect.flip(open(database))
        assert.include(String(newer), "it has version 9")
      }).pipe(Effect.scoped))
  })
})
