/**
 * A Kafka cluster: how it is reached, and by whom.
 *
 * Connectors of `Kafka` stand on it. It knows no transaction. Nothing is connected before the first source or sink is
 * used; every connection is made anew when it is lost.
 *
 * @since 0.1.0
 */
import type { MissingClient } from "@ergon/core"
import type * as Platformatic from "@platformatic/kafka"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { Clients } from "./internal/client/clients.ts"
import { library } from "./internal/client/library.ts"
import { clusterSettings } from "./internal/settings/cluster.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * TLS. `true` in its place is TLS with the authorities that the system trusts.
 *
 * **Details**
 * - `ca`, `cert`, `key`: texts in PEM; `cert` and `key` where the cluster asks for a certificate of the client.
 * - `serverName`: the name that the certificate has to show; that of the broker unless given.
 * - `rejectUnauthorized`: `false` takes any certificate, and so any server for the cluster.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: Redacted.Redacted | undefined
  readonly passphrase?: Redacted.Redacted | undefined
  readonly serverName?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/**
 * Credentials: `username` and `password`, or a `token` for OAUTHBEARER.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER"
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly token?: Redacted.Redacted | undefined
}

/**
 * A client object of `@platformatic/kafka`.
 *
 * @category models
 * @since 0.1.0
 */
export type Client =
  | Platformatic.Consumer<Buffer, Buffer, Buffer, Buffer>
  | Platformatic.Producer<Buffer, Buffer, Buffer, Buffer>

/**
 * How a cluster is reached.
 *
 * **Details**
 * - `brokers`: some of them, as `host:port`; they name the others.
 * - `clientId`: how it is called in the logs and quotas of the cluster; `"ergon"` unless given.
 * - `tls`, `sasl`: none unless given.
 * - `connectTimeout`: for one broker; 5 seconds unless given.
 * - `requestTimeout`: for one answer; 20 seconds unless given. A join of a group may take longer: see `Kafka.source`.
 * - `autocreateTopics`: asks the cluster to make a topic that is not there, with its own defaults; `false` unless given.
 * - `prepare`: called with every client object of `@platformatic/kafka` before it is used, and awaited: to listen to its
 *   events, or to pin API versions for a broker that announces some that it does not keep. A client is made for each
 *   session of a group and each producer; nothing of what `prepare` does to it outlives it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly brokers: ReadonlyArray<string>
  readonly clientId?: string | undefined
  readonly tls?: boolean | Tls | undefined
  readonly sasl?: Sasl | undefined
  readonly connectTimeout?: Duration.Input | undefined
  readonly requestTimeout?: Duration.Input | undefined
  readonly autocreateTopics?: boolean | undefined
  readonly prepare?: ((client: Client) => Promise<void> | void) | undefined
}

/**
 * A cluster that connectors can stand on. What is in it is theirs.
 *
 * @category services
 * @since 0.1.0
 */
export class Cluster extends Context.Service<Cluster, { readonly clients: Clients }>()("@ergon/kafka/Cluster") {}

/**
 * A cluster, from options.
 *
 * **Details**
 * Fails with `SetupError`, which lists all that is wrong with the options, and with `MissingClient` when
 * `@platformatic/kafka` is not installed. It does not connect: a cluster that is down is told by the connectors.
 *
 * **Example** (Options that cannot be)
 * ```ts import.meta.vitest
 * import { Cluster } from "@ergon/kafka"
 * import { Effect, Layer } from "effect"
 *
 * const layer = Cluster.layer({ brokers: ["localhost"] })
 * await Effect.runPromise(Effect.flip(Layer.build(layer)).pipe(Effect.scoped, Effect.map((error) => error.message)))
 * // => "Cluster is not set up well: brokers.0 is \"localhost\": expected host:port"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Cluster, SetupError | MissingClient.MissingClient> =>
  Layer.effect(
    Cluster,
    Effect.gen(function*() {
      const settings = yield* clusterSettings(options)
      return { clients: new Clients(yield* library, settings) }
    })
  )

/**
 * A cluster, from the environment or another provider of configuration.
 *
 * **Details**
 * | variable | what it is |
 * |---|---|
 * | `KAFKA_BROKERS` | `host:port`, several with commas |
 * | `KAFKA_CLIENT_ID` | `clientId` |
 * | `KAFKA_TLS` | `true` or `false` |
 * | `KAFKA_TLS_CA` | the authority, in PEM |
 * | `KAFKA_SASL_MECHANISM` | with `KAFKA_USERNAME` and `KAFKA_PASSWORD`, or `KAFKA_TOKEN` |
 *
 * @category configuration
 * @since 0.1.0
 */
export const config: Config.Config<Options> = Config.all({
  brokers: Config.NonEmptyString("KAFKA_BROKERS"),
  clientId: Config.option(Config.NonEmptyString("KAFKA_CLIENT_ID")),
  tls: Config.option(Config.Boolean("KAFKA_TLS")),
  ca: Config.option(Config.NonEmptyString("KAFKA_TLS_CA")),
  mechanism: Config.option(
    Config.Literals(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], "KAFKA_SASL_MECHANISM")
  ),
  username: Config.option(Config.NonEmptyString("KAFKA_USERNAME")),
  password: Config.option(Config.Redacted("KAFKA_PASSWORD")),
  token: Config.option(Config.Redacted("KAFKA_TOKEN"))
}).pipe(Config.map(({ brokers, ca, clientId, mechanism, password, tls, token, username }): Options => ({
  brokers: brokers.split(",").map((broker) => broker.trim()),
  clientId: Option.getOrUndefined(clientId),
  tls: Option.match(ca, { onNone: () => Option.getOrUndefined(tls), onSome: (ca) => ({ ca }) }),
  sasl: Option.match(mechanism, {
    onNone: () => undefined,
    onSome: (mechanism) => ({
      mechanism,
      username: Option.getOrUndefined(username),
      password: Option.getOrUndefined(password),
      token: Option.getOrUndefined(token)
    })
  })
})))

/**
 * A cluster, from a `Config`: `Cluster.config` unless another one is given.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  from: Config.Wrap<Options> = config
): Layer.Layer<Cluster, SetupError | MissingClient.MissingClient | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(from), layer))
