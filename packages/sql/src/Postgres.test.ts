import { Connector, Disposition, Task, Transaction } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Redacted,
  Schedule,
  Schema,
  Scope
} from "effect"
import { load } from "./internal/postgres/driver.ts"
import { settingsOf } from "./internal/postgres/settings.ts"
import { Database, Postgres, Sql } from "./index.ts"
import { connect, schemaOf, server } from "./test/postgres.ts"
import { idOf, item, openClosableOn, openOn } from "./test/queues.ts"

const secret = "hush-hush"

describe("options", () => {
  it.effect.each(
    [
      ["port", { port: 70_000 }],
      ["connections", { connections: 1 }],
      ["database", { database: "" }],
      ["host", { host: "a\u0000b" }],
      ["statementTimeout", { statementTimeout: 0 }],
      ["watch", { watch: "Infinity" }],
      ["url", { url: Redacted.make(`mysql://a:${secret}@b/c`) }],
      ["url", { url: Redacted.make(`postgres://a:${secret}@[b/c`) }]
    ] as const
  )("%s that cannot be is named", ([option, options]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(settingsOf(options))
      assert.strictEqual(error.option, option)
      assert.include(error.message, option)
      assert.notInclude(error.message, secret)
    }))

  it.effect("come from the configuration", () =>
    Effect.gen(function*() {
      const options = yield* Postgres.config()
      assert.strictEqual(options.host, "db")
      assert.strictEqual(options.port, 6432)
      assert.deepStrictEqual(options.tls, { ca: "PEM", cert: undefined, key: undefined, servername: undefined })
      assert.strictEqual(options.connections, undefined)
      assert.strictEqual(Duration.toMillis(Duration.fromInputUnsafe(options.statementTimeout ?? 0)), 5000)
      assert.strictEqual(Redacted.value(options.password ?? Redacted.make("")), secret)
      assert.notInclude(JSON.stringify(options), secret)
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({
      POSTGRES: {
        HOST: "db",
        PORT: "6432",
        PASSWORD: secret,
        TLS_CA: "PEM",
        STATEMENT_TIMEOUT: "5 seconds"
      }
    })))))

  it.effect("that the configuration has wrong are named", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Postgres.layerConfig(Postgres.config("SHOP")))))
      assert.instanceOf(error, Config.ConfigError)
      assert.include(error.message, "PORT")
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ SHOP: { PORT: "many" } })))))
})

describe("the client", () => {
  const missing = Object.assign(new Error("Cannot find package '@effect/sql-pg'"), { code: "ERR_MODULE_NOT_FOUND" })

  it.effect("that is not installed is named, with what to install", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(load(() => Promise.reject(missing)))
      assert.include(error.message, "npm install @effect/sql-pg@4.0.5")
    }))

  it.effect("that is broken is a defect", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(load(() => Promise.reject(new Error("broken"))))
      assert.isTrue(Exit.hasDies(exit))
    }))
})

const database = (schema: string) => Postgres.layer({ ...server, schema, connections: 4 })

class Prices extends Connector.Queue<Prices>()("prices", Schema.Struct({ n: Schema.Int })) {}
class Films extends Connector.Sink<Films>()(
  "films",
  Schema.Struct({
    title: Schema.String,
    released: Schema.Date,
    good: Schema.Boolean,
    rating: Schema.NullOr(Schema.Number),
    cast: Schema.Array(Schema.String),
    "a \"name\"": Schema.optional(Schema.String)
  })
) {}
class Results extends Connector.Sink<Results>()("results", Schema.Struct({ n: Schema.Int })) {}

const film = (id: string, more: Partial<(typeof Films)["payload"]["Type"]> = {}) =>
  Transaction.make(id, {
    title: "Ran",
    released: new Date(Date.UTC(1985, 4, 31)),
    good: true,
    rating: 8.2,
    cast: ["Tatsuya \"N.\" Nakadai"],
    ...more
  })

