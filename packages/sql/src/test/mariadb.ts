/** What the tests on MariaDB open: tables of their own, connections that can be cut. */
import { Proxy } from "@ergon/lab"
import { Context, Effect, Layer } from "effect"
import { Database, Mysql } from "../index.ts"

export const server = { host: "127.0.0.1", port: 3306, username: "root", database: "test" } as const

/** Another connection, which no test cuts. */
export const admin = Effect.map(
  Layer.build(Layer.fresh(Mysql.layer({ ...server, connections: 2 }))),
  (context) => Context.get(context, Database.Database)
).pipe(Effect.orDie)

let count = 0

/** The name of a table that no other test has, and which ends with the scope. */
export const tableOf = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => `zz_${name}_${process.pid}_${count++}`),
    (table) =>
      Effect.scoped(Effect.gen(function*() {
        const { sql } = yield* admin
        yield* sql.unsafe(`DROP TABLE IF EXISTS ${table}`)
        const catalogue = yield* sql`SELECT 1 FROM information_schema.tables
          WHERE table_schema = 'test' AND table_name = 'ergon_tables'`
        if (catalogue.length === 0) return
        yield* sql`DELETE FROM ergon_tables WHERE name = ${table}`
        yield* sql.unsafe("DELETE FROM ergon_locks WHERE name = ?", [table]).pipe(Effect.ignore)
      })).pipe(Effect.orDie)
  )

/** A database behind a proxy. */
export const database = Effect.map(Proxy.make(server.port), (proxy) => ({
  proxy,
  cut: proxy.cut,
  layer: Mysql.layer({ ...server, port: proxy.port, connections: 4 })
}))

/** A database of its own, which ends with the scope. */
export const databaseOf = Effect.acquireRelease(
  Effect.gen(function*() {
    const name = `zz_${process.pid}_${count++}`
    yield* Effect.scoped(Effect.flatMap(admin, ({ sql }) => sql.unsafe(`CREATE DATABASE ${name}`)))
    return name
  }).pipe(Effect.orDie),
  (name) => Effect.scoped(Effect.flatMap(admin, ({ sql }) => sql.unsafe(`DROP DATABASE ${name}`))).pipe(Effect.orDie)
)
