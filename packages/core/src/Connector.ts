/**
 * The contract between the engine and a transport: typed keys for sources and sinks, and the services behind them.
 *
 * A connector is a Context key that carries the `Schema` of its payload. A transport supplies the Layer. Core decodes
 * and encodes; a connector moves encoded payloads and keeps the promises it declares in its capabilities.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { type DispatchError, FetchError, type LettersError, type SettleError } from "./ConnectorError.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import type { Delivery } from "./Delivery.ts"
import type { Settlement } from "./Disposition.ts"
import { encoder } from "./internal/codec.ts"
import { carrying } from "./internal/engine/traceparent.ts"
import { Carried } from "./Telemetry.ts"
import { Unsupported } from "./Reason.ts"
import * as Transaction from "./Transaction.ts"

/**
 * How payloads look on the wire of a transport: JSON values, trees of strings (CSV, form data), or the decoded values
 * themselves (within one process).
 *
 * @category models
 * @since 0.1.0
 */
export type Format = "json" | "strings" | "native"

/**
 * What a source can do by itself. The engine fills in what it can; the rest is a clear `Unsupported`.
 *
 * **Details**
 * - `settlement`: `each` settles every delivery by itself; `watermark` commits one position per partition: the engine
 *   settles only the last delivery of a partition before which nothing is unfinished, with `Ack`; `none` forgets what
 *   it handed over.
 * - `lease`: how long a delivery is ours after its fetch, and whether `extend` prolongs it; `undefined` where a
 *   delivery is ours for as long as the connector lives.
 * - `deliveries`: `native` where the source counts hand-overs, `engine` where the engine counts in memory.
 * - `requeueDelay`: `native` where the source delays a `Requeue` by itself, `engine` where the engine holds the
 *   delivery for the delay and requeues it then.
 * - `deadLetter`: `native` where the source keeps a `DeadLetter` with its reason, `none` where the task needs
 *   `Task.deadLetter`.
 * - `ordering`: the order that the source keeps among its deliveries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Capabilities {
  readonly settlement: "each" | "watermark" | "none"
  readonly lease: { readonly duration: Duration.Duration; readonly extend: boolean } | undefined
  readonly deliveries: "native" | "engine"
  readonly requeueDelay: "native" | "engine"
  readonly deadLetter: "native" | "none"
  readonly ordering: "none" | "byKey" | "total"
}

/**
 * What a fetch asks for: at most `max` deliveries, waiting at most `wait` for a first one.
 *
 * **Details**
 * `wait` is zero in a run that ends at its first empty fetch: answer as soon as you know. Empty means that the source
 * said so, never a reconnect in between.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchRequest {
  readonly max: number
  readonly wait: Duration.Duration
}

/**
 * How many transactions a source holds: `ready` to be fetched, `inFlight` with consumers, `delayed` until later.
 *
 * @category models
 * @since 0.1.0
 */
export interface Count {
  readonly ready: number
  readonly inFlight: number
  readonly delayed: number
}

/**
 * Writes results and settlements in one transaction of one database: the only place where the guarantee is
 * exactly-once.
 *
 * **Details**
 * `transact` settles first, then runs `write` with the indices of the settlements that held, and commits both; when
 * either fails as a whole, nothing of it remains. Settlements that did not hold are named by the `SettleError` that it
 * fails with after the commit of the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Commit {
  /** The database: a sink whose `database` is the same object can join. */
  readonly database: object
  readonly transact: (
    settlements: ReadonlyArray<Settlement>,
    write: (held: ReadonlyArray<number>) => Effect.Effect<void, DispatchError>
  ) => Effect.Effect<void, SettleError | DispatchError>
}

/**
 * A dead letter where it is kept.
 *
 * **Details**
 * `key` names this very letter, within its connector: the letter of a transaction that is given up again has another
 * one, so that an old key never removes a new letter.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredLetter {
  readonly key: string
  readonly letter: DeadLetter
}

/**
 * Some of the dead letters, and where the next ones begin: `next` is given as `after` to go on, and `undefined` at the
 * end.
 *
 * @category models
 * @since 0.1.0
 */
