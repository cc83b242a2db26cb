import { Connector, Task, Transaction } from "@ergon/core"
import { Ledger, MariaDb, Program, Proxy, type Server, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Schedule, Schema, type Scope } from "effect"
import * as path from "node:path"
import { Database, Mysql, Outbox, Sql } from "./index.ts"

const Item = Schema.Struct({ n: Schema.Int })
class Items extends Connector.Queue<Items>()("items", Item) {}

const to = (port: number, options: Mysql.Options = {}) =>
  Mysql.layer({
    host: "127.0.0.1",
    port,
    username: "root",
    database: "test",
    connectTimeout: "2 seconds",
    statementTimeout: "3 seconds",
    lockTimeout: "2 seconds",
    ...options
  })
const script = path.join(import.meta.dirname, "test", "mysqlWorker.ts")
const print = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))
const item = (n: number) => Transaction.make(`${n}`, { n })

/** Once a program has said so many lines; fails when it ends before. */
const said = (program: Program.Program, lines: number) =>
  Effect.raceFirst(
    Effect.asVoid(Effect.repeat(Effect.sleep("2 millis"), { until: () => program.lines.length >= lines })),
    Effect.flatMap(program.ended, () => Effect.flatMap(program.log, (log) => Effect.die(`it has ended: ${log}`)))
  )

