/** What the tests on PostgreSQL open: a schema of their own, connections that can be cut. */
import { Proxy } from "@ergon/lab"
import { Context, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { Database, Postgres } from "../index.ts"

export const server = { host: "127.0.0.1", port: 5432, username: "postgres", database: "test" } as const

/** A connection of its own, which no test cuts. */
export const connect = (options: Postgres.Options) =>
  Effect.map(
    Layer.build(Layer.fresh(Postgres.layer({ ...server, connections: 2, ...options }))),
    (context) => Context.get(context, Database.Database)
  ).pipe(Effect.orDie)

/** A schema that no other test has, and that ends with the scope. */
export const schemaOf = (options: Postgres.Options = {}) => {
  const statement = (text: string) =>
    Effect.scoped(Effect.flatMap(connect(options), ({ sql }) => sql.unsafe(text))).pipe(Effect.orDie)
  return Effect.acquireRelease(
    Effect.suspend(() => {
      const schema = `zz_${randomUUID().replaceAll("-", "")}`
      return Effect.as(statement(`CREATE SCHEMA ${schema}`), schema)
    }),
    (schema) => statement(`DROP SCHEMA ${schema} CASCADE`)
  )
}

/** A schema behind a proxy. */
export const database = Effect.gen(function*() {
  const schema = yield* schemaOf()
  const proxy = yield* Proxy.make(server.port)
  return {
    schema,
    proxy,
    cut: proxy.cut,
    layer: Postgres.layer({ ...server, port: proxy.port, schema, connections: 4 }),
    admin: connect({ schema })
  }
})
