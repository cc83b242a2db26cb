/**
 * The client library: an optional peer, loaded when a broker is first provided.
 */
import * as Effect from "effect/Effect"
import type * as RabbitmqClient from "rabbitmq-client"
import { MissingClient } from "../../MissingClient.ts"

export type { AsyncMessage, Channel, Connection, ConnectionOptions, Envelope, SyncMessage } from "rabbitmq-client"

export type Library = Pick<typeof RabbitmqClient, "Connection">

const missing = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"])

/** Whether an import failed because this very package is not there, and not because of something within it. */
const isMissing = (error: unknown, name: string): boolean =>
  error instanceof Error && "code" in error && missing.has(String(error.code)) && error.message.includes(`'${name}'`)

/** Loads the library by `load`; what fails otherwise than by being missing is a defect. */
export const loading = (load: () => Promise<Library>): Effect.Effect<Library, MissingClient> =>
  Effect.flatMap(
    Effect.promise(() =>
      load().catch((error: unknown) => {
        if (isMissing(error, "rabbitmq-client")) return undefined
        throw error
      })
    ),
    (library) =>
      library === undefined
        ? Effect.fail(new MissingClient({ client: "rabbitmq-client", version: "5.0.8" }))
        : Effect.succeed(library)
  )

export const library: Effect.Effect<Library, MissingClient> = loading(() => import("rabbitmq-client"))
