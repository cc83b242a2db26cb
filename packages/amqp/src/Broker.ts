/**
 * A RabbitMQ broker: how it is reached, and the connections to it that the connectors of this package share.
 *
 * @since 0.1.0
 */
import type { MissingClient } from "@ergon/core"
import * as Config from "effect/Config"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { library } from "./internal/client/library.ts"
import { Link } from "./internal/client/link.ts"
import { Publisher } from "./internal/client/publisher.ts"
import { Locks } from "./internal/letters/lock.ts"
import { brokerSettings } from "./internal/settings/broker.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * TLS, where the defaults of Node are not enough. `ca`, `cert` and `key` are PEM texts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: Redacted.Redacted | string | undefined
  readonly passphrase?: Redacted.Redacted | string | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/**
 * How a broker is reached.
 *
 * **Details**
 * - `url`: `amqp://user:password@host:port/vhost`, `amqps://` for TLS. Or its parts:
 * - `hosts`: `host` or `host:port` of each node of a cluster, tried in turn; `["localhost"]` unless given.
 * - `username`, `password`, `vhost`: `guest`, `guest` and `/` unless given.
 * - `tls`: `true`, or what it needs. Ports are 5672, with TLS 5671, unless given.
 * - `heartbeat`: how often both sides say that they are there; 10 seconds unless given, at least 1. A peer that is silent
 *   is given up after about twice as long.
 * - `connect`: how long building a Layer waits for the broker; 30 seconds unless given. A refusal of the credentials
 *   ends it at once.
 * - `patience`: how long a broker that was reached before may refuse the credentials, or have lost a queue, before that
 *   ends a run; 1 minute unless given. Until then it is tried again.
 * - `name`: of the connections, as RabbitMQ shows them; `ergon` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly url?: Redacted.Redacted | string | undefined
  readonly hosts?: ReadonlyArray<string> | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | string | undefined
  readonly vhost?: string | undefined
  readonly tls?: boolean | Tls | undefined
  readonly heartbeat?: Duration.Input | undefined
  readonly connect?: Duration.Input | undefined
  readonly patience?: Duration.Input | undefined
  readonly name?: string | undefined
}

/**
 * A broker. It has two connections: one to consume, one to publish. An alarm of the broker's memory or disk stops what
 * publishes and nothing else, so that work that needs no publishing is acknowledged all the same.
 *
 * **Details**
 * - `consuming`, `publishing`: connections that heal by themselves, made at their first use.
 * - `publisher`: publishes with confirmations.
 * - `locks`: lets one reader of dead letters in at a time.
 * - `connect`: how long building a connector waits, in milliseconds; `patience`: see `Options`.
 *
 * @category services
 * @since 0.1.0
 */
export class Broker extends Context.Service<Broker, {
  readonly consuming: Link
  readonly publishing: Link
  readonly publisher: Publisher
  readonly locks: Locks
  readonly connect: number
  readonly patience: number
}>()("@ergon/amqp/Broker") {}

const make = (
  options: Options
): Effect.Effect<Broker["Service"], SetupError | MissingClient.MissingClient, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* brokerSettings(options)
    const loaded = yield* library
    const clock = yield* Clock.Clock
    const scope = yield* Scope.Scope
    const link = (purpose: string) => new Link({ settings, library: loaded, clock, scope, purpose })
    const publishing = link("publishing")
    return {
      consuming: link("consuming"),
      publishing,
      publisher: new Publisher(publishing),
      locks: new Locks(),
      connect: settings.connect,
      patience: settings.patience
    }
  })

/**
 * A broker for the connectors of this package. Provide one value to all of them: they share its connections.
 *
 * **Details**
 * It connects at the first use, a connector's Layer being built at the latest, and connects again by itself for as long
 * as the Layer lives: after 100 ms, then up to every 2 seconds. With the Layer the connections are closed, in order within
 * 2 seconds each, else by force. Fails with `SetupError`, which names all that is wrong with the options, or `MissingClient`.
 *
 * **Example** (Options that cannot be)
 * ```ts import.meta.vitest
 * import { Broker } from "@ergon/amqp"
 * import { Effect, Layer } from "effect"
 *
 * const broker = Broker.layer({ hosts: ["one:5672:1"], heartbeat: "10 millis" })
 * const error = await Effect.runPromise(Effect.scoped(Effect.flip(Layer.build(broker))))
 * error.message
 * // => "broker: hosts.0 is \"one:5672:1\": expected host or host:port; heartbeat is \"10 millis\": expected a finite duration of at least 1000 milliseconds"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Broker, SetupError | MissingClient.MissingClient> =>
  Layer.effect(Broker, make(options))

/**
 * As `layer`, from effect's `Config`: a `Config` of all options, or one for each.
 *
 * **Example** (The address from the environment)
 * ```ts import.meta.vitest
 * import { Broker } from "@ergon/amqp"
 * import { Config } from "effect"
 *
 * export const broker = Broker.layerConfig({ url: Config.Redacted("AMQP_URL") })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  config: Config.Wrap<Options>
): Layer.Layer<Broker, SetupError | MissingClient.MissingClient | Config.ConfigError> =>
  Layer.effect(Broker, Effect.flatMap(Config.unwrap(config), make))
