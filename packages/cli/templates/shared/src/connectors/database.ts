import { Sqlite } from "@ergon/sql"
import { Config, Effect, Layer } from "effect"

/** One file, made where it is missing. On a local disk: SQLite's locks do not work over most network file systems. */
export const databaseLive = Layer.unwrap(Effect.gen(function*() {
  const filename = yield* Config.String("DATABASE_FILE").pipe(Config.withDefault("data/__PROJECT__.db"))
  return Sqlite.layer({ filename })
}))
