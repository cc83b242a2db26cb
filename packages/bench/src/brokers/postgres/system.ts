import { Postgres, Sql } from "@ergon/sql"
import { Effect, Layer, Redacted } from "effect"
import pg from "pg"
import { ergon, Queued, Sent } from "../ergon.ts"
import type { System } from "../system.ts"
import { bare } from "./bare.ts"
import { graphile } from "./graphile.ts"

/** A PostgreSQL that runs on this port, with the user `postgres` and the database `test`. */
export const postgres = (port: number): System => {
  const url = `postgres://postgres@127.0.0.1:${port}/test`
  const query = async (text: string): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }
  const ours = (table: string) => {
    const database = Postgres.layer({ url: Redacted.make(url) })
    const layer = Layer.provide(Sql.queue(Queued, { table }), database)
    const sent = Layer.effect(Sent, Effect.map(Queued, ({ sink }) => ({ sink }))).pipe(Layer.provide(layer))
    return ergon(layer, sent, async () => {
      await query(`DROP TABLE "${table}"`)
      await query(`DELETE FROM ergon_tables WHERE name = '${table}'`)
    })
  }
  return {
    name: "PostgreSQL",
    ours,
    contenders: async () => [
      await bare(url, `bench_bare_${process.pid}`),
      ours(`bench_ergon_${process.pid}`),
      await graphile(url, "best"),
      await graphile(url, "default")
    ],
    asked: async () => {
      const [row] = await query(
        "SELECT xact_commit + xact_rollback AS asked FROM pg_stat_database WHERE datname = 'test'"
      )
      return Number(row?.["asked"])
    },
    goals: {
      "bare @effect/sql-pg": 0.7,
      "graphile-worker, local queue": 1.8,
      "graphile-worker, defaults": 10
    }
  }
}
