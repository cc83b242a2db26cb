import { describe, it } from "@effect/vitest"
import { Services } from "@ergon/lab"
import { Effect, Layer } from "effect"
import { Database, Postgres } from "./index.ts"
import { schemaOf, server } from "./test/postgres.ts"
import { again, check, namedTwice, Script } from "./test/scripts.ts"

/** The time of the test, whatever the server thinks. */
const timed = (options: Postgres.Options) =>
  Layer.effect(
    Database.Database,
    Effect.map(Database.Database, (database) => ({ ...database, clockOffset: () => 0 }))
  ).pipe(Layer.provide(Layer.fresh(Postgres.layer({ ...server, ...options, connections: 2 }))))

const inSchema = (keyed: boolean, script: typeof Script.Type) =>
  Effect.scoped(Effect.flatMap(schemaOf(), (schema) => check(timed({ schema }), keyed, script)))

await Services.describe([Services.postgres], "two processes at one queue of PostgreSQL, under any script", () => {
  describe.each([["", false, 20], [", ordered by key", true, 30]] as const)("of calls%s", (_, keyed, runs) => {
    it.effect.prop("are one simple queue", [Script], ([script]) => inSchema(keyed, script), {
      arbitrary: { runs, size: 40 },
      timeout: 120_000
    })
    it.effect("keep the order of a batch with an id whose retention is over", () => inSchema(keyed, again))
    it.effect("put back once a dead letter that is named twice", () => inSchema(keyed, namedTwice))
  })
})
