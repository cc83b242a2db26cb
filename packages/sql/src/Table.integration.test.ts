import { Connector, Task } from "@ergon/core"
import { Ledger, Program, Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Random, Schedule, Schema } from "effect"
import * as path from "node:path"
import { Database, Mysql, Outbox, Postgres, Sqlite, Table } from "./index.ts"
import * as mariadb from "./test/mariadb.ts"
import { connect, places } from "./test/places.ts"
import * as postgres from "./test/postgres.ts"
import { filename } from "./test/queues.ts"

const Entry = Schema.Struct({ n: Schema.Int })
class Entries extends Connector.Source<Entries>()("entries", Entry) {}

const print = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))

/** A database twice: behind a proxy that cuts, and as it is. */
const behindProxy = {
  PostgreSQL: Effect.gen(function*() {
    const schema = yield* postgres.schemaOf()
    const proxy = yield* Proxy.make(postgres.server.port)
    const at = (port: number) => Postgres.layer({ ...postgres.server, port, schema, connections: 8 })
    return { proxy, layer: at(postgres.server.port), cutLayer: at(proxy.port) }
  }),
  MariaDB: Effect.gen(function*() {
    const database = yield* mariadb.databaseOf
    const proxy = yield* Proxy.make(mariadb.server.port)
    const at = (port: number) => Mysql.layer({ ...mariadb.server, port, database, connections: 8 })
    return { proxy, layer: at(mariadb.server.port), cutLayer: at(proxy.port) }
  })
}

for (const place of places) {
  if (place.name === "SQLite") continue
  const { name } = place
  await Services.describe(place.needs, `a table of ${name} that six write to`, () => {
    const total = 3_000
    it.live(
      `hands over ${total} rows that commit in any order, while its connections are cut`,
      () =>
        Effect.gen(function*() {
          const { cutLayer, layer, proxy } = yield* behindProxy[name]
          const { sql } = yield* connect(layer)
          yield* sql.unsafe(`CREATE TABLE entries (id ${place.identity}, n BIGINT NOT NULL, at ${place.time})`)
          const ledger = Ledger.make()
          const ids: Array<number> = []
          const source = yield* Layer.build(
            Table.source(Entries, { poll: "20 millis", lease: "2 seconds" }).pipe(Layer.provide(Layer.fresh(cutLayer)))
          )
          const consuming = yield* Effect.forkScoped(
            Task.run(
              Task.consumer("read", Entries, ({ id, payload: { n } }) =>
                Effect.sync(() => {
                  ledger.out(`${n}`)
                  ids.push(Number(id))
                })).pipe(Task.discardFailures, Task.policy({ loop: { concurrency: 16, streaming: true } }))
            ).pipe(Effect.provideContext(source))
          )
          let next = 0
          let rolledBack = 0
          let longest = 0
          const write = Effect.gen(function*() {
            while (next < total) {
              const rows = Math.min(total - next, yield* Random.nextIntBetween(1, 40))
              const ns = Array.from({ length: rows }, (_, index) => next + index)
              next += rows
              const isGivenUp = (yield* Random.next) < 0.1
              // Most commit soon; some stay open for long, and others overtake them.
              const pause = (yield* Random.next) < 0.1
                ? yield* Random.nextIntBetween(300, 900)
                : yield* Random.nextIntBetween(0, 20)
              longest = Math.max(longest, pause)
              const transaction = sql.withTransaction(Effect.gen(function*() {
                for (const n of ns) yield* sql`INSERT INTO entries (n) VALUES (${n})`
                yield* Effect.sleep(pause)
                if (isGivenUp) return yield* Effect.fail("given up" as const)
                return yield* Effect.void
              }))
              yield* Effect.matchEffect(transaction, {
                onFailure: (error) =>
                  error === "given up" ? Effect.sync(() => void (rolledBack += rows)) : Effect.fail(error),
                onSuccess: () =>
                  Effect.sync(() => {
                    for (const n of ns) ledger.in(`${n}`)
                  })
              })
            }
          })
          const cutting = yield* Effect.forkScoped(
            Effect.repeat(Effect.andThen(Effect.sleep("400 millis"), proxy.cut), { times: 5 })
          )
          yield* Effect.all([write, write, write, write, write, write], { concurrency: "unbounded" })
          yield* Fiber.join(cutting)
          const done = Effect.sync(() => ledger.balance().lost.length === 0)
          yield* Effect.raceFirst(
            Effect.repeat(done, { until: (done) => done, schedule: Schedule.spaced("20 millis") }),
            Effect.asVoid(Fiber.join(consuming))
          ).pipe(Effect.timeoutOption("20 seconds"))
          yield* Fiber.interrupt(consuming)
          const balance = ledger.balance()
          yield* print(
            `${name}: ${balance.text}; ${rolledBack} rolled back, transactions open for up to ${longest} ms, 6 cuts`
          )
          assert.deepStrictEqual([balance.lost, balance.strange], [[], []])
          assert.strictEqual(balance.in, total - rolledBack)
          // In the order of the cursor, but for what comes again after a cut.
          const steps = ids.filter((id, index) => index > 0 && id < ids[index - 1]!).length
          assert.isAtMost(steps, 16 + balance.duplicates)
        }).pipe(Effect.scoped),
      60_000
    )
  })
}

