import { describe, it } from "@effect/vitest"
import { Services } from "@ergon/lab"
import { Effect, Layer } from "effect"
import { Database, Mysql } from "./index.ts"
import { databaseOf, server } from "./test/mariadb.ts"
import { again, check, namedTwice, Script } from "./test/scripts.ts"

/** The time of the test, whatever the server thinks. */
const timed = (database: string) =>
  Layer.effect(
    Database.Database,
    Effect.map(Database.Database, (database) => ({ ...database, clockOffset: () => 0 }))
  ).pipe(Layer.provide(Layer.fresh(Mysql.layer({ ...server, database, connections: 2 }))))

const inDatabase = (keyed: boolean, script: typeof Script.Type) =>
  Effect.scoped(Effect.flatMap(databaseOf, (database) => check(timed(database), keyed, script)))

await Services.describe([Services.mariadb], "two processes at one queue of MariaDB, under any script", () => {
  describe.each([["", false, 25], [", ordered by key", true, 40]] as const)("of calls%s", (_, keyed, runs) => {
    it.effect.prop("are one simple queue", [Script], ([script]) => inDatabase(keyed, script), {
      arbitrary: { runs, size: 40 },
      timeout: 120_000
    })
    it.effect("keep the order of a batch with an id whose retention is over", () => inDatabase(keyed, again))
    it.effect("put back once a dead letter that is named twice", () => inDatabase(keyed, namedTwice))
  })
})
