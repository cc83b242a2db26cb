/**
 * Sources, sinks and queues in memory: for tests, for examples, and for hand-overs within one process.
 *
 * Payloads are encoded by the key's schema in the JSON format, so that what a test sends travels as it would over a
 * wire. Delivery guarantee: at-least-once for as long as the process lives; what was not settled when a connector
 * closes is delivered again, with a higher count. Dead letters can be read, put back and taken back.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Connector from "./Connector.ts"
import * as DeadLetter from "./DeadLetter.ts"
import { decoder, encoder } from "./internal/codec.ts"
import { connect, type MemoryQueue, storeKey } from "./internal/memory/connect.ts"
import { Ledger } from "./internal/memory/ledger.ts"
import { letterSink } from "./internal/memory/letters.ts"
import { recordingSink, recordKey } from "./internal/memory/record.ts"
import { Store } from "./internal/memory/store.ts"
import * as Transaction from "./Transaction.ts"

/**
 * How a source or queue in memory behaves.
 *
 * **Details**
 * - `lease`: how long a delivery is ours before it is handed over again. None unless given: a delivery is ours for as
 *   long as the connector lives. A lease can be extended.
 * - `key`: the ordering key of a transaction. With it the source declares `ordering: "byKey"`.
 * - `malformed`: why a payload could not even be read, `undefined` for one that could; for testing what becomes of
 *   broken input.
 * - `deliveries`, `requeueDelay`, `deadLetter`: what the source does by itself, as in `Connector.Capabilities`;
 *   `"native"` each unless given. With `deadLetter: "none"`, settling with a `DeadLetter` fails with `Unsupported`.
 * - `history`: how many acknowledged ids are remembered for `Memory.contents`, the newest ones; 100,000 unless given,
 *   and none of a `Memory.sourceFrom`.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueOptions {
  readonly lease?: Duration.Input | undefined
  readonly key?: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly malformed?: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly deliveries?: Connector.Capabilities["deliveries"] | undefined
  readonly requeueDelay?: Connector.Capabilities["requeueDelay"] | undefined
  readonly deadLetter?: Connector.Capabilities["deadLetter"] | undefined
  readonly history?: number | undefined
}

/**
 * How a source in memory behaves: as `QueueOptions`, and whether it signals its end.
 *
 * **Details**
 * `end`: once every transaction is acknowledged or dead-lettered, a fetch ends with `Cause.Done`, which ends streaming
 * runs too. `false` unless given: a drained source is empty, as a queue is.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions extends QueueOptions {
  readonly end?: boolean | undefined
}

/**
 * A transaction that a source in memory keeps as a dead letter, as it arrived. `letter` is the envelope of a
 * transaction that a task gave up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Buried {
  readonly transaction: Transaction.Transaction<unknown>
  readonly reason: string
  readonly letter: DeadLetter.DeadLetter | undefined
}

/**
 * What a source or queue in memory holds: transactions still encoded, in the order in which they would be handed over,
 * and the ids of the acknowledged ones in the order of their settlement.
 *
 * @category models
 * @since 0.1.0
 */
export interface Contents {
  readonly ready: ReadonlyArray<Transaction.Transaction<unknown>>
  readonly inFlight: ReadonlyArray<Transaction.Transaction<unknown>>
  readonly delayed: ReadonlyArray<Transaction.Transaction<unknown>>
  readonly acked: ReadonlyArray<string>
  readonly deadLetters: ReadonlyArray<Buried>
}

const makeStore = (
  options: SourceOptions,
  pending?: Iterator<Transaction.Transaction<unknown>>
): Effect.Effect<Store> =>
  Effect.map(Clock.Clock, (clock) =>
    new Store({
      clock,
      lease: options.lease === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(options.lease)),
      history: options.history ?? 100_000,
      countsDeliveries: options.deliveries !== "engine",
      delaysRequeues: options.requeueDelay !== "engine",
      buriesDeadLetters: options.deadLetter !== "none",
      end: options.end ?? false,
      key: options.key,
      malformed: options.malformed
    }, pending))

