/**
 * Connectors on Redis Streams: a source and a sink, both as a queue, and a stream of dead letters.
 *
 * They stand on the `RedisClient` that `RedisClient.layer` provides. Delivery guarantee: at-least-once, as far as the
 * server keeps what it has confirmed: with `appendfsync everysec`, the default of an append-only file, a crash of the
 * server loses up to a second of what was confirmed; without `appendonly` it loses all.
 *
 * @since 0.1.0
 */
import { Connector } from "@ergon/core"
import type * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { type Fields, type Given, givenInCode, givenInConfig, orFail } from "./internal/fields.ts"
import { Group } from "./internal/stream/group.ts"
import { keysOf } from "./internal/stream/keys.ts"
import { envelope, lettersOf, ownLetter } from "./internal/stream/letters.ts"
import {
  letterFields,
  type Place,
  queueFields,
  readPlace,
  sinkFields,
  sourceFields
} from "./internal/stream/settings.ts"
import { openSink, takeBackBy } from "./internal/stream/sink.ts"
import { openSource } from "./internal/stream/source.ts"
import { RedisClient } from "./RedisClient.ts"
import type { SetupError } from "./SetupError.ts"

/**
 * How a stream is written.
 *
 * **Details**
 * - `stream`: its key; the id of the connector's key unless given. With braces it has to have a hash tag.
 * - `unique`: how long the id of a transaction is kept after its end; dispatching one again before changes nothing. Unless
 *   given, an id may come several times.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions {
  readonly stream?: string | undefined
  readonly unique?: Duration.Input | undefined
}

/**
 * How a stream is read.
 *
 * **Details**
 * - `stream`: its key; the id of the connector's key unless given. With braces it has to have a hash tag.
 * - `group`: the consumer group, `ergon` unless given. Every group gets every entry; within a group one consumer does.
 * - `from`: where a group that is not there yet begins: with the `beginning` of the stream (default), or with what is
 *   `new`. A group that is lost is made again from the beginning: what is still in the stream is delivered again.
 * - `lease`: how long a delivery is ours before it is handed over again; 30 seconds unless given, at least 100
 *   milliseconds. The engine extends it while work runs, so that it only has to outlast a crash. Every consumer of a group
 *   should give the same.
 * - `poll`: how often a waiting fetch looks for due delays and for leases that ran out; 1 second unless given. What is
 *   enqueued wakes it at once.
 * - `keep`: how long what all groups of the stream are done with is kept in it. Unless given, it is deleted as soon as the
 *   last group is done.
 * - `consumer`: the beginning of the consumer's name; the host and the process unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly stream?: string | undefined
  readonly group?: string | undefined
  readonly from?: "beginning" | "new" | undefined
  readonly lease?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
  readonly keep?: Duration.Input | undefined
  readonly consumer?: string | undefined
}

/**
 * How a stream is read and written.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions extends SourceOptions, SinkOptions {}

const openPlacedSource = (id: string, place: Place) =>
  Effect.gen(function*() {
    const client = yield* RedisClient
    const connection = yield* client.connection
    const blocking = yield* client.dedicated
    const keys = keysOf(place.stream, place.group)
    const group = new Group(connection, blocking, {
      keys,
      group: place.group,
      consumer: `${place.consumer ?? `${hostname()}-${process.pid}`}-${randomUUID().slice(0, 8)}`,
      start: place.from === "new" ? "$" : "0",
      lease: place.lease,
      keep: place.keep
    })
    return yield* openSource(group, {
      poll: place.poll,
      patience: client.commandTimeout,
      letters: lettersOf(connection, {
        stream: keys.dead,
        letterOf: ownLetter(id),
        putBack: (letters) => group.putBack(letters)
      }),
      takeBack: takeBackBy((transactions) => group.takeBack(transactions))
    })
  })

const openPlacedSink = (place: Place) =>
  Effect.gen(function*() {
    const client = yield* RedisClient
    const connection = yield* client.connection
    const { ids, stream } = keysOf(place.stream, place.group)
    return yield* openSink(connection, { stream, ids, unique: place.unique })
  })

const placed = (id: string, given: Given, fields: Fields) =>
  Effect.suspend(() => {
    const problems: Array<string> = []
    const place = readPlace(id, fields, given, problems)
    return orFail(`the connector "${id}"`, problems, () => place)
  })

/**
 * A stream as a source, for any number of consumers in any number of processes.
 *
 * **Details**
 * Entries of other programs are read too: the field `id` or else the entry's own id is the transaction's, the field
 * `payload` is its payload in JSON, `metadata` a JSON object, `traceparent`, `tracestate` and `baggage` its trace context.
 * The group is made when it is first needed, with the stream, and again when it is lost. A delivery that is not settled
 * within its lease is delivered again, with a higher count; closing gives everything back. Dead letters stay in a stream
 * beside it, with their reason and envelope: `Redrive` of `@ergon/core` reads them and puts them back.
 *
 * Delivery guarantee: at-least-once. Worst-case wait of a due delay or of a lease that ran out: `poll`.
 *
 * **Gotchas**
 * Requeued, released and redriven transactions are delivered by the side of the stream: no order is kept. Fails with
 * `SetupError`, which tells all that is wrong with the options.
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions = {}
): Layer.Layer<Self, SetupError, RedisClient> =>
  Connector.layerSource(
    key,
    Effect.flatMap(placed(key.id, givenInCode(options), sourceFields), (place) => openPlacedSource(key.id, place))
  )

/**
 * A stream as a sink: an entry for each transaction, confirmed once the server has answered for it.
 *
 * **Details**
 * A batch is one round trip. A server at `maxmemory` that evicts nothing answers `Throttled`: a task waits for room.
 * Delivery guarantee: at-least-once: a dispatch whose answer was lost is made again, and with `unique` that changes
 * nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions = {}
): Layer.Layer<Self, SetupError, RedisClient> =>
  Connector.layerSink(key, Effect.flatMap(placed(key.id, givenInCode(options), sinkFields), openPlacedSink))

/**
 * A stream as a queue: `source` and `sink` in one.
 *
 * **Example** (A queue in Redis)
 * ```ts no-run="needs a Redis"
 * import { Connector, Task, Transaction } from "@ergon/core"
 * import { Redis, RedisClient } from "@ergon/redis"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Connector.send(Orders, Transaction.make("order-1", { quantity: 2 }))
 *   return yield* Task.run(Task.consumer("ship", Orders, () => Effect.void))
 * })
 * const layers = Redis.queue(Orders, { lease: "1 minute" }).pipe(
 *   Layer.provide(RedisClient.layer({ url: "redis://127.0.0.1:6379" }))
 * )
 * const summary = await Effect.runPromise(Effect.provide(program, layers))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const queue = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  options: QueueOptions = {}
): Layer.Layer<Self, SetupError, RedisClient> => Connector.layerQueue(key, openQueue(key.id, givenInCode(options)))

const openQueue = (id: string, given: Given) =>
  Effect.flatMap(placed(id, given, queueFields), (place) =>
    Effect.gen(function*() {
      return { source: yield* openPlacedSource(id, place), sink: yield* openPlacedSink(place) }
    }))

/**
 * A stream of dead letters: an entry for each transaction that was given up, its payload the envelope. `Redrive` of
 * `@ergon/core` reads the letters and sends them again, oldest first.
 *
 * **Details**
 * Nothing trims it. A transaction that is given up again has a second letter.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  options: Pick<SinkOptions, "stream"> = {}
): Layer.Layer<Self, SetupError, RedisClient> =>
  Connector.layerDeadLetters(key, openDeadLetters(key.id, givenInCode(options)))

const openDeadLetters = (id: string, given: Given) =>
  Effect.flatMap(placed(id, given, letterFields), (place) =>
    Effect.gen(function*() {
      const client = yield* RedisClient
      const connection = yield* client.connection
      const sink = yield* openPlacedSink(place)
      const { find, list, remove } = lettersOf(connection, {
        stream: place.stream,
        letterOf: envelope,
        putBack: () => Effect.succeed([])
      })
      return { ...sink, letters: { find, list, remove } }
    }))

type Configured<Self> = Layer.Layer<Self, SetupError | Config.ConfigError, RedisClient>

/**
 * `source`, with what the configuration says: a `Config` of the options, or one for each; or the fields of
 * `SourceOptions` as variables under a prefix: for `"ORDERS"` these are `ORDERS_STREAM`, `ORDERS_GROUP`, `ORDERS_LEASE`
 * and so on.
 *
 * **Details**
 * A variable that is blank is not given. A bare number of a duration is seconds. A problem names the variable.
 *
 * @category layers
 * @since 0.1.0
 */
