/**
 * The client: connections to one Redis, or to one Redis Cluster. It knows nothing of transactions.
 *
 * @since 0.1.0
 */
import type { MissingClient } from "@ergon/core"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Connection } from "./internal/client/connection.ts"
import { configFields, readSettings, type Settings } from "./internal/client/settings.ts"
import { loadClient, opener } from "./internal/client/wire.ts"
import { type Given, givenInCode, givenInConfig, orFail } from "./internal/fields.ts"
import type { RedisError } from "./RedisError.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * TLS beyond `true`: `ca`, certificates that are trusted instead of the system's; `cert` and `key`, the client's own,
 * all in PEM; `passphrase` of the key; `servername`, the name that the server's certificate has to have.
 *
 * @category models
 * @since 0.1.0
 */
export interface TlsOptions {
  readonly ca?: string | Array<string> | undefined
  readonly cert?: string | Array<string> | undefined
  readonly key?: Redacted.Redacted<string> | undefined
  readonly passphrase?: Redacted.Redacted<string> | undefined
  readonly servername?: string | undefined
}

/**
 * Where Redis is and how to get in.
 *
 * **Details**
 * - `url`: `redis://[user[:password]@]host[:port][/database]`; `rediss://` for TLS. Or `host` and `port`: `127.0.0.1`
 *   and 6379 unless given. Or `nodes` of a cluster, as `host:port`: it is enough that one of them answers.
 * - `username`, `password`: of an ACL user, or the password alone.
 * - `database`: its number, 0 unless given; a cluster has no other.
 * - `tls`: `true` for a certificate that the system trusts, or `TlsOptions`.
 * - `name`: of the connections in `CLIENT LIST`; `ergon` unless given.
 * - `connectTimeout`: 10 seconds unless given, at most 30.
 * - `commandTimeout`: how long a command may have no answer, after which its connection is given up; 10 seconds unless
 *   given, at most 30.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly url?: string | Redacted.Redacted<string> | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly nodes?: ReadonlyArray<string> | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted<string> | undefined
  readonly database?: number | undefined
  readonly tls?: boolean | TlsOptions | undefined
  readonly name?: string | undefined
  readonly connectTimeout?: Duration.Input | undefined
  readonly commandTimeout?: Duration.Input | undefined
}

/**
 * Connections to one Redis.
 *
 * **Details**
 * - `send`: one command on the shared connection. It fails at once while the server is away: nothing is queued for it.
 *   Worst case: `connectTimeout` and `commandTimeout`. Interrupting it is safe: a command that is not on its way is not
 *   sent any more; one that is may still take effect. In a cluster a command goes to the node that serves its keys.
 * - `connection`: the shared connection, or in a cluster one that follows the keys it is used for.
 * - `dedicated`: a connection of its own for commands that block.
 *
 * @category services
 * @since 0.1.0
 */
export class RedisClient extends Context.Service<RedisClient, {
  readonly send: (command: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, RedisError>
  readonly connection: Effect.Effect<Connection, never, Scope.Scope>
  readonly dedicated: Effect.Effect<Connection, never, Scope.Scope>
  /** Milliseconds. */
  readonly commandTimeout: number
}>()("@ergon/redis/RedisClient") {}

const acquirer = (settings: Settings) => {
  const openWire = opener(settings.wire)
  return Effect.acquireRelease(
    Effect.sync(() => new Connection(settings, openWire)),
    (connection) => Effect.sync(() => connection.close())
  )
}

const open = (settings: Settings): Effect.Effect<RedisClient["Service"], MissingClient.MissingClient, Scope.Scope> =>
  Effect.gen(function*() {
    yield* loadClient
    const acquire = acquirer(settings)
    const shared = yield* acquire
    return {
      send: (command, ...args) => shared.send([command, ...args]),
      connection: settings.cluster ? acquire : Effect.succeed(shared),
      dedicated: acquire,
      commandTimeout: settings.commandTimeout
    }
  })

/**
 * Connects to Redis with these options.
 *
 * **Details**
 * Connections are opened when they are first needed and again when they were lost: a server that is away fails what needs
 * it with a `ConnectionLost`, and a task waits for it. Fails with `SetupError`, which tells all that is wrong with the
 * options, and with `MissingClient` where the package `redis` is not installed.
 *
 * **Example** (Options that are not valid)
 * ```ts import.meta.vitest
 * import { RedisClient } from "@ergon/redis"
 * import { Effect, Layer } from "effect"
 *
 * const layer = RedisClient.layer({ port: 70_000, commandTimeout: "1 hour" })
 * const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
 * error.message.split("\n")
 * // => ["the connection to Redis has 2 problems:", "- port: 70000 is not valid; expected an integer from 1 to 65535", "- commandTimeout: \"1 hour\" is not valid; expected a duration from 10 ms to 30 s"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<RedisClient, SetupError | MissingClient.MissingClient> =>
  Layer.effect(
    RedisClient,
    Effect.suspend(() => connect(givenInCode(options)))
  )

const connect = (
  given: Given
): Effect.Effect<RedisClient["Service"], SetupError | MissingClient.MissingClient, Scope.Scope> => {
  const problems: Array<string> = []
  const settings = readSettings(given, problems)
  return Effect.flatMap(orFail("the connection to Redis", problems, () => settings), open)
}

/**
 * Connects to Redis with what the configuration says: a `Config` of the options, or one for each; or the fields of
 * `Options` as variables under a prefix, `REDIS` unless given: `REDIS_URL`, `REDIS_HOST`, `REDIS_PASSWORD`,
 * `REDIS_COMMAND_TIMEOUT` and so on.
 *
 * **Details**
 * A variable that is blank is not given. A bare number of a duration is seconds; `REDIS_NODES` is a list with commas;
 * `REDIS_TLS` is true or false, and `REDIS_TLS_CA`, `REDIS_TLS_CERT`, `REDIS_TLS_KEY` (in PEM, with line ends or `\\n`),
 * `REDIS_TLS_PASSPHRASE` and `REDIS_TLS_SERVERNAME` are the fields of `TlsOptions`. A problem names the variable.
 *
 * **Example** (The address from the environment)
 * ```ts import.meta.vitest
 * import { RedisClient } from "@ergon/redis"
 * import { Config, Effect, ConfigProvider, Layer } from "effect"
 *
 * export const named = RedisClient.layerConfig({ url: Config.Redacted("CACHE_URL") })
 *
 * const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { REDIS_PORT: "many", REDIS_TLS: "maybe" } }))
 * const layer = RedisClient.layerConfig().pipe(Layer.provide(environment))
 * const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(layer))))
 * error.message.split("\n").slice(1)
 * // => ["- REDIS_PORT: \"many\" is not valid; expected an integer from 1 to 65535", "- REDIS_TLS: \"maybe\" is not valid; expected true, false, or an object of ca, cert, key (Redacted), passphrase (Redacted), servername"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  config: string | Config.Wrap<Options> = "REDIS"
): Layer.Layer<RedisClient, SetupError | MissingClient.MissingClient | Config.ConfigError> =>
  Layer.effect(RedisClient, Effect.flatMap(givenInConfig(configFields, config), connect))
