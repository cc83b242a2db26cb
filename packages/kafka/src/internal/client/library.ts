/**
 * The client package, loaded when it is first needed: it is an optional peer.
 */
import { MissingClient } from "@ergon/core"
import type * as Platformatic from "@platformatic/kafka"
import type * as Effect from "effect/Effect"

export type Library = typeof Platformatic
export type { Consumer, Producer } from "@platformatic/kafka"

/** A client object of the package: one that consumes, or one that produces. */
export type Client = Platformatic.Consumer | Platformatic.Producer

export const loadWith = (load: () => Promise<Library>): Effect.Effect<Library, MissingClient.MissingClient> =>
  MissingClient.loading({ neededBy: "Kafka", client: "@platformatic/kafka", version: "2.12.1" }, load)

export const library = loadWith(() => import("@platformatic/kafka"))
