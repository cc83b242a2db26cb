/**
 * Connectors on Kafka: topics as a source in a consumer group, as a sink, as a queue, and for dead letters.
 *
 * They stand on the `Cluster` that `Cluster.layer` provides. Delivery guarantee: at-least-once. The group stores one
 * position for each partition; it is committed only up to the first transaction that is not done, and after its results
 * are confirmed at every sink.
 *
 * @since 0.1.0
 */
import { Connector, type Transaction } from "@ergon/core"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { Cluster } from "./Cluster.ts"
import { lettersSettings, sinkSettings } from "./internal/settings/sink.ts"
import { sourceSettings } from "./internal/settings/source.ts"
import { openLetters, openSink } from "./internal/sink.ts"
import { openSource } from "./internal/source.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * How topics are consumed. Every member of a group should give the same options.
 *
 * **Details**
 * - `topics`: one or several; the id of the key unless given.
 * - `group`: the consumer group. What it has committed is where it goes on.
 * - `start`: where a partition begins for which the group has no position, or one that retention has removed:
 *   `"earliest"` unless given, `"latest"`, or `"fail"`.
 * - `id`: where the id of a transaction comes from: `{ header }`, `"key"`, or `"position"`, which is
 *   `<topic>-<partition>-<offset>`. The header `ergon-id`, which sinks of this package write, unless given. Where the
 *   header or key is missing: the position. Every one of them is the same at each delivery.
 * - `order`: what `loop.ordering: "byKey"` keeps in order: `"key"` unless given, messages of one key one after another,
 *   those without a key in no order; or `"partition"`, all of a partition one after another.
 * - `isolation`: `"read_committed"` unless given: messages of aborted transactions are not seen.
 * - `session`: how long the group waits for a heartbeat before it gives our partitions to others; 45 seconds unless
 *   given. `heartbeat`: how often it is sent; 3 seconds, or a fifth of a shorter `session`, unless given.
 * - `rebalance`: how long the group waits for its members to come to a rebalance; 60 seconds unless given.
 * - `drain`: how long what was handed over may go on when the group rebalances, before this member joins again; 20
 *   seconds, or a third of a shorter `session`, unless given.
 * - `instanceId`: makes the member a static one: it may restart within `session` without a rebalance. One for each process.
 * - `highWaterMark`: how many messages may wait here before no more are fetched; eight times the largest fetch of the
 *   task, which goes by its concurrency, and at least 1,024, unless given. One answer of each broker comes on top of it.
 * - `maxBytes`: of one partition in one answer; 1 MiB unless given.
 * - `maxWait`: how long a broker waits for something to answer with; 500 milliseconds unless given.
 * - `watch`: how often it is checked that what the group lags behind really arrives; 10 seconds unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly topics?: string | ReadonlyArray<string> | undefined
  readonly group: string
  readonly start?: "earliest" | "latest" | "fail" | undefined
  readonly id?: "position" | "key" | { readonly header: string } | undefined
  readonly order?: "key" | "partition" | undefined
  readonly isolation?: "read_committed" | "read_uncommitted" | undefined
  readonly session?: Duration.Input | undefined
  readonly heartbeat?: Duration.Input | undefined
  readonly rebalance?: Duration.Input | undefined
  readonly drain?: Duration.Input | undefined
  readonly instanceId?: string | undefined
  readonly highWaterMark?: number | undefined
  readonly maxBytes?: number | undefined
  readonly maxWait?: Duration.Input | undefined
  readonly watch?: Duration.Input | undefined
}

