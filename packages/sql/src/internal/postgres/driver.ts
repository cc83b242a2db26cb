/**
 * The client library, which is there only when somebody has installed it.
 */
import type { PgClient, PgConnection, PgPool } from "@effect/sql-pg"
import { MissingClient } from "@ergon/core"
import type * as Effect from "effect/Effect"

export interface Driver {
  readonly client: Pick<typeof PgClient, "makeCompiler">
  readonly connection: Pick<typeof PgConnection, "make">
  readonly pool: Pick<typeof PgPool, "make">
}

const imported = async (): Promise<Driver> => {
  const [client, connection, pool] = await Promise.all([
    import("@effect/sql-pg/PgClient"),
    import("@effect/sql-pg/PgConnection"),
    import("@effect/sql-pg/PgPool")
  ])
  return { client, connection, pool }
}

export const load = (
  from: () => Promise<Driver> = imported
): Effect.Effect<Driver, MissingClient.MissingClient> =>
  MissingClient.loading({ neededBy: "Postgres.layer", client: "@effect/sql-pg", version: "4.0.5" }, from)
