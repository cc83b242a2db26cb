/**
 * The client library, which is there only when somebody has installed it.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Connection, ConnectionOptions } from "mysql2"
import { MissingClient } from "../../MissingClient.ts"

export interface Driver {
  readonly createConnection: (options: ConnectionOptions) => Connection
}

const isMissing = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error &&
  (error.code === "ERR_MODULE_NOT_FOUND" || error.code === "MODULE_NOT_FOUND")

class Broken extends Data.TaggedError("Broken")<{ readonly error: unknown }> {}

/** Loads `mysql2`. What is broken in it, rather than missing, is a defect. */
export const load = (
  imported: () => Promise<Driver> = () => import("mysql2")
): Effect.Effect<Driver, MissingClient> =>
  Effect.tryPromise({
    try: imported,
    catch: (error) =>
      isMissing(error)
        ? new MissingClient({ neededBy: "Mysql.layer", client: "mysql2", version: "3.24.6" })
        : new Broken({ error })
  }).pipe(Effect.catchTag("Broken", ({ error }) => Effect.die(error)))