/** A database that is connected anew, for a look from outside. */
const look = <A, E>(server: Server.Server, use: (database: Database.Database["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(
    Layer.build(Layer.fresh(to(server.port, { connections: 2 }))),
    (context) => use(Context.get(context, Database.Database))
  ))
const deadlocks = (server: Server.Server) =>
  look(server, ({ sql }) =>
    Effect.map(
      sql<{ Value: string }>`SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'`,
      ([row]) => Number(row?.Value ?? 0)
    ))

/** Each row is done once: one that was settled twice would have needed a second claim. */
const books = (server: Server.Server, table: string) =>
  look(server, ({ sql }) =>
    Effect.map(
      sql<{ state: string; n: number; claims: string }>`
        SELECT state, COUNT(*) AS n, SUM(claim) AS claims FROM ${sql(table)} GROUP BY state`,
      (rows) => rows.map(({ claims, n, state }) => ({ state, n, claims: Number(claims) }))
    ))

/**
 * Publishes and consumes `total` transactions at the same time while `faults` happen, and looks into the books when all
 * has come out.
 */
const through = (
  name: string,
  server: Server.Server,
  port: number,
  table: string,
  total: number,
  faults: (
    at: (part: number) => Effect.Effect<void>,
    consumedMore: Effect.Effect<void>
  ) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function*() {
    const ledger = Ledger.make()
    let consumed = 0
    const seen = new Set<string>()
    const queue = Sql.queue(Items, { table, lease: "4 seconds", poll: "50 millis" })
    const build = Effect.map(
      Layer.build(Layer.fresh(queue.pipe(Layer.provide(Layer.fresh(to(port)))))),
      (context) => Context.pick(Items)(context)
    )
    const consumer = yield* build
    const producer = Context.get(yield* build, Items)
    const consuming = yield* Effect.forkScoped(
      Task.run(
        Task.consumer("work", Items, ({ id }) =>
          Effect.sync(() => {
            consumed++
            seen.add(id)
            ledger.out(id)
          })).pipe(Task.policy({ loop: { concurrency: 64, streaming: true }, fetch: { batch: { size: 200 } } }))
      ).pipe(Effect.provideContext(consumer))
    )
    let tries = 0
    const publishing = yield* Effect.forkScoped(Effect.gen(function*() {
      for (let n = 0; n < total; n += 100) {
        const batch = Array.from({ length: Math.min(100, total - n) }, (_, index) => item(n + index))
        yield* Effect.retry(
          Effect.andThen(Effect.sync(() => void tries++), producer.sink.dispatch(batch)),
          { while: ({ reason }) => reason.isRetryable, schedule: Schedule.spaced("100 millis") }
        )
        for (const { id } of batch) ledger.in(id)
      }
    }))
    const until = (condition: () => boolean) =>
      Effect.asVoid(Effect.repeat(Effect.sleep("5 millis"), { until: condition }))
    const began = performance.now()
    const consumedMore = Effect.suspend(() => {
      const before = seen.size
      return until(() => seen.size >= Math.min(total, before + 50))
    })
    yield* faults((part) => until(() => seen.size >= part * total), consumedMore)
    yield* Fiber.join(publishing)
    yield* Effect.raceFirst(until(() => seen.size === total), Effect.asVoid(Fiber.join(consuming)))
    // The last settlements.
    const allDone = Effect.repeat(books(server, table), {
      until: (rows) => rows.length === 1 && rows[0]?.state === "done",
      schedule: Schedule.spaced("50 millis")
    })
    const rows = yield* Effect.timeout(allDone, "20 seconds")
    const took = (performance.now() - began) / 1000
    yield* Fiber.interrupt(consuming)
    const balance = ledger.balance()
    yield* print(
      `${name}: ${balance.text}; ${rows[0]?.claims ?? 0} claims, ${tries} dispatches of ${
        Math.ceil(total / 100)
      } batches; ` +
        `${took.toFixed(1)} s, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`
    )
    assert.deepStrictEqual([balance.in, balance.out, balance.lost, balance.strange], [total, total, [], []])
    assert.deepStrictEqual(rows.map(({ n, state }) => [state, n]), [["done", total]])
    assert.strictEqual(consumed, total + balance.duplicates)
  }).pipe(Effect.scoped)

await Services.describe([MariaDb.needs], "a queue on a MariaDB of the test's own", () => {
  it.live(
    "loses nothing when the server is restarted, killed and frozen under 20,000 transactions",
    () =>
      Effect.gen(function*() {
        const server = yield* MariaDb.server()
        yield* through("restarted, killed, frozen", server, server.port, "items", 20_000, (at, consumedMore) =>
          Effect.gen(function*() {
            yield* at(0.15)
            yield* server.stop
            yield* server.start
            yield* consumedMore
            yield* at(0.4)
            yield* server.kill
            yield* Effect.sleep("1 second")
            yield* server.start
            yield* consumedMore
            yield* at(0.7)
            yield* server.freeze
            // Longer than statements and connecting may take.
            yield* Effect.sleep("6 seconds")
            yield* server.thaw
            yield* consumedMore
          }))
      }).pipe(Effect.scoped),
    150_000
  )

  it.live("loses nothing when connections are cut in mid-message, refused and stalled", () =>
    Effect.gen(function*() {
      const server = yield* MariaDb.server()
      const proxy = yield* Proxy.make(server.port)
      yield* through("cut, refused, stalled", server, proxy.port, "items", 5_000, (at, consumedMore) =>
        Effect.gen(function*() {
          for (let round = 1; round <= 8; round++) {
            yield* at(round * 0.08)
            yield* proxy.cutAfter(1 + 997 * round, round % 2 === 0 ? "toServer" : "toClient")
            yield* consumedMore
          }
          yield* proxy.refuse
          yield* Effect.sleep("1 second")
          yield* proxy.accept
          yield* consumedMore
          // Connected, and nothing comes: a statement is given up, and the next connection is another one.
          yield* proxy.stall
          yield* Effect.sleep("4 seconds")
          yield* proxy.cut
          yield* proxy.flow
          yield* consumedMore
        }))
    }).pipe(Effect.scoped), 150_000)

  const onServer = <E>(test: (server: Server.Server) => Effect.Effect<void, E, Scope.Scope>) =>
    Effect.scoped(Effect.flatMap(MariaDb.server(), test))

  it.live("tells nobody of deadlocks: what they have undone is done again", () => onServer(deadlocked), 60_000)
  it.live("loses nothing with consumers that end with SIGKILL", () => onServer(killed), 60_000)
  it.live("ends a run whose credentials are revoked, and begins another one", () => onServer(revoked), 60_000)
  it.live("holds an order and the word of it together, or neither", () => onServer(torn), 60_000)
})

/** Many who enqueue the same ids in different orders: who waits for whom is a circle. */
const deadlocked = (server: Server.Server) =>
  Effect.gen(function*() {
    const before = yield* deadlocks(server)
    const context = yield* Layer.build(
      Layer.fresh(
        Sql.queue(Items, { table: "tangled", key: ({ id }) => `${Number(id) % 7}` }).pipe(
          Layer.provideMerge(Layer.fresh(to(server.port)))
        )
      )
    )
    const { sink } = Context.get(context, Items)
    const { sql } = Context.get(context, Database.Database)
    const rounds = 25
    for (let round = 0; round < rounds; round++) {
      const batch = Array.from({ length: 40 }, (_, n) => item(round * 40 + n))
      const orders = [batch, batch.toReversed(), [...batch.slice(20), ...batch.slice(0, 20)], batch.toReversed()]
      yield* Effect.forEach(orders, (order) => sink.dispatch(order), { concurrency: "unbounded", discard: true })
    }
    // The same without keys, where nobody takes turns.
    const plain = Context.get(
      yield* Layer.build(
        Layer.fresh(Sql.queue(Items, { table: "untangled" }).pipe(Layer.provide(Layer.fresh(to(server.port)))))
      ),
      Items
    )
    for (let round = 0; round < rounds; round++) {
      const batch = Array.from({ length: 90 }, (_, n) => item(round * 90 + n))
      const orders = [batch, batch.toReversed(), [...batch.slice(45), ...batch.slice(0, 45)], batch.toReversed()]
      yield* Effect.forEach(orders, (order) => plain.sink.dispatch(order), { concurrency: "unbounded", discard: true })
    }
    const provoked = (yield* deadlocks(server)) - before
    const [row] = yield* sql<{ n: number; m: number }>`
      SELECT (SELECT COUNT(*) FROM tangled) AS n, (SELECT COUNT(*) FROM untangled) AS m`
    yield* print(
      `deadlocks: ${provoked} provoked by 4 enqueuers at a time, ${row?.n}+${row?.m} rows, each once, nobody saw one`
    )
    assert.isAbove(provoked, 0)
    assert.deepStrictEqual({ ...row }, { n: rounds * 40, m: rounds * 90 })
  }).pipe(Effect.scoped)

/** Consumers that end with SIGKILL; the last one stays. */
const killed = (server: Server.Server) =>
  Effect.gen(function*() {
    const total = 2_000
    const { sink, source } = Context.get(
      yield* Layer.build(
        Sql.queue(Items, { table: "killed", lease: "2 seconds" }).pipe(Layer.provide(to(server.port)))
      ),
      Items
    )
    yield* sink.dispatch(Array.from({ length: total }, (_, n) => item(n)))
    const handled: Array<string> = []
    const start = Program.script(script, ["consumer", `${server.port}`, "killed"])
    for (let round = 0; round < 3; round++) {
      const consumer = yield* start
      yield* said(consumer, 150)
      const { signal } = yield* consumer.kill
      assert.strictEqual(signal, "SIGKILL")
      handled.push(...consumer.lines)
    }
    const last = yield* start
    const empty = Effect.map(source.count!, ({ delayed, inFlight, ready }) => ready + inFlight + delayed === 0)
    yield* Effect.repeat(empty, { until: (done) => done, schedule: Schedule.spaced("50 millis") })
    yield* last.kill
    handled.push(...last.lines)
    const ids = new Set(handled)
    yield* print(`SIGKILL: ${total} in, ${ids.size} out, ${handled.length - ids.size} duplicated by 3 kills`)
    assert.strictEqual(ids.size, total)
  }).pipe(Effect.scoped)

/** The user of a consumer is taken away under it, and given back. */
const revoked = (server: Server.Server) =>
  Effect.gen(function*() {
    const secret = "hush-hush-hush"
    yield* look(server, ({ sql }) =>
      Effect.gen(function*() {
        yield* sql.unsafe(`CREATE USER worker@localhost IDENTIFIED BY '${secret}'`)
        yield* sql.unsafe("GRANT ALL ON test.* TO worker@localhost")
      }))
    const { sink, source } = Context.get(
      yield* Layer.build(
        Sql.queue(Items, { table: "revoked" }).pipe(
          Layer.provide(to(server.port, { username: "worker", password: Redacted.make(secret) }))
        )
      ),
      Items
    )
    const handled: Array<string> = []
    const run = Task.run(
      Task.consumer("work", Items, ({ id }) => Effect.sync(() => void handled.push(id))).pipe(
        Task.policy({ loop: { streaming: true } })
      )
    ).pipe(Effect.provideService(Items, { sink, source }))
    const running = yield* Effect.forkScoped(run)
    yield* sink.dispatch([item(1)])
    yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => handled.length === 1 })
    yield* look(server, ({ sql }) =>
      Effect.gen(function*() {
        yield* sql.unsafe("ALTER USER worker@localhost ACCOUNT LOCK")
        yield* sql.unsafe("KILL USER worker")
      }))
    const exit = yield* Fiber.await(running)
    assert.isTrue(Exit.isFailure(exit))
    const told = String(Exit.isFailure(exit) ? exit.cause : "")
    assert.include(told, "Unauthorized")
    assert.notInclude(told, secret)
    yield* look(server, ({ sql }) =>
      Effect.gen(function*() {
        yield* sql.unsafe("ALTER USER worker@localhost ACCOUNT UNLOCK")
      }))
    yield* sink.dispatch([item(2)])
    const again = yield* Effect.forkScoped(run)
    yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => handled.length === 2 })
    yield* Fiber.interrupt(again)
    assert.deepStrictEqual(handled, ["1", "2"])
    yield* print(`revoked: the run ends with "Unauthorized", and works again once the user may`)
  }).pipe(Effect.scoped)

