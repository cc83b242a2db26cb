import { Connector, Task, Transaction } from "@ergon/core"
import { Postgres as Lab, Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Postgres, Sql } from "./index.ts"
import { flow, Orders, policy } from "./test/flow.ts"
import { connect } from "./test/postgres.ts"

class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ n: Schema.Int, text: Schema.String })) {}

/** Faults take as long as these say. */
const options = (port: number): Postgres.Options => ({
  host: "127.0.0.1",
  port,
  username: "postgres",
  database: "postgres",
  statementTimeout: "2 seconds",
  connectTimeout: "2 seconds",
  watch: "1 second"
})

const queue = (port: number, more: Postgres.Options = {}) =>
  Sql.queue(Orders, { lease: "3 seconds" }).pipe(
    Layer.provide(Layer.fresh(Postgres.layer({ ...options(port), ...more })))
  )

/** How many messages the table says are done, and what became of the others. */
const done = (port: number) =>
  Effect.scoped(Effect.gen(function*() {
    const { sql } = yield* connect(options(port))
    const [row] = yield* sql<{ n: number }>`SELECT count(*)::int AS n FROM orders WHERE state = 'done'`
    const others = yield* sql`SELECT id, state, reason FROM orders WHERE state <> 'done'`
    return { n: row?.n, others }
  }))

const told = (
  what: string,
  count: number,
  port: number,
  { balance, failures, growth }: Effect.Success<ReturnType<typeof flow>>
) =>
  Effect.gen(function*() {
    process.stdout.write(
      `${what}: ${balance.text}; ${failures} dispatches failed and were made again; ` +
        `memory grew by ${Math.round(growth / 1e6)} MB at most\n`
    )
    assert.strictEqual(balance.in, count)
    assert.deepStrictEqual(balance.lost, [])
    assert.deepStrictEqual(balance.strange, [])
    assert.deepStrictEqual(yield* done(port), { n: count, others: [] })
    assert.isBelow(growth, 300e6)
  })

await Services.describe([Lab.needs], "a PostgreSQL under fault", () => {
  it.live("restarted, killed and frozen, it loses none of 20,000", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const result = yield* flow({
        count: 20_000,
        producer: queue(server.port),
        consumers: [queue(server.port)],
        events: [
          [3000, Effect.andThen(server.stop, server.start)],
          [7000, Effect.andThen(server.kill, server.start)],
          [11_000, Effect.andThen(server.freeze, Effect.andThen(Effect.sleep("4 seconds"), server.thaw))],
          [15_000, server.kill.pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(server.start))]
        ]
      })
      yield* told("restarted, killed, frozen for 4 s, killed for 2 s", 20_000, server.port, result)
    }).pipe(Effect.scoped), 120_000)

  it.live("cut in mid-message, it loses none", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const proxy = yield* Proxy.make(server.port)
      const result = yield* flow({
        count: 8000,
        producer: queue(proxy.port),
        consumers: [queue(proxy.port)],
        events: [
          [500, proxy.cutAfter(1234, "toClient")],
          [1000, proxy.cutAfter(7777, "toServer")],
          [1500, proxy.cutAfter(3, "toClient")],
          [2000, proxy.cutAfter(1, "toServer")],
          [2500, proxy.cut],
          [3000, proxy.cutAfter(20_001, "toClient")],
          [3500, proxy.cutAfter(20_001, "toServer")],
          [4500, Effect.andThen(proxy.refuse, Effect.andThen(Effect.sleep("1 second"), proxy.accept))],
          // Nothing is lost, nothing arrives: as when a firewall forgets a connection.
          [6000, Effect.andThen(proxy.stall, Effect.andThen(Effect.sleep("4 seconds"), proxy.flow))]
        ]
      })
      yield* told("cut in mid-message, refused, stalled for 4 s", 8000, server.port, result)
    }).pipe(Effect.scoped), 120_000)

  it.live("every session terminated again and again, two consumers lose none", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const { sql } = yield* connect({ ...options(server.port), applicationName: "admin" })
      const terminate = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'ergon' AND pid <> pg_backend_pid()`
      const result = yield* flow({
        count: 6000,
        producer: queue(server.port),
        consumers: [queue(server.port), queue(server.port)],
        events: [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000].map((at) => [at, terminate] as const)
      })
      yield* told("pg_terminate_backend eight times, two consumers", 6000, server.port, result)
    }).pipe(Effect.scoped), 120_000)

  it.live(
    "rows and acknowledgements are one transaction through all of it: each row is written once",
    () =>
      Effect.gen(function*() {
        const server = yield* Lab.server()
        const proxy = yield* Proxy.make(server.port)
        const { sql } = yield* connect({ ...options(server.port), applicationName: "admin" })
        // Every writing of a row is in a log of the same transaction.
        for (
          const text of [
            "CREATE TABLE receipts (id text PRIMARY KEY, n int, text text)",
            "CREATE TABLE log (id text)",
            `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END $$`,
            "CREATE TRIGGER note AFTER INSERT OR UPDATE ON receipts FOR EACH ROW EXECUTE FUNCTION note()"
          ]
        ) yield* sql.unsafe(text)
        const count = 6000
        const database = Layer.fresh(Postgres.layer(options(proxy.port)))
        const result = yield* flow({
          count,
          producer: queue(server.port),
          consumers: [queue(server.port), queue(server.port)],
          // With a database of its own: queue and table have to share it.
          consume: (books) =>
            Task.run(
              Task.consumer("price", Orders, ({ id, payload }) => Effect.as(Effect.sync(() => books.came(id)), payload))
                .pipe(
                  Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
                  Task.policy(policy)
                )
            ).pipe(
              Effect.provide(
                Layer.mergeAll(Sql.queue(Orders, { lease: "3 seconds" }), Sql.table(Receipts)).pipe(
                  Layer.provide(database)
                )
              )
            ),
          events: [
            [700, proxy.cutAfter(9000, "toServer")],
            [1400, proxy.cutAfter(1234, "toClient")],
            [2100, Effect.andThen(server.kill, server.start)],
            [3000, proxy.cut],
            [3900, Effect.andThen(server.freeze, Effect.andThen(Effect.sleep("3 seconds"), server.thaw))],
            [4800, Effect.andThen(server.stop, server.start)]
          ]
        })
        const [row] = yield* Effect.retry(
          sql`SELECT count(*)::int AS writings, count(DISTINCT id)::int AS rows FROM log`,
          { times: 3 }
        )
        yield* told(
          "cut, killed, frozen, restarted, two consumers, rows with acknowledgements",
          count,
          server.port,
          result
        )
        process.stdout.write(`${row?.["rows"]} rows, written ${row?.["writings"]} times\n`)
        assert.deepStrictEqual(row, { writings: count, rows: count })
      }).pipe(Effect.scoped),
    120_000
  )
})
