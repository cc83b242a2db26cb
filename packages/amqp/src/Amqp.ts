/**
 * Connectors on RabbitMQ: queues as sources, queues and exchanges as sinks, and a queue of dead letters.
 *
 * They stand on a `Broker`. Delivery guarantee: at-least-once. A transaction is acknowledged only after its results are
 * confirmed at every sink, and a message counts as sent only once the broker has confirmed it.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError, type Transaction } from "@ergon/core"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { Broker } from "./Broker.ts"
import { openDeadLetters } from "./internal/deadLetters.ts"
import { bothSettings, deadLettersSettings, sinkSettings, sourceSettings } from "./internal/settings/connectors.ts"
import { openSink } from "./internal/sink.ts"
import { openSource } from "./internal/source/source.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * Arguments of a queue, an exchange or a binding, as RabbitMQ names them.
 *
 * @category models
 * @since 0.1.0
 */
export type Arguments = { readonly [name: string]: string | number | boolean }

/**
 * A binding of a queue to an exchange. `routingKey` is empty unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Binding {
  readonly exchange: string
  readonly routingKey?: string | undefined
  readonly arguments?: Arguments | undefined
}

/**
 * A queue, as it is declared. Always durable.
 *
 * **Details**
 * - `type`: `"quorum"` unless given: replicated, and counts deliveries. A `"classic"` queue does neither; the engine
 *   counts in memory then. Where queues are not declared, this says of which type they are.
 * - `bindings`: what it is bound to.
 * - `deliveryLimit`: after how many deliveries the broker itself drops or dead-letters a message; 100,000 unless given,
 *   so that the policy's `maxDeliveries` comes first.
 * - `maxPriority`: of a classic queue, from 1 to 255.
 * - `maxLength`: how many messages it holds at most; beyond that publishing fails with `Throttled`.
 * - `messageTtl`: how long a message waits before it is dropped, or dead-lettered where `deadLetter` is given.
 * - `singleActive`: one consumer at a time gets messages.
 * - `arguments`: any other ones.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueSpec {
  readonly name: string
  readonly type?: "quorum" | "classic" | undefined
  readonly bindings?: ReadonlyArray<Binding> | undefined
  readonly deliveryLimit?: number | undefined
  readonly maxPriority?: number | undefined
  readonly maxLength?: number | undefined
  readonly messageTtl?: Duration.Input | undefined
  readonly singleActive?: boolean | undefined
  readonly arguments?: Arguments | undefined
}

/**
 * An exchange, as it is declared: durable, `"direct"` unless given. What it cannot route goes to `alternate`, where that
 * is given.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExchangeSpec {
  readonly name: string
  readonly type?: "direct" | "topic" | "fanout" | "headers" | undefined
  readonly alternate?: string | undefined
  readonly arguments?: Arguments | undefined
}

/**
 * How a queue is consumed from.
 *
 * **Details**
 * - `queue`: the queue; the id of the key unless given.
 * - `exchanges`: exchanges to declare.
 * - `declare`: whether to make the topology (`true`), or only to look whether it is there (`false`, the default). A queue
 *   that is there with other arguments is refused.
 * - `prefetch`: how many deliveries may be unsettled at once, from 1 to 10,000. Unless given, twice what a fetch asks
 *   for at most, which is the task's concurrency; four times where that is 32 or more.
 * - `deadLetter`: where dead letters go: the name of a queue, or an exchange with a routing key. Those in a queue that was
 *   declared here can be read and sent again (`Redrive` of `@ergon/core`). Without it a task needs `Task.deadLetter`.
 * - `requeueDelay`: whether the broker holds what is requeued for later (`"native"`), in queues made when they are needed,
 *   or the engine (`"engine"`). Native unless given where `declare` is true.
 * - `missingId`: what happens to a message without an id: its id is a digest of all that its producer gave (`"digest"`,
 *   the default), or it is dead-lettered (`"reject"`).
 *
 * @category models
 * @since 0.1.0
 */