/** Writers that are killed in mid-transaction: an order and the word of it are there together, or neither is. */
const torn = (server: Server.Server) =>
  Effect.gen(function*() {
    class Relayed extends Connector.Source<Relayed>()("relayed", Item) {}
    const context = yield* Layer.build(
      Outbox.source(Relayed, { table: "box" }).pipe(Layer.provideMerge(Layer.fresh(to(server.port))))
    )
    const { sql } = Context.get(context, Database.Database)
    yield* sql`CREATE TABLE box_orders (n BIGINT PRIMARY KEY)`
    const rounds = 3
    for (let round = 0; round < rounds; round++) {
      yield* sql`DELETE FROM box_orders`
      yield* sql`DELETE FROM box`
      const writer = yield* Program.script(script, ["writer", `${server.port}`, "box"])
      yield* said(writer, 3 + 2 * round)
      yield* writer.kill
      // The server ends what the killed one had begun.
      const open = sql<
        { n: number }
      >`SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_rows_modified > 0`
      yield* Effect.repeat(open, { until: ([row]) => row?.n === 0, schedule: Schedule.spaced("150 millis") })
      const odd = yield* sql`SELECT id FROM box WHERE id NOT IN (SELECT n FROM box_orders)
        UNION ALL SELECT n FROM box_orders WHERE n NOT IN (SELECT id FROM box)`
      assert.deepStrictEqual(odd, [])
      assert.deepStrictEqual(yield* sql`SELECT n FROM box_orders WHERE n % 3 = 2`, [])
    }
    const [row] = yield* sql<{ n: number }>`SELECT COUNT(*) AS n FROM box`
    assert.isAbove(row?.n ?? 0, 10)
    yield* print(`outbox: ${rounds} writers killed with SIGKILL; ${row?.n} orders of the last one, each with its word`)
  }).pipe(Effect.scoped)