export interface LettersPage {
  readonly letters: ReadonlyArray<StoredLetter>
  readonly next: string | undefined
}

/**
 * The dead letters that a connector keeps: a source's own, or those of a sink for dead letters.
 *
 * **Details**
 * - `list`: at most `max` letters, oldest first. `after` is `undefined` for the first page and `next` of the page before
 *   for the others. Going on while letters are added and removed misses none that was there at the beginning and stays,
 *   and lists none twice.
 * - `find`: the letters of the transaction with this id; several where several sources have such an id.
 * - `remove`: forgets letters. A key that is no longer there changes nothing.
 * - `putBack`: of a source's own letters: makes their transactions ready to be delivered again as they arrived, with a
 *   count of 0, and forgets the letters, in one step for each. Answers with the keys that it has put back; the others
 *   were no longer there. Doing it again changes nothing.
 *
 * All fail with `LettersError`. With `failed`, the others of the batch are done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Letters {
  readonly list: (
    page: { readonly after: string | undefined; readonly max: number }
  ) => Effect.Effect<LettersPage, LettersError>
  readonly find: (id: string) => Effect.Effect<ReadonlyArray<StoredLetter>, LettersError>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<void, LettersError>
  readonly putBack?: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, LettersError>
}

/**
 * The source side of a transport.
 *
 * **Details**
 * - `fetch`: at most `max` deliveries, as soon as there is one, with what else is there; none when the source is
 *   empty; `Cause.Done` when it has come to its end and nothing will ever follow. Interrupting it neither loses nor
 *   duplicates. It never subscribes or unsubscribes: one subscription lives as long as the connector. Once the
 *   connector is closed, a waiting fetch ends with nothing and later ones fail.
 * - `settle`: settles a batch. Settling twice changes nothing. It names the ones that failed.
 * - `extend`: prolongs the leases of these deliveries, and answers with the indices of those that are lost.
 * - `isHeld`: whether a delivery is still ours; `false` once its channel or partition has gone.
 * - `resolve`: claims one transaction by its id. Fails with `NotFound`.
 * - `count`: what is waiting.
 * - `health`: fails while the connector is unhealthy.
 * - `commit`: see `Commit`.
 * - `letters`: its own dead letters, where it keeps them.
 * - `takeBack`: takes transactions back whose dead letters are kept elsewhere, payloads encoded as they arrived: each is
 *   ready to be delivered again, with a count of 0, whatever the source remembers of its id. One that waits or is in
 *   flight stays as it is, so that doing it again changes nothing. Returns when it is as safe as a dispatch. With
 *   `failed` in its error, the others are taken back.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceService {
  readonly format: Format
  readonly capabilities: Capabilities
  readonly fetch: (request: FetchRequest) => Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done>
  readonly settle: (settlements: ReadonlyArray<Settlement>) => Effect.Effect<void, SettleError>
  readonly extend?: (deliveries: ReadonlyArray<Delivery>) => Effect.Effect<ReadonlyArray<number>, SettleError>
  readonly isHeld?: (delivery: Delivery) => boolean
  readonly resolve?: (id: string) => Effect.Effect<Delivery, FetchError>
  readonly count?: Effect.Effect<Count, FetchError>
  readonly health?: Effect.Effect<void, FetchError>
  readonly commit?: Commit
  readonly letters?: Letters
  readonly takeBack?: (
    transactions: ReadonlyArray<Transaction.Transaction<unknown>>
  ) => Effect.Effect<void, LettersError>
}

/**
 * The sink side of a transport.
 *
 * **Details**
 * - `dispatch`: returns when the target has confirmed all of the batch. A failure names the ones that failed; the
 *   others count as confirmed and are not sent again.
 * - `database`: the database that it writes to, where it can take part in a `Commit`.
 * - `health`: fails while the connector is unhealthy.
 * - `letters`: of a sink for dead letters, what it keeps, where it can be read.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkService {
  readonly format: Format
  readonly dispatch: (
    transactions: ReadonlyArray<Transaction.Transaction<unknown>>
  ) => Effect.Effect<void, DispatchError>
  readonly database?: object
  readonly health?: Effect.Effect<void, DispatchError>
  readonly letters?: Letters
}

/**
 * A key that can be consumed from: made by `Connector.Source` or `Connector.Queue`.
 *
 * @category keys
 * @since 0.1.0
 */