export interface OneQueueOptions {
  readonly queue?: string | QueueSpec | undefined
  readonly exchanges?: ReadonlyArray<ExchangeSpec> | undefined
  readonly declare?: boolean | undefined
  readonly prefetch?: number | undefined
  readonly deadLetter?: string | { readonly exchange: string; readonly routingKey?: string | undefined } | undefined
  readonly requeueDelay?: "native" | "engine" | undefined
  readonly missingId?: "digest" | "reject" | undefined
}

/**
 * How a source consumes. `queues` are several queues in one source, each with an equal part of the prefetch; otherwise as
 * `OneQueueOptions`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions extends OneQueueOptions {
  readonly queues?: ReadonlyArray<string | QueueSpec> | undefined
}

/**
 * How a queue is used from both sides. `priority`: of the message, from 0 to 255, where the queue has priorities; sees
 * the transaction with its payload encoded. Otherwise as `OneQueueOptions`.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions extends OneQueueOptions {
  readonly priority?: ((transaction: Transaction.Transaction<unknown>) => number | undefined) | undefined
}

/**
 * Where a sink sends.
 *
 * **Details**
 * - `queue`: a queue; the id of the key unless `exchange` is given.
 * - `exchange`, `routingKey`: an exchange, and the routing key or how it comes from the transaction, its payload encoded.
 * - `exchanges`, `queues`: what else to declare, the queues that the exchange is bound to above all.
 * - `declare`: whether to make the topology, or only to look whether it is there (the default).
 * - `priority`: of the message, from 0 to 255, where its queue has priorities.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions {
  readonly queue?: string | QueueSpec | undefined
  readonly exchange?: string | undefined
  readonly routingKey?: string | ((transaction: Transaction.Transaction<unknown>) => string) | undefined
  readonly exchanges?: ReadonlyArray<ExchangeSpec> | undefined
  readonly queues?: ReadonlyArray<string | QueueSpec> | undefined
  readonly declare?: boolean | undefined
  readonly priority?: ((transaction: Transaction.Transaction<unknown>) => number | undefined) | undefined
}

/**
 * Which queue keeps dead letters; the id of the key unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLettersOptions {
  readonly queue?: string | QueueSpec | undefined
  readonly declare?: boolean | undefined
}

const sourceOf = (id: string, options: SourceOptions) =>
  Effect.gen(function*() {
    const settings = yield* sourceSettings(id, options)
    return yield* openSource(yield* Broker, settings)
  })

const sinkOf = (id: string, options: SinkOptions) =>
  Effect.gen(function*() {
    const settings = yield* sinkSettings(id, options)
    return yield* openSink(yield* Broker, settings)
  })

const bothOf = (id: string, options: QueueOptions) =>
  Effect.gen(function*() {
    const settings = yield* bothSettings(id, options)
    const broker = yield* Broker
    return { source: yield* openSource(broker, settings.source), sink: yield* openSink(broker, settings.sink) }
  })

const deadLettersOf = (id: string, options: DeadLettersOptions) =>
  Effect.gen(function*() {
    const settings = yield* deadLettersSettings(id, options)
    return yield* openDeadLetters(id, yield* Broker, settings)
  })

/**
 * A source of one queue or several.
 *
 * **Details**
 * At-least-once. Deliveries are pushed; a fetch answers as soon as there is one, with what else has come. They are ours
 * for as long as their channel lives: when it is lost, the broker delivers them again with a higher count, and settling
 * them fails with `LeaseLost`. Lost connections, cancelled consumers and silent subscriptions heal by themselves. Closing
 * gives back what is unsettled.
 *
 * Building the Layer fails with `SetupError`, which names all that is wrong with the options, or with a `FetchError`: the
 * broker cannot be reached within its `connect`, refuses, or a queue is not there (`NotFound`).
 *
 * **Gotchas**
 * RabbitMQ closes the channel of a consumer that leaves a delivery unsettled for longer than its `consumer_timeout`, 30
 * minutes unless set. A transaction that takes longer comes back while it runs.
 *
 * **Example** (Two queues in one source)
 * ```ts import.meta.vitest
 * import { Amqp, Broker } from "@ergon/amqp"
 * import { Connector } from "@ergon/core"
 * import { Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * export const orders = Amqp.source(Orders, {
 *   queues: ["orders", { name: "orders-express", bindings: [{ exchange: "shop", routingKey: "order.express" }] }],
 *   exchanges: [{ name: "shop", type: "topic" }],
 *   deadLetter: "orders-dead",
 *   declare: true
 * }).pipe(Layer.provide(Broker.layer({ hosts: ["localhost"] })))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions = {}
): Layer.Layer<Self, SetupError | ConnectorError.FetchError, Broker> =>
  Connector.layerSource(key, sourceOf(key.id, options))

/**
 * As `source`, from effect's `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sourceConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  config: Config.Wrap<SourceOptions>
): Layer.Layer<Self, SetupError | ConnectorError.FetchError | Config.ConfigError, Broker> =>
  Connector.layerSource(key, Effect.flatMap(Config.unwrap(config), (options) => sourceOf(key.id, options)))

/**
 * A sink to a queue or an exchange.
 *
 * **Details**
 * At-least-once. A dispatch returns once the broker has confirmed every message of the batch, persistent messages on disk.
 * A message that no queue takes fails with `NotFound`; one that is refused, because a queue is full or failed, with
 * `Throttled`; an id or metadata that a message cannot hold, with `InvalidRequest`. Each failure names its transactions.
 * The id is the `message_id`, metadata goes into the headers, the payload is JSON.
 *
 * While the broker takes no messages, for an alarm of its memory or disk, a dispatch waits up to 30 seconds and then fails
 * with `Throttled`, so that the engine tries again later. Worst case: 5 seconds for a connection, those 30, and 30 for the
 * confirmations.
 *
 * **Gotchas**
 * A dispatch whose confirmation was lost is sent again: consumers may see a transaction twice, with the same id.
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions = {}
): Layer.Layer<Self, SetupError | ConnectorError.DispatchError, Broker> =>
  Connector.layerSink(key, sinkOf(key.id, options))

/**
 * As `sink`, from effect's `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sinkConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  config: Config.Wrap<SinkOptions>
): Layer.Layer<Self, SetupError | ConnectorError.DispatchError | Config.ConfigError, Broker> =>
  Connector.layerSink(key, Effect.flatMap(Config.unwrap(config), (options) => sinkOf(key.id, options)))

/**
 * Both sides of one queue. See `source` and `sink` for what each promises.
 *
 * @category layers
 * @since 0.1.0
 */