const makeQueue = (
  transactions: ReadonlyArray<Transaction.Transaction<unknown>>,
  options: SourceOptions
): Effect.Effect<MemoryQueue, never, Scope.Scope> =>
  Effect.flatMap(makeStore(options), (store) => {
    store.offer(transactions)
    return connect(store)
  })

const encodeAll = <S extends Schema.Constraint>(
  payload: S,
  transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>>
): Effect.Effect<ReadonlyArray<Transaction.Transaction<unknown>>, never, S["EncodingServices"]> => {
  const encode = encoder(payload, "json")
  return Effect.orDie(
    Effect.forEach(
      transactions,
      (transaction) =>
        Effect.map(encode(transaction.payload), (encoded) => Transaction.withPayload(transaction, encoded))
    )
  )
}

/**
 * A source of these transactions, encoded by the key's schema.
 *
 * **Gotchas**
 * A payload that does not encode is a mistake of the test: building the Layer dies with the `SchemaError`.
 *
 * **Example** (Consuming from memory)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Transaction } from "@ergon/core"
 * import { Effect, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ at: Schema.Date })) {}
 *
 * const program = Effect.map(Memory.contents(Orders), ({ ready }) => ready[0]?.payload)
 * const layer = Memory.source(Orders, [Transaction.make("order-1", { at: new Date(0) })])
 * await Effect.runPromise(Effect.provide(program, layer)) // => { at: "1970-01-01T00:00:00.000Z" }
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>>,
  options: SourceOptions = {}
): Layer.Layer<Self, never, Exclude<S["EncodingServices"], Scope.Scope>> =>
  Connector.layerSource(
    key,
    Effect.flatMap(
      encodeAll(key.payload, transactions),
      (encoded) => Effect.map(makeQueue(encoded, options), ({ source }) => source)
    )
  )

/**
 * A source of these transactions as they would arrive, still encoded: for what does not decode.
 *
 * @category layers
 * @since 0.1.0
 */
export const sourceEncoded = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  transactions: ReadonlyArray<Transaction.Transaction<unknown>>,
  options: SourceOptions = {}
): Layer.Layer<Self> => Connector.layerSource(key, Effect.map(makeQueue(transactions, options), ({ source }) => source))

/**
 * A source that takes its transactions, still encoded, from an iterable as they are asked for. Memory use does not
 * grow with their number.
 *
 * **Details**
 * `transactions` is an iterable, or a function that makes one: a generator function serves every build of the Layer
 * anew, a generator only the first. The source can neither count nor resolve. An iterable that throws makes the fetch
 * fail with reason `Unknown`.
 *
 * **Example** (A million orders)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Transaction } from "@ergon/core"
 * import { Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * const layer = Memory.sourceFrom(Orders, function*() {
 *   for (let n = 1; n <= 1_000_000; n++) yield Transaction.make(`order-${n}`, { quantity: n })
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const sourceFrom = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  transactions:
    | Iterable<Transaction.Transaction<unknown>>
    | (() => Iterable<Transaction.Transaction<unknown>>),
  options: SourceOptions = {}
): Layer.Layer<Self> =>
  Connector.layerSource(
    key,
    Effect.suspend(() => {
      const iterable = typeof transactions === "function" ? transactions() : transactions
      return Effect.flatMap(
        makeStore({ ...options, history: options.history ?? 0 }, iterable[Symbol.iterator]()),
        (store) => Effect.map(connect(store, { lazy: true }), ({ source }) => source)
      )
    })
  )

/**
 * A sink that keeps everything it receives, for `Memory.received`.
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>
): Layer.Layer<Self> => Connector.layerSink(key, Effect.suspend(() => recordingSink([])))

/**
 * A queue: what is dispatched to it can be fetched from it. It begins with the transactions given, encoded by the
 * key's schema.
 *
 * @category layers
 * @since 0.1.0
 */
