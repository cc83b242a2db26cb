/**
 * A Redis server of a test's own.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"

/**
 * What its tests need.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = Services.program("redis-server", "apt-get install redis-server")

/**
 * Starts one that writes every command to disk before it answers. `args` are more of its options.
 *
 * @category constructors
 * @since 0.1.0
 */
export const server = (
  args: ReadonlyArray<string> = []
): Effect.Effect<Server.Server, Server.NotStarted, Scope.Scope> =>
  Server.make({
    name: "redis",
    command: ({ folder, port }) => ({
      command: "redis-server",
      args: [
        "--bind",
        "127.0.0.1",
        "--port",
        String(port),
        "--dir",
        folder,
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        ...args
      ]
    })
  })