export const queue = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  options: QueueOptions = {}
): Layer.Layer<Self, SetupError | ConnectorError.FetchError | ConnectorError.DispatchError, Broker> =>
  Connector.layerQueue(key, bothOf(key.id, options))

/**
 * As `queue`, from effect's `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const queueConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  config: Config.Wrap<QueueOptions>
): Layer.Layer<
  Self,
  SetupError | ConnectorError.FetchError | ConnectorError.DispatchError | Config.ConfigError,
  Broker
> => Connector.layerQueue(key, Effect.flatMap(Config.unwrap(config), (options) => bothOf(key.id, options)))

/**
 * A queue of dead letters: each message is an envelope with the payload as it arrived, the reason and the error.
 *
 * **Details**
 * With `declare` they can be read and removed (`Redrive.letters` of `@ergon/core`), by one reader at a time. They cannot
 * be sent back from here: an AMQP queue does not know whether it holds a transaction already. A source's own dead letters
 * (`deadLetter`) can.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  options: DeadLettersOptions = {}
): Layer.Layer<Self, SetupError | ConnectorError.DispatchError, Broker> =>
  Connector.layerDeadLetters(key, deadLettersOf(key.id, options))

/**
 * As `deadLetters`, from effect's `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLettersConfig = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  config: Config.Wrap<DeadLettersOptions>
): Layer.Layer<Self, SetupError | ConnectorError.DispatchError | Config.ConfigError, Broker> =>
  Connector.layerDeadLetters(key, Effect.flatMap(Config.unwrap(config), (options) => deadLettersOf(key.id, options)))
