/**
 * The client library, which is there only when somebody has installed it.
 */
import { MissingClient } from "@ergon/core"
import type * as Effect from "effect/Effect"
import type { Connection, ConnectionOptions } from "mysql2"

export interface Driver {
  readonly createConnection: (options: ConnectionOptions) => Connection
}

export const load = (
  imported: () => Promise<Driver> = () => import("mysql2")
): Effect.Effect<Driver, MissingClient.MissingClient> =>
  MissingClient.loading({ neededBy: "Mysql.layer", client: "mysql2", version: "3.24.6" }, imported)
