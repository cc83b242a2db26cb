import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as path from "node:path"
import { Database, Sqlite } from "./index.ts"
import { directory } from "./test/queues.ts"
import { start } from "./test/processes.ts"

const rounds = 20
const total = 10_000

const within = <A, E>(file: string, effect: Effect.Effect<A, E, Database.Database>) =>
  Effect.provide(effect, Sqlite.layer({ filename: file }))

/** A table as `Sql.table` makes it, and every writing of a row in a log of the same transaction. */
const logged = (table: string) =>
  Effect.gen(function*() {
    const { sql } = yield* Database.Database
    yield* sql.unsafe(`CREATE TABLE ${table} (id TEXT PRIMARY KEY, n NUMERIC)`)
    yield* sql.unsafe(`CREATE TABLE log (id TEXT)`)
    for (const event of ["INSERT", "UPDATE"]) {
      yield* sql.unsafe(`CREATE TRIGGER log_${event} AFTER ${event} ON ${table} BEGIN
        INSERT INTO log VALUES (NEW.id); END`)
    }
  })

const writings = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  return yield* sql<{ id: string; n: number }>`SELECT id, count(*) AS n FROM log GROUP BY id`
})

/** None where the process was killed before it made its tables. */
const inFlight = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const tables = yield* sql`SELECT 1 FROM sqlite_schema WHERE name IN ('items', 'once')`
  if (tables.length < 2) return 0
  const [row] = yield* sql<{ n: number }>`SELECT (SELECT count(*) FROM items WHERE state = 'leased') +
    (SELECT count(*) FROM once WHERE state = 'leased') AS n`
  return row!.n
})

describe("kill -9", () => {
  it.live(`${rounds} times while ${total} transactions pass through two queues`, () =>
    Effect.gen(function*() {
      const folder = yield* directory
      const queue = path.join(folder, "queue.db")
      const elsewhere = path.join(folder, "elsewhere.db")
      yield* within(queue, logged("results"))
      yield* within(elsewhere, logged("elsewhere"))

      let confirmed = 0
      let busy = 0
      for (let round = 1; round <= rounds; round++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const to = Math.max(confirmed + 100, Math.floor((round * total) / (rounds + 1)))
          const worker = yield* start("killed", folder, confirmed, to)
          // Most are killed at work, some while they open the file or have just begun.
          if (round % 5 === 0) yield* Effect.andThen(worker.said("up"), Effect.sleep(Math.random() * 30))
          else if (round % 5 === 1) yield* Effect.sleep(Math.random() * 800)
          else yield* Effect.andThen(worker.said("working"), Effect.sleep(Math.random() * 150))
          yield* worker.kill
          const { signal } = yield* worker.ended
          assert.strictEqual(signal, "SIGKILL")
          for (const line of worker.lines) {
            if (line.startsWith("confirmed ")) confirmed = Number(line.slice("confirmed ".length))
          }
          if ((yield* within(queue, inFlight)) > 0) busy++
        }))
      }
      const last = yield* start("finish", folder, confirmed, total)
      assert.deepStrictEqual(yield* last.ended, { code: 0, signal: null })

      const ids = Array.from({ length: total }, (_, n) => `${n}`).toSorted()
      const once = yield* within(queue, writings)
      assert.deepStrictEqual(
        once.map(({ id }) => id).toSorted(),
        ids
      )
      assert.deepStrictEqual(once.filter(({ n }) => n !== 1), [])
      const again = yield* within(elsewhere, writings)
      assert.deepStrictEqual(again.map(({ id }) => id).toSorted(), ids)
      const duplicates = again.reduce((sum, { n }) => sum + n - 1, 0)
      // Kills that never hit work in flight would prove nothing.
      assert.isAtLeast(busy, rounds / 2)
      yield* Effect.sync(() =>
        process.stdout.write(
          `kill -9: ${rounds} rounds, ${busy} with work in flight, ${total} transactions in each queue: none lost; ` +
            `${duplicates} written again in another file, none in the queue's own\n`
        )
      )
    }), 120_000)
})
