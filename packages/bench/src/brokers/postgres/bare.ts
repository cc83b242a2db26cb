/** The floor: @effect/sql-pg itself, a claim of a batch by SKIP LOCKED and one DELETE for what it brought. */
import { PgClient } from "@effect/sql-pg"
import { type Effect, ManagedRuntime, Redacted } from "effect"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, work } from "../contender.ts"

const batch = 4 * concurrency

export const bare = async (url: string, table: string): Promise<Contender> => {
  const runtime = ManagedRuntime.make(PgClient.layer({ url: Redacted.make(url) }))
  const run = <A, E>(effect: Effect.Effect<A, E>) => runtime.runPromise(effect)
  const sql = await runtime.runPromise(PgClient.PgClient)
  await run(sql`CREATE TABLE ${sql(table)} (
    seq BIGSERIAL PRIMARY KEY, id TEXT NOT NULL, payload TEXT NOT NULL, metadata TEXT NOT NULL,
    visible_at TIMESTAMPTZ NOT NULL DEFAULT now(), deliveries INT NOT NULL DEFAULT 0)`)
  const insert = async (numbers: ReadonlyArray<number>): Promise<void> => {
    const [first, ...rest] = numbers.map((n) => ({
      id: `p-${n}`,
      payload: JSON.stringify(payload(n)),
      metadata: "{}"
    }))
    if (first !== undefined) await run(sql`INSERT INTO ${sql(table)} ${sql.insert([first, ...rest])}`)
  }
  /** The numbers of a batch, settled. */
  const next = async (began: () => void): Promise<ReadonlyArray<number>> => {
    const rows = await run(sql<{ readonly seq: string; readonly payload: string; readonly metadata: string }>`
      UPDATE ${sql(table)} SET visible_at = now() + interval '60 seconds', deliveries = deliveries + 1
      WHERE seq IN (
        SELECT seq FROM ${sql(table)} WHERE visible_at <= now() ORDER BY seq
        FOR UPDATE SKIP LOCKED LIMIT ${batch})
      RETURNING seq, id, payload, metadata`)
    if (rows.length === 0) return []
    began()
    const numbers = rows.map((row) => {
      JSON.parse(row.metadata)
      return numberOf(work(row.payload).id)
    })
    await run(sql`DELETE FROM ${sql(table)} WHERE seq IN ${sql.in(rows.map((row) => row.seq))}`)
    return numbers
  }
  return {
    name: "bare @effect/sql-pg",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await insert(numbers)
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      while (done < count) done += (await next(watch.first)).length
      return watch.milliseconds()
    },
    enqueue: (n) => insert([n]),
    start: (settled) => {
      let stopped = false
      const loop = async () => {
        while (!stopped) {
          const numbers = await next(() => {})
          numbers.forEach((n) => settled(n))
          // It asks every 10 ms when nothing is there.
          if (numbers.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }
      const running = loop()
      return Promise.resolve(() => {
        stopped = true
        return running
      })
    },
    close: async () => {
      await run(sql`DROP TABLE ${sql(table)}`)
      await runtime.dispose()
    }
  }
}
