/**
 * The client library, which is there only when somebody has installed it.
 */
import type { PgClient, PgConnection, PgPool } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import { MissingClient } from "../../MissingClient.ts"

export interface Driver {
  readonly client: Pick<typeof PgClient, "makeCompiler">
  readonly connection: Pick<typeof PgConnection, "make">
  readonly pool: Pick<typeof PgPool, "make">
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes("@effect/sql-pg")

const imported = async (): Promise<Driver> => {
  const [client, connection, pool] = await Promise.all([
    import("@effect/sql-pg/PgClient"),
    import("@effect/sql-pg/PgConnection"),
    import("@effect/sql-pg/PgPool")
  ])
  return { client, connection, pool }
}

/** Loads `@effect/sql-pg`. What is broken in it, rather than missing, is a defect. */
export const load = (from: () => Promise<Driver> = imported): Effect.Effect<Driver, MissingClient> =>
  Effect.flatMap(
    Effect.promise(() =>
      from().catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
    ),
    (driver) =>
      driver === undefined
        ? Effect.fail(new MissingClient({ neededBy: "Postgres.layer", client: "@effect/sql-pg", version: "4.0.5" }))
        : Effect.succeed(driver)
  )