export interface AnySource<in out Self, out S extends Schema.Constraint>
  extends Context.Key<Self, { readonly source: SourceService }>
{
  readonly id: string
  readonly payload: S
}

/**
 * A key that can be dispatched to: made by `Connector.Sink` or `Connector.Queue`.
 *
 * @category keys
 * @since 0.1.0
 */
export interface AnySink<in out Self, out S extends Schema.Constraint>
  extends Context.Key<Self, { readonly sink: SinkService }>
{
  readonly id: string
  readonly payload: S
}

/**
 * A key for dead letters: made by `Connector.DeadLetters`.
 *
 * @category keys
 * @since 0.1.0
 */
export interface AnyDeadLetters<in out Self> extends Context.Key<Self, { readonly deadLetters: SinkService }> {
  readonly id: string
}

/**
 * The class that `Connector.Source` returns.
 *
 * @category keys
 * @since 0.1.0
 */
export interface SourceClass<in out Self, in out Id extends string, out S extends Schema.Constraint>
  extends Context.ServiceClass<Self, `ergon/Source/${Id}`, { readonly source: SourceService }>
{
  readonly kind: "source"
  readonly id: Id
  readonly payload: S
}

/**
 * The class that `Connector.Sink` returns.
 *
 * @category keys
 * @since 0.1.0
 */
export interface SinkClass<in out Self, in out Id extends string, out S extends Schema.Constraint>
  extends Context.ServiceClass<Self, `ergon/Sink/${Id}`, { readonly sink: SinkService }>
{
  readonly kind: "sink"
  readonly id: Id
  readonly payload: S
}

/**
 * The class that `Connector.Queue` returns.
 *
 * @category keys
 * @since 0.1.0
 */
export interface QueueClass<in out Self, in out Id extends string, out S extends Schema.Constraint>
  extends Context.ServiceClass<Self, `ergon/Queue/${Id}`, QueueService>
{
  readonly kind: "queue"
  readonly id: Id
  readonly payload: S
}

/**
 * The class that `Connector.DeadLetters` returns.
 *
 * @category keys
 * @since 0.1.0
 */
export interface DeadLettersClass<in out Self, in out Id extends string>
  extends Context.ServiceClass<Self, `ergon/DeadLetters/${Id}`, { readonly deadLetters: SinkService }>
{
  readonly kind: "deadLetters"
  readonly id: Id
}

/**
 * Both sides of a queue.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueService {
  readonly source: SourceService
  readonly sink: SinkService
}

/**
 * Declares a source: a name and the schema of its payload.
 *
 * **Example** (Declaring a source)
 * ```ts import.meta.vitest
 * import { Connector } from "@ergon/core"
 * import { Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 * Orders.key // => "ergon/Source/orders"
 * ```
 *
 * @category keys
 * @since 0.1.0
 */
export const Source =
  <Self>() => <const Id extends string, S extends Schema.Constraint>(id: Id, payload: S): SourceClass<Self, Id, S> =>
    Object.assign(Context.Service<Self, { readonly source: SourceService }>()(`ergon/Source/${id}`), {
      kind: "source" as const,
      id,
      payload
    })

/**
 * Declares a sink: a name and the schema of its payload.
 *
 * @category keys
 * @since 0.1.0
 */
export const Sink =
  <Self>() => <const Id extends string, S extends Schema.Constraint>(id: Id, payload: S): SinkClass<Self, Id, S> =>
    Object.assign(Context.Service<Self, { readonly sink: SinkService }>()(`ergon/Sink/${id}`), {
      kind: "sink" as const,
      id,
      payload
    })

/**
 * Declares a queue: a source and a sink in one, of one payload.
 *
 * @category keys
 * @since 0.1.0
 */