/**
 * How messages are published. Every replica in sync acknowledges them.
 *
 * **Details**
 * - `acks`: `"all"`, and nothing else: with fewer, a message that was confirmed can be lost.
 * - `idempotent`: the cluster drops what the client repeats after a lost answer; `true` unless given.
 * - `compression`: `"none"` unless given.
 * - `maxMessage`: the largest message in bytes; 1,000,000 unless given. A larger one is refused by name, the others of its
 *   batch are published. Keep it below the cluster's `message.max.bytes`.
 * - `timeout`: for a request with all its repetitions; 30 seconds unless given. After that it fails with `Timeout`, and
 *   nothing of it is sent any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublishOptions {
  readonly acks?: "all" | undefined
  readonly idempotent?: boolean | undefined
  readonly compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd" | undefined
  readonly maxMessage?: number | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * How transactions become messages of a topic.
 *
 * **Details**
 * - `topic`: the id of the key unless given.
 * - `key`: the key of the message, from the transaction with its payload encoded. Messages of one key are in one partition,
 *   in the order in which they were dispatched; the partition is the one that other clients of Kafka choose. Without a
 *   key, partitions take turns.
 * - `delay`: a source of this package hands the message over after this time, not before; none unless given. Everything
 *   behind it in its partition waits as long: give a topic one delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions extends PublishOptions {
  readonly topic?: string | undefined
  readonly key?: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly delay?: Duration.Input | undefined
}

/**
 * How a topic is a queue: what a source and a sink need.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions extends Omit<SourceOptions, "topics"> {
  readonly topic?: string | undefined
  readonly key?: SinkOptions["key"]
  readonly publish?: PublishOptions | undefined
}

/**
 * Where a transaction goes that was given up.
 *
 * **Details**
 * - `topic`: of the dead letters; the id of the key unless given.
 * - `retry`: retry topics, in their order. A transaction that is given up for the first time goes to the first one, as it
 *   arrived, to be handed over again after `delay` by the source that has these topics among its own; then to the second
 *   one, and so on, and after the last one to `topic`. What cannot be decoded goes to `topic` at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLettersOptions extends PublishOptions {
  readonly topic?: string | undefined
  readonly retry?: ReadonlyArray<{ readonly topic: string; readonly delay: Duration.Input }> | undefined
}

/**
 * Topics as a source, consumed in a group.
 *
 * **Details**
 * - A payload is the value of a message, JSON. One that is not JSON is dead-lettered as `invalid`; a message without a
 *   value (a tombstone) has the payload `null`.
 * - Metadata: all headers, and `topic`, `partition`, `offset`, `timestamp` (milliseconds since 1970) and `key`.
 * - The group has one position for each partition. The engine commits it up to the first transaction that is not done, so
 *   after a crash what was done behind it comes again. Deliveries are counted, and requeues held, in memory.
 * - A delivery is ours for as long as the group says so: until a rebalance gives its partition to another member, or the
 *   group waits in vain for heartbeats. What is settled after that is answered with `LeaseLost`; the other member delivers it again.
 * - The Layer does not wait for the cluster. Fetching fails with `FetchError`: `ConnectionLost` or `Timeout` while the
 *   cluster is away, `NotFound` for a topic that is not there, `Unauthorized`.
 * - Worst case: a rebalance holds deliveries back for `drain` and the time that the other members take, at most
 *   `rebalance`. A cluster that is away for longer than `session` costs what is in flight: it is delivered again.
 *
 * **Example** (Consuming a topic)
 * ```ts no-run="needs a broker"
 * import { Connector, Task } from "@ergon/core"
 * import { Cluster, Kafka } from "@ergon/kafka"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * const ship = Task.consumer("ship", Orders, ({ payload }) => Effect.log(`${payload.quantity} to ship`)).pipe(
 *   Task.discardFailures,
 *   Task.policy({ loop: { concurrency: 16, ordering: "byKey", streaming: true } })
 * )
 * const layers = Kafka.source(Orders, { group: "shipping" }).pipe(
 *   Layer.provide(Cluster.layer({ brokers: ["localhost:9092"] }))
 * )
 * await Effect.runPromise(Effect.provide(Task.run(ship), layers))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions
): Layer.Layer<Self, SetupError, Cluster> =>
  Connector.layerSource(
    key,
    Effect.gen(function*() {
      const { clients } = yield* Cluster
      return yield* openSource(clients, yield* sourceSettings("Kafka.source", key.id, options))
    })
  )

/**
 * A topic as a sink.
 *
 * **Details**
 * A dispatch is confirmed when every replica in sync has its messages. At-least-once: a batch that failed as a whole is
 * sent again as a whole, and some of it may be there already. Headers: the id as `ergon-id`, and all metadata, `traceparent`,
 * `tracestate` and `baggage` among it; what a source added (`topic`, `partition`, `offset`, `timestamp`, `key`) stays behind.
 *
 * **Example** (Publishing by key)
 * ```ts no-run="needs a broker"
 * import { Connector, Transaction } from "@ergon/core"
 * import { Cluster, Kafka } from "@ergon/kafka"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ customer: Schema.String })) {}
 *
 * const customer = Schema.decodeUnknownSync(Schema.Struct({ customer: Schema.String }))
 * const layers = Kafka.sink(Receipts, { key: ({ payload }) => customer(payload).customer }).pipe(
 *   Layer.provide(Cluster.layer({ brokers: ["localhost:9092"] }))
 * )
 * const send = Connector.send(Receipts, Transaction.make("receipt-1", { customer: "ada" }))
 * await Effect.runPromise(Effect.provide(send, layers))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions = {}
): Layer.Layer<Self, SetupError, Cluster> =>
  Connector.layerSink(
    key,
    Effect.gen(function*() {
      const { clients } = yield* Cluster
      return yield* openSink(clients, yield* sinkSettings("Kafka.sink", key.id, options))
    })
  )

/**
 * A topic as a queue: a source and a sink in one.
 *
 * @category layers
 * @since 0.1.0
 */