class Relayed extends Connector.Source<Relayed>()("relayed", Entry) {}

for (const place of places) {
  // MariaDB's writers are killed where its server is the test's own.
  if (place.name === "MariaDB") continue
  await Services.describe(place.needs, `an outbox of ${place.name}`, () => {
    it.live(
      "holds an order and the word of it together, or neither, when writers end with SIGKILL",
      () =>
        Effect.gen(function*() {
          const where = place.name === "SQLite" ? yield* filename : yield* postgres.schemaOf()
          const script = path.join(import.meta.dirname, "test", "outboxWriter.ts")
          const layer = place.name === "SQLite"
            ? Sqlite.layer({ filename: where })
            : Postgres.layer({ ...postgres.server, schema: where })
          const context = yield* Layer.build(
            Outbox.source(Relayed, { table: "box" }).pipe(Layer.provideMerge(Layer.fresh(layer)))
          )
          const { sql } = Context.get(context, Database.Database)
          yield* sql`CREATE TABLE box_orders (n BIGINT PRIMARY KEY)`
          const rounds = 3
          let orders = 0
          for (let round = 0; round < rounds; round++) {
            yield* sql`DELETE FROM box_orders`
            yield* sql`DELETE FROM box`
            const writer = yield* Program.script(script, [place.name, where])
            yield* Effect.raceFirst(
              Effect.asVoid(
                Effect.repeat(Effect.sleep("2 millis"), { until: () => writer.lines.length >= 3 + 2 * round })
              ),
              Effect.flatMap(
                writer.ended,
                () => Effect.flatMap(writer.log, (log) => Effect.die(`it has ended: ${log}`))
              )
            )
            yield* writer.kill
            // The server ends what the killed one had begun: what is written to the table afterwards is seen with it.
            yield* sql.withTransaction(sql`INSERT INTO box_orders (n) VALUES (-1)`)
            yield* sql`DELETE FROM box_orders WHERE n = -1`
            const words = yield* sql<{ id: string }>`SELECT id FROM box`
            const placed = yield* sql<{ n: number | string | bigint }>`SELECT n FROM box_orders`
            const sorted = (ids: ReadonlyArray<string>) => ids.toSorted()
            assert.deepStrictEqual(sorted(words.map(({ id }) => id)), sorted(placed.map(({ n }) => String(n))))
            assert.deepStrictEqual(placed.filter(({ n }) => Number(n) % 3 === 2), [])
            orders = placed.length
          }
          assert.isAbove(orders, 10)
          yield* print(
            `outbox of ${place.name}: ${rounds} writers killed; ${orders} orders of the last one, each with its word`
          )
        }).pipe(Effect.scoped),
      60_000
    )
  })
}

for (const place of places) {
  if (place.name === "MariaDB") continue
  await Services.describe(place.needs, `a table of ${place.name} with two readers`, () => {
    it.live("is read on by the other one when one ends with SIGKILL", () =>
      Effect.gen(function*() {
        const total = 2_000
        const where = place.name === "SQLite" ? yield* filename : yield* postgres.schemaOf()
        const layer = place.name === "SQLite"
          ? Sqlite.layer({ filename: where })
          : Postgres.layer({ ...postgres.server, schema: where })
        const { sql } = yield* connect(layer)
        yield* sql.unsafe(`CREATE TABLE entries (id ${place.identity}, n BIGINT NOT NULL)`)
        const insert = (from: number, to: number) =>
          sql.unsafe(`INSERT INTO entries (n) VALUES ${
            Array.from({ length: to - from }, (_, index) => `(${from + index})`).join(", ")
          }`)
        yield* insert(0, total / 2)
        const script = path.join(import.meta.dirname, "test", "tableReader.ts")
        const start = Program.script(script, [place.name, where])
        const readers = [yield* start, yield* start]
        const killed = new Set<number>()
        const said = () =>
          readers.reduce((sum, { lines }) => sum + lines.length, 0)
        const until = (lines: number) =>
          Effect.asVoid(Effect.repeat(Effect.sleep("2 millis"), { until: () => said() >= lines })).pipe(
            Effect.timeoutOrElse({
              duration: "20 seconds",
              orElse: () => Effect.flatMap(readers.at(-1)!.log, (log) => Effect.die(`nobody reads on: ${log}`))
            })
          )
        // Whoever reads is killed, three times; somebody stands by each time.
        for (let round = 1; round <= 3; round++) {
          yield* until(250 * round)
          const living = readers.filter(({ pid }) => !killed.has(pid))
          const busy = living.reduce((most, one) => one.lines.length > most.lines.length ? one : most)
          killed.add(busy.pid)
          yield* busy.kill
          readers.push(yield* start)
          if (round === 1) yield* insert(total / 2, total)
        }
        const distinct = () => new Set(readers.flatMap(({ lines }) => lines)).size
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => distinct() === total }).pipe(
          Effect.timeoutOption("20 seconds")
        )
        yield* print(`${place.name}: ${total} in, ${distinct()} out, ${said() - distinct()} duplicated by 3 kills`)
        assert.strictEqual(distinct(), total)
      }).pipe(Effect.scoped), 60_000)
  })
}
