/**
 * The table of a queue, made where it is missing, with what its options say.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Database } from "../../Database.ts"
import type { SetupError } from "../../SetupError.ts"
import type { SqlError } from "../effectSql.ts"
import { millis } from "../millis.ts"
import { tableName } from "../tableName.ts"
import { migrate } from "./schema.ts"
import { Store } from "./store.ts"

export interface QueueSettings {
  readonly table?: string | undefined
  readonly lease?: Duration.Input | undefined
  readonly retention?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
}

/** The queue of this id; unless its options name a table, in one of the same name. */
export const openStore = (
  id: string,
  keyed: boolean,
  options: QueueSettings
): Effect.Effect<Store, SqlError | SetupError, Database> =>
  Effect.gen(function*() {
    const table = yield* tableName(id, options.table)
    const database = yield* Database
    const store = new Store(database, yield* Clock.Clock, {
      table,
      keyed,
      lease: yield* millis(table, "lease", options.lease ?? "1 minute", 1),
      retention: yield* millis(table, "retention", options.retention ?? "7 days", 0),
      poll: yield* millis(table, "poll", options.poll ?? database.dialect.queue.poll, 1)
    })
    const { dialect, sql } = database
    yield* migrate(sql, dialect, { table, kind: "queue", versions: dialect.queue.versions(table) })
    return store
  })