await Services.describe([Services.postgres], "a PostgreSQL", () => {
  describe("tables", () => {
    it.live("are made and brought up to date once, by whoever comes first", () =>
      Effect.gen(function*() {
        const schema = yield* schemaOf()
        const { sql } = yield* connect({ schema })
        const open = Layer.build(
          Layer.fresh(
            Layer.mergeAll(Sql.queue(Prices), Sql.table(Films)).pipe(Layer.provide(Layer.fresh(database(schema))))
          )
        )
        yield* Effect.all(Array.from({ length: 8 }, () => open), { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* sql`SELECT name, kind, version FROM ergon_tables`, [
          { name: "prices", kind: "queue", version: 1 }
        ])
        yield* sql`UPDATE ergon_tables SET version = 9`
        assert.include(String(yield* Effect.flip(open)), "it has version 9")
        yield* sql`DELETE FROM ergon_tables`
        assert.include(String(yield* Effect.flip(open)), "there is a table of that name already")
      }).pipe(Effect.scoped))

    it.live("that are there need no right to make any", () =>
      Effect.gen(function*() {
        const schema = yield* schemaOf()
        const { sql } = yield* connect({ schema })
        const build = (options: Postgres.Options) =>
          Layer.build(Layer.fresh(
            Layer.mergeAll(Sql.queue(Prices), Sql.table(Results)).pipe(
              Layer.provide(Layer.fresh(Postgres.layer({ ...server, schema, ...options })))
            )
          ))
        yield* build({})
        const role = `${schema}_shop`
        yield* Effect.acquireRelease(
          sql.unsafe(`CREATE ROLE ${role} LOGIN`),
          () => Effect.orDie(Effect.andThen(sql.unsafe(`DROP OWNED BY ${role}`), sql.unsafe(`DROP ROLE ${role}`)))
        )
        yield* sql.unsafe(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`)
        yield* sql.unsafe(`GRANT SELECT, INSERT, UPDATE, DELETE ON prices, results, ergon_tables TO ${role}`)
        const context = yield* build({ username: role })
        const { sink, source } = Context.get(context, Prices)
        yield* sink.dispatch([Transaction.make("1", { n: 1 })])
        const deliveries = yield* source.fetch({ max: 1, wait: Duration.zero })
        yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
        assert.deepStrictEqual(yield* sql`SELECT id, state FROM prices`, [{ id: "1", state: "done" }])
        yield* sql.unsafe(`REVOKE UPDATE ON prices FROM ${role}`)
        const refused = yield* Effect.flip(source.fetch({ max: 1, wait: Duration.zero }))
        assert.include("message" in refused ? refused.message : "", "permission denied for table prices")
      }).pipe(Effect.scoped))

    it.live("hold the fields of a payload by their kind; a second time it replaces the row", () =>
      Effect.gen(function*() {
        const schema = yield* schemaOf()
        const { sql } = yield* connect({ schema })
        const context = yield* Layer.build(Sql.table(Films).pipe(Layer.provide(database(schema))))
        const send = (...films: ReadonlyArray<ReturnType<typeof film>>) =>
          Effect.forEach(films, (film) => Connector.send(Films, film)).pipe(Effect.provide(context))
        yield* send(film("1"), film("2", { rating: null, good: false }), film("1", { title: "Dreams" }))
        const { sink } = Context.get(context, Films)
        const raw = (id: string, title: string) =>
          Transaction.make(id, { title, released: "2000-01-01", good: true, rating: "NaN", cast: [] })
        // Twice in one batch: the last one stays.
        yield* sink.dispatch([raw("3", "first"), raw("4", "other"), raw("3", "last")])
        const refused = yield* Effect.flip(sink.dispatch([raw("5", "a\u0000b"), raw("6", "kept")]))
        assert.deepStrictEqual(refused.failed?.map(({ index }) => index), [0])
        const rows = yield* sql`SELECT id, title, good, rating, "cast" ->> 0 AS first FROM films ORDER BY id`
        assert.deepStrictEqual(rows, [
          { id: "1", title: "Dreams", good: true, rating: 8.2, first: "Tatsuya \"N.\" Nakadai" },
          { id: "2", title: "Ran", good: false, rating: null, first: "Tatsuya \"N.\" Nakadai" },
          { id: "3", title: "last", good: true, rating: NaN, first: null },
          { id: "4", title: "other", good: true, rating: NaN, first: null },
          { id: "6", title: "kept", good: true, rating: NaN, first: null }
        ])
      }).pipe(Effect.scoped))

    it.live("that are there are used as they are, with types of their own", () =>
      Effect.gen(function*() {
        const schema = yield* schemaOf()
        const { sql } = yield* connect({ schema })
        const build = Layer.build(Layer.fresh(Sql.table(Films).pipe(Layer.provide(Layer.fresh(database(schema))))))
        yield* sql`CREATE TABLE films (id varchar(9), title varchar(9), released timestamptz, good boolean,
          rating numeric(3, 1), "cast" text, "a ""name""" text)`
        const error = yield* Effect.flip(build)
        assert.include(String(error), "rows cannot be written under \"id\"")
        yield* sql`ALTER TABLE films ADD UNIQUE (id), ADD COLUMN more int DEFAULT 7, DROP COLUMN good`
        assert.include(String(yield* Effect.flip(build)), "it has no column \"good\"")
        yield* sql`ALTER TABLE films ADD COLUMN good boolean`
        const context = yield* build
        yield* Effect.provide(Connector.send(Films, film("1")), context)
        const [row] = yield* sql`SELECT rating::text AS rating, released, more FROM films`
        assert.deepStrictEqual(row, { rating: "8.2", released: new Date(Date.UTC(1985, 4, 31)), more: 7 })
        const long = yield* Effect.flip(
          Effect.provide(Connector.send(Films, film("2", { title: "x".repeat(99) })), context)
        )
        assert.include(String(long), "value too long")
      }).pipe(Effect.scoped))
  })

  it.live("commits rows and acknowledgements as one; a row that breaks a rule is given up alone", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const { sql } = yield* connect({ schema })
      yield* sql`CREATE TABLE results (id text PRIMARY KEY, n int CHECK (n <> 13), written int NOT NULL DEFAULT 1)`
      const count = 500
      const context = yield* Layer.build(
        Layer.mergeAll(Sql.queue(Prices), Sql.table(Results)).pipe(Layer.provide(database(schema)))
      )
      const { sink } = Context.get(context, Prices)
      yield* sink.dispatch(Array.from({ length: count }, (_, n) => Transaction.make(`${n}`, { n })))
      const task = Task.consumer("copy", Prices, ({ payload }) => Effect.succeed(payload)).pipe(
        Task.dispatch(Results, ({ id }, result) => Transaction.make(id, result)),
        Task.policy({ loop: { concurrency: 50 } })
      )
      const summary = yield* Effect.provide(Task.run(task), context)
      assert.deepInclude(summary, { succeeded: count - 1, failed: 1 })
      const [row] = yield* sql`SELECT (SELECT count(*)::int FROM results) AS rows,
        (SELECT count(*)::int FROM prices WHERE state = 'done') AS done,
        (SELECT count(*)::int FROM prices WHERE state = 'dead' AND id = '13') AS dead,
        (SELECT count(DISTINCT xmin::text)::int FROM results) AS commits,
        (SELECT count(*)::int FROM results AS r JOIN prices AS p USING (id) WHERE r.xmin::text <> p.xmin::text) AS apart`
      assert.deepInclude(row, { rows: count - 1, done: count - 1, dead: 1, apart: 0 })
    }).pipe(Effect.scoped))

  it.live.each([["", false], [", also in a transaction within", true]] as const)(
    "a transaction whose session is lost fails with that, and with no defect%s",
    ([, nested]) =>
      Effect.gen(function*() {
        const { sql } = yield* connect({})
        const admin = yield* connect({})
        const losing = Effect.gen(function*() {
          const [row] = yield* sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
          yield* admin.sql`SELECT pg_terminate_backend(${row!.pid}::int)`
          return yield* Effect.eventually(Effect.flip(sql`SELECT 1`)).pipe(Effect.flatMap(Effect.fail))
        })
        const exit = yield* Effect.exit(sql.withTransaction(nested ? sql.withTransaction(losing) : losing))
        assert.isTrue(Exit.isFailure(exit) && !Exit.hasDies(exit))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "SqlError")
        assert.deepStrictEqual(yield* sql`SELECT 1 AS one`, [{ one: 1 }])
      }).pipe(Effect.scoped)
  )

  it.live("takes what is sent inside a transaction only if that commits", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const context = yield* Layer.build(Sql.queue(Prices).pipe(Layer.provideMerge(database(schema))))
      const { sql } = Context.get(context, Database.Database)
      const send = (id: string) => Effect.provide(Connector.send(Prices, Transaction.make(id, { n: 1 })), context)
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(send("rolled back"), Effect.fail("no"))))
      yield* sql.withTransaction(send("committed"))
      assert.deepStrictEqual(yield* sql`SELECT id FROM prices`, [{ id: "committed" }])
    }).pipe(Effect.scoped))

  it.live("claims batch after batch from where the last one ended, and soon looks at the front again", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const open = openOn(database(schema), { priority: ({ id }) => id.startsWith("high") ? 1 : 0 })
      const [one, other] = [yield* open, yield* open]
      const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}`)
      yield* one.send(...ids(0, 200).map(item))
      assert.deepStrictEqual(yield* one.ids(20), ids(0, 20))
      const held = yield* one.fetch(20)
      assert.deepStrictEqual(held.map(idOf), ids(20, 40))
      assert.deepStrictEqual(yield* one.ids(20), ids(40, 60))
      // What it gives back itself comes first.
      yield* one.source.settle(held.map((delivery) => Disposition.settlement(delivery, Disposition.release)))
      assert.deepStrictEqual(yield* one.ids(20), ids(20, 40))
      // What somebody else enqueues with a higher priority comes first after 100 ms.
      assert.deepStrictEqual(yield* one.ids(20), ids(60, 80))
      yield* other.send(item("high-1"), item("high-2"))
      yield* Effect.sleep("110 millis")
      assert.deepStrictEqual(yield* one.ids(20), ["high-1", "high-2", ...ids(80, 98)])
      // Two that take turns get each one once, to the last: what one keeps is given back when nobody asks for it.
      const came: Array<string> = []
      const deadline = performance.now() + 5000
      while (came.length < 102 && performance.now() < deadline) {
        came.push(...yield* one.ids(16))
        came.push(...yield* other.ids(16))
        yield* Effect.sleep("5 millis")
      }
      assert.sameMembers(came, ids(98, 200))
    }).pipe(Effect.scoped))

  it.live("what a fast consumer is kept is given back as if never claimed: when it is not asked for, and on closing", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const { sql } = yield* connect({ schema })
      const one = yield* openClosableOn(database(schema))
      const items = Array.from({ length: 150 }, (_, n) => item(`${n}`))
      yield* one.send(...items)
      const counted = (state: string) =>
        Effect.map(
          sql<{ n: number; most: number }>`SELECT count(*)::int AS n, coalesce(max(deliveries), 0) AS most FROM items
            WHERE state = ${state}`,
          ([row]) => row
        )
      yield* Effect.andThen(one.fetch(20), one.fetch(20))
      assert.deepStrictEqual(yield* counted("leased"), { n: 150, most: 0 })
      const settled = Effect.flatMap(counted("leased"), (row) => row?.n === 40 ? Effect.void : Effect.fail(row))
      yield* Effect.retry(settled, { schedule: Schedule.spaced("20 millis"), times: 100 })
      assert.deepStrictEqual(yield* counted("ready"), { n: 110, most: 0 })
      yield* Effect.andThen(one.fetch(20), one.fetch(20))
      yield* Scope.close(one.scope, Exit.void)
      assert.deepStrictEqual(yield* counted("ready"), { n: 150, most: 1 })
      const [row] = yield* sql`SELECT count(*)::int AS n FROM items WHERE deliveries = 1`
      assert.deepStrictEqual(row, { n: 80 })
    }).pipe(Effect.scoped))

  it.live("hands over what is large, and no more of it than it is asked for", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const { sql } = yield* connect({ schema })
      const one = yield* openOn(database(schema))
      const large = "x".repeat(20_000_000)
      yield* one.send(Transaction.make("large", large))
      const delivery = yield* one.one
      assert.isTrue(delivery.transaction.payload === large)
      yield* one.settle(delivery, Disposition.ack)
      const text = "x".repeat(200_000)
      yield* one.send(...Array.from({ length: 80 }, (_, n) => Transaction.make(`${n}`, text)))
      yield* Effect.andThen(one.fetch(16), one.fetch(16))
      const [row] = yield* sql`SELECT count(*)::int AS n FROM items WHERE state = 'leased'`
      assert.isAtMost(Number(row?.["n"]), 36)
    }).pipe(Effect.scoped), 30_000)

  it.live("keeps the order of each key over many writers and readers at the same time", () =>
    Effect.gen(function*() {
      const schema = yield* schemaOf()
      const key = (id: string) => id.split("-")[0]!
      const open = openOn(database(schema), { key: ({ id }) => key(id) })
      const queues = yield* Effect.all(Array.from({ length: 3 }, () => open))
      const [keys, each] = [8, 60]
      // Two write the same keys at the same time, each its own in order.
      const writing = Effect.forEach([0, 1], (writer) =>
        Effect.forEach(
          Array.from({ length: each / 2 }, (_, n) => n),
          (n) => queues[writer]!.send(...Array.from({ length: keys }, (_, k) => item(`${k}-${writer}-${n}`)))
        ), { concurrency: 2, discard: true })
      const inHand = new Set<string>()
      const came = new Map<string, Array<string>>()
      let out = 0
      const reading = Effect.forEach(queues, ({ source }) =>
        Effect.gen(function*() {
          while (out < keys * each) {
            const deliveries = yield* source.fetch({ max: 5, wait: Duration.millis(100) }).pipe(Effect.orDie)
            for (const { transaction: { id } } of deliveries) {
              assert.isFalse(inHand.has(key(id)), `${id} and another one of its key at the same time`)
              inHand.add(key(id))
              came.set(key(id), [...came.get(key(id)) ?? [], id])
            }
            yield* Effect.yieldNow
            for (const { transaction: { id } } of deliveries)
              inHand.delete(key(id))
            yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
            out += deliveries.length
          }
        }), { concurrency: "unbounded", discard: true })
      yield* Effect.all([writing, reading], { concurrency: 2 })
      for (const ids of came.values()) {
        for (const writer of ["0", "1"]) {
          const own = ids.filter((id) => id.split("-")[1] === writer).map((id) => Number(id.split("-")[2]))
          assert.deepStrictEqual(own, Array.from({ length: each / 2 }, (_, n) => n))
        }
      }
    }).pipe(Effect.scoped), 60_000)
})