export const queue = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  options: QueueOptions
): Layer.Layer<Self, SetupError, Cluster> =>
  Connector.layerQueue(
    key,
    Effect.gen(function*() {
      const { clients } = yield* Cluster
      const { key: keyOf, publish, topic, ...consume } = options
      const of = yield* sourceSettings("Kafka.queue", key.id, {
        ...consume,
        ...topic === undefined ? {} : { topics: topic }
      })
      const to = yield* sinkSettings("Kafka.queue", key.id, { ...publish, topic, key: keyOf })
      return { source: yield* openSource(clients, of), sink: yield* openSink(clients, to) }
    })
  )

/**
 * Topics for what a task gives up: a topic of dead letters, and retry topics before it.
 *
 * **Details**
 * The value of a dead letter is its envelope, JSON. They are written and not read: `Redrive` needs them in a table.
 *
 * **Example** (Two more tries, hours apart)
 * ```ts no-run="needs a broker"
 * import { Connector, Task } from "@ergon/core"
 * import { Cluster, Kafka } from "@ergon/kafka"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 * class Dead extends Connector.DeadLetters<Dead>()("orders.dead") {}
 *
 * const ship = Task.consumer("ship", Orders, () => Effect.void).pipe(Task.deadLetter(Dead))
 * const layers = Layer.mergeAll(
 *   Kafka.source(Orders, { topics: ["orders", "orders.retry-1h", "orders.retry-12h"], group: "shipping" }),
 *   Kafka.deadLetters(Dead, {
 *     retry: [{ topic: "orders.retry-1h", delay: "1 hour" }, { topic: "orders.retry-12h", delay: "12 hours" }]
 *   })
 * ).pipe(Layer.provide(Cluster.layer({ brokers: ["localhost:9092"] })))
 * await Effect.runPromise(Effect.provide(Task.run(ship), layers))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  options: DeadLettersOptions = {}
): Layer.Layer<Self, SetupError, Cluster> =>
  Connector.layerDeadLetters(
    key,
    Effect.gen(function*() {
      const { clients } = yield* Cluster
      return yield* openLetters(clients, yield* lettersSettings(key.id, options))
    })
  )

/**
 * As `source`, with options from a `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sourceConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: Config.Wrap<SourceOptions>
): Layer.Layer<Self, SetupError | Config.ConfigError, Cluster> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), (options) => source(key, options)))

/**
 * As `sink`, with options from a `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sinkConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: Config.Wrap<SinkOptions>
): Layer.Layer<Self, SetupError | Config.ConfigError, Cluster> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), (options) => sink(key, options)))

/**
 * As `queue`, with options from a `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const queueConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  options: Config.Wrap<QueueOptions>
): Layer.Layer<Self, SetupError | Config.ConfigError, Cluster> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), (options) => queue(key, options)))
