/**
 * The client package, loaded when it is first needed: it is an optional peer.
 */
import type * as Platformatic from "@platformatic/kafka"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { MissingClient } from "../../MissingClient.ts"

export type Library = typeof Platformatic
export type { Consumer, Producer } from "@platformatic/kafka"

/** A client object of the package: one that consumes, or one that produces. */
export type Client = Platformatic.Consumer | Platformatic.Producer

const name = "@platformatic/kafka"
/** What this release was tried with; `package.json` asks for the same. */
const version = "2.12.1"

const isMissing = (error: unknown): boolean =>
  Predicate.hasProperty(error, "code") && error.code === "ERR_MODULE_NOT_FOUND" &&
  Predicate.hasProperty(error, "message") && String(error.message).includes(name)

class Unusable extends Data.TaggedError("Unusable")<{ readonly cause: unknown }> {}

/** Loads it with `load`; anything but its absence is a defect. */
export const loadWith = (load: () => Promise<Library>): Effect.Effect<Library, MissingClient> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) => isMissing(cause) ? new MissingClient({ client: name, version }) : new Unusable({ cause })
  }).pipe(Effect.catchTag("Unusable", ({ cause }) => Effect.die(cause)))

export const library: Effect.Effect<Library, MissingClient> = loadWith(() => import("@platformatic/kafka"))