export const Queue =
  <Self>() => <const Id extends string, S extends Schema.Constraint>(id: Id, payload: S): QueueClass<Self, Id, S> =>
    Object.assign(Context.Service<Self, QueueService>()(`ergon/Queue/${id}`), { kind: "queue" as const, id, payload })

/**
 * Declares a sink for dead letters. Its payload is the `DeadLetter` envelope.
 *
 * @category keys
 * @since 0.1.0
 */
export const DeadLetters = <Self>() => <const Id extends string>(id: Id): DeadLettersClass<Self, Id> =>
  Object.assign(Context.Service<Self, { readonly deadLetters: SinkService }>()(`ergon/DeadLetters/${id}`), {
    kind: "deadLetters" as const,
    id
  })

/**
 * A Layer for a source, from an effect that makes its service. For authors of connectors.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSource = <Self, Id extends string, S extends Schema.Constraint, E, R>(
  key: SourceClass<Self, Id, S>,
  make: Effect.Effect<SourceService, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> => Layer.effect(key, Effect.map(make, (source) => ({ source })))

/**
 * A Layer for a sink, from an effect that makes its service. For authors of connectors.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSink = <Self, Id extends string, S extends Schema.Constraint, E, R>(
  key: SinkClass<Self, Id, S>,
  make: Effect.Effect<SinkService, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> => Layer.effect(key, Effect.map(make, (sink) => ({ sink })))

/**
 * A Layer for a queue, from an effect that makes both of its sides. For authors of connectors.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerQueue = <Self, Id extends string, S extends Schema.Constraint, E, R>(
  key: QueueClass<Self, Id, S>,
  make: Effect.Effect<QueueService, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> => Layer.effect(key, make)

/**
 * A Layer for dead letters, from an effect that makes the sink. For authors of connectors.
 *
 * **Details**
 * The sink receives transactions whose payload is an encoded `DeadLetter`; their id is the id of the transaction that
 * was given up.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDeadLetters = <Self, Id extends string, E, R>(
  key: DeadLettersClass<Self, Id>,
  make: Effect.Effect<SinkService, E, R>
): Layer.Layer<Self, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(key, Effect.map(make, (deadLetters) => ({ deadLetters })))

/**
 * Dispatches from anywhere, an HTTP handler say: encodes the payload by the key's schema and returns when the target
 * has confirmed it.
 *
 * **Details**
 * The transaction carries the span around it as its `traceparent`, unless it has one, and inside of a step the `baggage`
 * of the transaction at hand.
 *
 * One try, without a bound on its time: `Policy.apply` adds retries and a timeout. Fails with `DispatchError`, or with
 * the `SchemaError` of a payload that does not encode.
 *
 * @category operations
 * @since 0.1.0
 */
export const send = <Self, S extends Schema.Constraint>(
  key: AnySink<Self, S>,
  transaction: Transaction.Transaction<S["Type"]>
): Effect.Effect<void, DispatchError | Schema.SchemaError, Self | S["EncodingServices"]> =>
  Effect.flatMap(
    key,
    ({ sink }) =>
      Effect.flatMap(encoder(key.payload, sink.format)(transaction.payload), (payload) =>
        Effect.contextWith((context: Context.Context<never>) => {
          const encoded = Transaction.withPayload(transaction, payload)
          const span = Context.getOrUndefined(context, Tracer.ParentSpan)
          return sink.dispatch([span === undefined ? encoded : carrying(encoded, span, Context.get(context, Carried))])
        }))
  )

/**
 * How many transactions a source holds. Fails with `Unsupported` where the source cannot count.
 *
 * @category operations
 * @since 0.1.0
 */
export const count = <Self, S extends Schema.Constraint>(
  key: AnySource<Self, S>
): Effect.Effect<Count, FetchError, Self> =>
  Effect.flatMap(key, ({ source }) =>
    source.count ??
      Effect.fail(new FetchError({ reason: new Unsupported({ message: `source "${key.id}" cannot count` }) })))