export const queue = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.QueueClass<Self, Id, S>,
  transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>> = [],
  options: QueueOptions = {}
): Layer.Layer<Self, never, Exclude<S["EncodingServices"], Scope.Scope>> =>
  Connector.layerQueue(
    key,
    Effect.flatMap(encodeAll(key.payload, transactions), (encoded) => makeQueue(encoded, options))
  )

/**
 * A sink that keeps the dead letters it receives, for `Memory.letters`.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(key: Connector.DeadLettersClass<Self, Id>): Layer.Layer<Self> =>
  Connector.layerDeadLetters(key, Effect.suspend(() => letterSink(new Ledger())))

const recordOf = (
  id: string,
  sink: Connector.SinkService
): Effect.Effect<ReadonlyArray<Transaction.Transaction<unknown>>> =>
  Effect.suspend(() => {
    const record = Predicate.hasProperty(sink, recordKey) ? sink[recordKey] : undefined
    const received: unknown = record instanceof Ledger ? record.values() : record
    return Array.isArray(received)
      ? Effect.succeed(received.filter(Transaction.isTransaction))
      : Effect.die(new TypeError(`Memory: "${id}" is not a sink in memory`))
  })

/**
 * What a sink in memory received, decoded, in the order of its arrival.
 *
 * **Gotchas**
 * Dies when the sink is not one of `Memory.sink`.
 *
 * **Example** (Looking at what was sent)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Transaction } from "@ergon/core"
 * import { Effect, Schema } from "effect"
 *
 * class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.BigInt })) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Connector.send(Receipts, Transaction.make("receipt-1", { total: 12n }))
 *   const [receipt] = yield* Memory.received(Receipts)
 *   return receipt?.payload.total
 * })
 * await Effect.runPromise(Effect.provide(program, Memory.sink(Receipts))) // => 12n
 * ```
 *
 * @category inspection
 * @since 0.1.0
 */
export const received = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>
): Effect.Effect<
  ReadonlyArray<Transaction.Transaction<S["Type"]>>,
  Schema.SchemaError,
  Self | S["DecodingServices"]
> => {
  const { explain } = decoder(key.payload, "json")
  return Effect.flatMap(
    key,
    ({ sink }) =>
      Effect.flatMap(
        recordOf(key.id, sink),
        Effect.forEach((transaction) =>
          Effect.map(explain(transaction.payload), (payload) => Transaction.withPayload(transaction, payload))
        )
      )
  )
}

/**
 * The dead letters that a sink in memory keeps, in the order of their arrival.
 *
 * **Gotchas**
 * Dies when the sink is not one of `Memory.deadLetters`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const letters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>
): Effect.Effect<ReadonlyArray<DeadLetter.DeadLetter>, Schema.SchemaError, Self> => {
  const { explain } = decoder(DeadLetter.DeadLetter, "json")
  return Effect.flatMap(
    key,
    ({ deadLetters }) =>
      Effect.flatMap(recordOf(key.id, deadLetters), Effect.forEach(({ payload }) => explain(payload)))
  )
}

/**
 * What a source or queue in memory holds, has acknowledged and has given up.
 *
 * **Gotchas**
 * Dies when the source is not one of `Memory`. Of a `Memory.sourceFrom`, what was not asked for yet is not in it.
 *
 * @category inspection
 * @since 0.1.0
 */
export const contents = <Self, S extends Schema.Constraint>(
  key: Connector.AnySource<Self, S>
): Effect.Effect<Contents, never, Self> =>
  Effect.flatMap(key, ({ source }) =>
    Predicate.hasProperty(source, storeKey) && source[storeKey] instanceof Store
      ? Effect.succeed(source[storeKey].contents())
      : Effect.die(new TypeError(`Memory: "${key.id}" is not a source in memory`)))