export const sourceConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  config: string | Config.Wrap<SourceOptions>
): Configured<Self> =>
  Connector.layerSource(
    key,
    Effect.flatMap(
      givenInConfig(sourceFields, config),
      (given) => Effect.flatMap(placed(key.id, given, sourceFields), (place) => openPlacedSource(key.id, place))
    )
  )

/**
 * `sink`, with what the configuration says, as in `sourceConfig`: `RECEIPTS_STREAM`, `RECEIPTS_UNIQUE`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sinkConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  config: string | Config.Wrap<SinkOptions>
): Configured<Self> =>
  Connector.layerSink(
    key,
    Effect.flatMap(
      givenInConfig(sinkFields, config),
      (given) => Effect.flatMap(placed(key.id, given, sinkFields), openPlacedSink)
    )
  )

/**
 * `queue`, with what the configuration says, as in `sourceConfig`.
 *
 * @category layers
 * @since 0.1.0
 */
export const queueConfig = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  config: string | Config.Wrap<QueueOptions>
): Configured<Self> =>
  Connector.layerQueue(
    key,
    Effect.flatMap(givenInConfig(queueFields, config), (given) => openQueue(key.id, given))
  )

/**
 * `deadLetters`, with what the configuration says, as in `sourceConfig`.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLettersConfig = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  config: string | Config.Wrap<Pick<SinkOptions, "stream">>
): Configured<Self> =>
  Connector.layerDeadLetters(
    key,
    Effect.flatMap(givenInConfig(letterFields, config), (given) => openDeadLetters(key.id, given))
  )
