/**
 * Clients of transports are optional packages: a connector loads its own when it is first provided, and says what to
 * install where it is not there.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * The client of a transport is an optional package, and it is not installed. Nothing was connected.
 *
 * **Details**
 * - `neededBy`: the connector or the package that needs it.
 * - `client`: the package.
 * - `version`: the version that this release was tried with.
 *
 * @category errors
 * @since 0.1.0
 */
export class MissingClient extends Schema.TaggedError<MissingClient>("@ergon/core/MissingClient")("MissingClient", {
  neededBy: Schema.String,
  client: Schema.String,
  version: Schema.String
}) {
  override get message(): string {
    return `${this.neededBy} needs the package ${this.client}, which is not installed: npm install ${this.client}@${this.version}`
  }
}

const codes: ReadonlySet<unknown> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"])

/** Whether an import failed because this very package is not there, and not because of something within it. */
const isMissing = (error: unknown, client: string): boolean =>
  error instanceof Error && "code" in error && codes.has(error.code) && error.message.includes(`'${client}'`)

/**
 * Imports a client. Its absence is a `MissingClient`; whatever else is wrong with it, or with what it needs itself, is a
 * defect.
 *
 * **Example** (A client that is not installed)
 * ```ts import.meta.vitest
 * import { MissingClient } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const absent = () =>
 *   Promise.reject(Object.assign(new Error("Cannot find package 'mqtt'"), { code: "ERR_MODULE_NOT_FOUND" }))
 * const client = MissingClient.loading({ neededBy: "Mqtt", client: "mqtt", version: "5.16.0" }, absent)
 * const error = await Effect.runPromise(Effect.flip(client))
 * error.message // => "Mqtt needs the package mqtt, which is not installed: npm install mqtt@5.16.0"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const loading = <Client>(
  needed: { readonly neededBy: string; readonly client: string; readonly version: string },
  load: () => Promise<Client>
): Effect.Effect<Client, MissingClient> => {
  const loaded = Effect.promise(() =>
    load().then(
      (client) => ({ client }),
      (error: unknown) => {
        if (isMissing(error, needed.client)) return undefined
        throw error
      }
    )
  )
  return Effect.flatMap(
    loaded,
    (found) => found === undefined ? Effect.fail(new MissingClient(needed)) : Effect.succeed(found.client)
  )
}
