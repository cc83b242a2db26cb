/**
 * The client library: an optional peer, loaded when a broker is first provided.
 */
import { MissingClient } from "@ergon/core"
import type * as Effect from "effect/Effect"
import type * as RabbitmqClient from "rabbitmq-client"

export type { AsyncMessage, Channel, Connection, ConnectionOptions, Envelope, SyncMessage } from "rabbitmq-client"

export type Library = Pick<typeof RabbitmqClient, "Connection">

export const loading = (load: () => Promise<Library>): Effect.Effect<Library, MissingClient.MissingClient> =>
  MissingClient.loading({ neededBy: "@ergon/amqp", client: "rabbitmq-client", version: "5.0.8" }, load)

export const library = loading(() => import("rabbitmq-client"))
