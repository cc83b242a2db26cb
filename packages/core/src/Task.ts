/**
 * A named program with its source, its steps and its policy: what a user writes, and how it is run.
 *
 * **Guarantee**: at-least-once. A transaction is acknowledged only after its results are confirmed at every sink. Make
 * processing idempotent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Pipeable from "effect/Pipeable"
import * as Queue from "effect/Queue"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnyDeadLetters, AnySink, AnySource, Count } from "./Connector.ts"
import type { FetchError } from "./ConnectorError.ts"
import type { Control } from "./Control.ts"
import type { Decision } from "./Decision.ts"
import type { Disposition } from "./Disposition.ts"
import type { Failure } from "./Failure.ts"
import { alwaysRetries, fromCases } from "./internal/decide.ts"
import type { Definition } from "./internal/definition.ts"
import type { Loop } from "./internal/engine/loop.ts"
import { policyOf, type RunOptions } from "./internal/engine/run.ts"
import { retryNeedsAttempts } from "./internal/engine/validate.ts"
import * as running from "./internal/running.ts"
import { definitionOf, keep, keptOf } from "./internal/task.ts"
import type { Outcome, Summary } from "./Outcome.ts"
import * as Policy from "./Policy.ts"
import type { Run } from "./Run.ts"
import type { RunError } from "./TaskError.ts"
import type { Transaction } from "./Transaction.ts"

/**
 * Anything with a name that runs to an end. `X` is what running it can fail with, `R` what it still needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any<out X, out R> extends Pipeable.Pipeable {
  readonly name: string
  readonly "~X": (_: never) => X
  readonly "~R": (_: never) => R
}

/**
 * A task over transactions: `A` is the payload, `B` the result of the process step, `E` its error, `R` what it needs,
 * and `X` what running it can fail with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Task<in out A, in out B, in out E, out R, out X = RunError> extends Any<X, R> {
  readonly "~A": (a: A) => A
  readonly "~B": (b: B) => B
  readonly "~E": (e: E) => E
}

/** A combinator: the same task with some of its definition changed. */
const change = (patch: (definition: Definition) => Partial<Definition>) => (self: Any<unknown, unknown>): never => {
  const definition = definitionOf(self)
  const changed = { ...definition, ...patch(definition) }
  return keep(changed.name, { _tag: "transactions", definition: changed })
}

/**
 * The same, refused at once when policy and decisions contradict each other. Combinators come in any order: as long as
 * no policy is given, one may follow, and a task that never gets one is refused when it is run.
 */
const changeChecked =
  (patch: (definition: Definition) => Partial<Definition>) => (self: Any<unknown, unknown>): never => {
    const changed = change(patch)(self)
    const definition = definitionOf(changed)
    const problem = Object.keys(definition.policy).length === 0
      ? undefined
      : retryNeedsAttempts(definition, policyOf(definition))
    if (problem !== undefined) throw new Policy.PolicyError({ problems: [problem] })
    return changed
  }

/**
 * Whether a member of a list of tasks works on transactions; if not, it is a program of `Task.make`.
 *
 * **Example** (The tasks of a list that can count)
 * ```ts import.meta.vitest
 * import { Task } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const tasks: ReadonlyArray<Task.Any<unknown, never>> = [
 *   Task.producer("load", [], () => Effect.void),
 *   Task.make("nightly", Effect.void)
 * ]
 * tasks.filter(Task.hasTransactions).map(({ name }) => name) // => ["load"]
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const hasTransactions = <X, R>(self: Any<X, R>): self is Task<unknown, unknown, unknown, R, X> =>
  keptOf(self)._tag === "transactions"

/**
 * What a run of a task would be told as: its name, what it is made of, and the policy that it would run under.
 *
 * **Gotchas**
 * Throws a `PolicyError` when the fields of its policy contradict each other.
 *
 * **Example** (The policy of a task)
 * ```ts import.meta.vitest
 * import { Task } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const load = Task.producer("load", [], () => Effect.void).pipe(Task.policy({ loop: { concurrency: 4 } }))
 * const { kind, policy } = Task.describe(load)
 * kind // => "producer"
 * policy.loop.concurrency // => 4
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const describe = (self: Any<unknown, unknown>): Pick<Run, "task" | "kind" | "policy"> => running.describe(self)

const named = (name: string): string => {
  if (typeof name === "string" && name.trim() !== "") return name
  throw new TypeError(`a task needs a name: a non-empty string, got ${JSON.stringify(name)}`)
}

const define = (name: string, from: Definition["from"], process: Definition["process"]): never => {
  const definition: Definition = {
    name: named(name),
    from,
    process,
    sinks: [],
    onSuccess: undefined,
    onFailure: undefined,
    deadLetter: undefined,
    decide: undefined,
    decidesRetry: false,
    orderBy: undefined,
    policy: {},
    layers: []
  }
  return keep(name, { _tag: "transactions", definition })
}

/**
 * A task that consumes from a source.
 *
 * **Details**
 * Every attempt of `process` has a Scope of its own: what it acquires is released when the attempt ends. A typed error
 * is retried by the policy and then dead-lettered, unless `decide` says otherwise; a defect is not retried.
 *
 * **Example** (A consumer with a sink)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Task, Transaction } from "@ergon/core"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 * class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
 *
 * const totals = Task.consumer("totals", Orders, (order) => Effect.succeed(order.payload.quantity * 2)).pipe(
 *   Task.dispatch(Totals, (order, total) => Transaction.make(`total-${order.id}`, total))
 * )
 * const layers = Layer.mergeAll(Memory.source(Orders, [Transaction.make("1", { quantity: 21 })]), Memory.sink(Totals))
 * const summary = await Effect.runPromise(Task.run(totals).pipe(Effect.provide(layers)))
 * summary.succeeded // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const consumer = <Self, S extends Schema.Constraint, B, E, R>(
  name: string,
  source: AnySource<Self, S>,
  process: (transaction: Transaction<S["Type"]>) => Effect.Effect<B, E, R>
): Task<S["Type"], B, E, Self | S["DecodingServices"] | Exclude<R, Scope.Scope>> =>
  define(name, { _tag: "source", key: source as never }, process as never)

/**
 * A task that produces: its transactions come from an Iterable or a Stream, and are settled nowhere.
 *
 * **Details**
 * The same steps, combinators and policy as a consumer; `prepare` is its process step. It works batch by batch, each
 * finished before the next, unless its policy says `loop.mode: "continuous"`. What is requeued comes again from memory.
 * A stream may take its time: `fetch.timeout` bounds it only when it is set.
 *
 * What is given up goes to `deadLetter`. Without it the run fails with `ProducerFailed` once everything else is done: it
 * tells how many were given up, the ids of the first 100 and the reason of the first. What the task drops on purpose
 * (`discardFailures`, `Decision.discard`, `Disposition.ack` from `onFailure`) does not fail the run.
 *
 * **Gotchas**
 * A generator object can be gone through once: a second run of the task finds nothing in it. An iterable that begins
 * anew each time, `{ [Symbol.iterator]: rows }` with a generator function `rows`, serves every run.
 *
 * @category constructors
 * @since 0.1.0
 */
export const producer: {
  <A, SE, SR, B, E, R>(
    name: string,
    transactions: Stream.Stream<Transaction<A>, SE, SR>,
    prepare: (transaction: Transaction<A>) => Effect.Effect<B, E, R>
  ): Task<A, B, E, SR | Exclude<R, Scope.Scope>, RunError | SE>
  <A, B, E, R>(
    name: string,
    transactions: Iterable<Transaction<A>>,
    prepare: (transaction: Transaction<A>) => Effect.Effect<B, E, R>
  ): Task<A, B, E, Exclude<R, Scope.Scope>>
} = (
  name: string,
  transactions: Stream.Stream<Transaction<unknown>, unknown, unknown> | Iterable<Transaction<unknown>>,
  prepare: (transaction: never) => Effect.Effect<unknown, unknown, unknown>
): never => {
  const stream = Stream.isStream(transactions) ? transactions : Stream.fromIterable(transactions)
  return define(name, { _tag: "stream", stream: stream as Stream.Stream<Transaction<unknown>> }, prepare as never)
}

/**
 * The escape hatch: any program, run under a name with everything that surrounds tasks. It has no transactions, so
 * `dispatch` and its siblings do not apply.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <B, X, R>(name: string, effect: Effect.Effect<B, X, R>): Any<X, Exclude<R, Scope.Scope>> =>
  keep(named(name), { _tag: "program", effect, policy: {} })

/**
 * Sends results to a sink: one, several or none per transaction. Given more than once, a task has several sinks.
 *
 * **Details**
 * The transaction is acknowledged once every sink has confirmed. A sink that confirmed is not sent the same outputs
 * again when another one is retried; after a redelivery it is, so give outputs ids that follow from the input.
 *
 * @category combinators
 * @since 0.1.0
 */
export const dispatch = <Self, S extends Schema.Constraint, A, B>(
  sink: AnySink<Self, S>,
  outputs: (transaction: Transaction<A>, result: B) => Transaction<S["Type"]> | ReadonlyArray<Transaction<S["Type"]>>
) =>
<E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R | Self | S["EncodingServices"], X> =>
  change((definition) => ({ sinks: [...definition.sinks, { key: sink as never, outputs: outputs as never }] }))(self)

/**
 * What to do after every sink has confirmed and before the settlement. When it fails, the program is not run again: the
 * transaction goes to the exception step.
 *
 * @category combinators
 * @since 0.1.0
 */
export const onSuccess =
  <A, B, E2, R2>(f: (transaction: Transaction<A>, result: B) => Effect.Effect<unknown, E2, R2>) =>
  <E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R | Exclude<R2, Scope.Scope>, X> =>
    change(() => ({ onSuccess: f as never }))(self)

/**
 * What to do when a transaction has failed for good. It may return a disposition; without one the transaction is
 * dead-lettered.
 *
 * **Details**
 * Called at most once per delivery, under a budget of its own (`exception` in the policy). When it fails, the
 * transaction is requeued.
 *
 * @category combinators
 * @since 0.1.0
 */
export const onFailure =
  <A, E, E2, R2>(f: (failure: Failure<A, E>) => Effect.Effect<Disposition | void, E2, R2>) =>
  <B, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R | Exclude<R2, Scope.Scope>, X> =>
    change(() => ({ onFailure: f as never }))(self)

/**
 * Where transactions go that failed for good, as `DeadLetter` envelopes; they are acknowledged once it has confirmed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const deadLetter =
  <Self>(sink: AnyDeadLetters<Self>) => <A, B, E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R | Self, X> =>
    change(() => ({ deadLetter: sink as never }))(self)

/**
 * Says that what fails for good may be dropped: it is acknowledged, counted as discarded, and nothing of it is kept.
 *
 * @category combinators
 * @since 0.1.0
 */
export const discardFailures = <A, B, E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R, X> =>
  change(() => ({ deadLetter: "discard" }))(self)

/**
 * Sets the policy; given more than once, the later fields win.
 *
 * **Details**
 * Of a program (`Task.make`), `shutdown` and `supervision` are read by the runner; the rest has nothing to act on.
 *
 * **Gotchas**
 * Throws a `PolicyError` that names every problem with its path, its value and what is valid.
 *
 * @category combinators
 * @since 0.1.0
 */
export const policy = (input: Policy.Input) => <T extends Any<unknown, unknown>>(self: T): T => {
  const what = keptOf(self)
  return what._tag === "transactions"
    ? changeChecked((definition) => ({ policy: Policy.merge(definition.policy, input) }))(self)
    : keep(self.name, { ...what, policy: valid(Policy.merge(what.policy, input)) })
}

/** Throws what is wrong with it. */
const valid = (input: Policy.Input): Policy.Input => {
  Policy.make(input)
  return input
}

type Tagged = { readonly _tag: string }
type Untagged<E> = Exclude<E, Tagged>

/**
 * One decision, or a function to one, for every tag of `E` and for nothing else.
 *
 * @category models
 * @since 0.1.0
 */
export type DecideCases<E, Cases> =
  & {
    readonly [K in Extract<E, Tagged>["_tag"]]: Decision | ((error: Extract<E, { readonly _tag: K }>) => Decision)
  }
  & { readonly [K in Exclude<keyof Cases, Extract<E, Tagged>["_tag"]>]: never }

/**
 * The compile error of `decide` for errors that have no tag.
 *
 * @category models
 * @since 0.1.0
 */
export type TaggedOnly<E> = [Untagged<E>] extends [never] ? unknown
  : "this error has members without a _tag: pass a function instead of a record"

/**
 * Decides about the typed errors of the process step: a record that is total over their tags, or a function.
 *
 * **Details**
 * A missing or an extra tag does not compile. Decisions to retry are bounded by `process.retry.maxAttempts`; a record
 * that gives `Decision.retry` as a value needs it to be at least 2. `Decision.nonRetryable` wins over this.
 *
 * @category combinators
 * @since 0.1.0
 */
export const decide: {
  <E>(decide: (error: E) => Decision): <A, B, R, X>(self: Task<A, B, E, R, X>) => Task<A, B, E, R, X>
  <E, Cases extends DecideCases<E, Cases>>(
    cases: Cases & TaggedOnly<E>
  ): <A, B, R, X>(self: Task<A, B, E, R, X>) => Task<A, B, E, R, X>
} = (how: ((error: never) => Decision) | Parameters<typeof fromCases>[0]) =>
  changeChecked(() =>
    typeof how === "function"
      ? { decide: how as never, decidesRetry: false }
      : { decide: fromCases(how), decidesRetry: alwaysRetries(how) }
  )

/**
 * Orders by a key of the transaction: those of one key run one after another, other keys go on beside them.
 *
 * **Details**
 * What is fetched is decoded before it enters its lanes. Worst case: a schema that waits for something holds up the rest
 * of its fetch for `transaction.timeout`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const orderBy =
  <A>(key: (transaction: Transaction<A>) => string) => <B, E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, R, X> =>
    change(() => ({ orderBy: key as never }))(self)

/**
 * Gives a task some of what it needs. The Layer is built when the task runs and closed when it ends; its errors join
 * the errors of the run.
 *
 * @category combinators
 * @since 0.1.0
 */
export const provide =
  <ROut, X2, RIn>(layer: Layer.Layer<ROut, X2, RIn>) =>
  <A, B, E, R, X>(self: Task<A, B, E, R, X>): Task<A, B, E, Exclude<R, ROut> | RIn, X | X2> =>
    change((definition) => ({ layers: [...definition.layers, layer as never] }))(self)

/**
 * Runs a task to its end and says what it did.
 *
 * **Details**
 * A run ends when its source is empty and nothing is in flight, unless `loop.streaming` is on; at `loop.limit`; and when
 * its source has come to its end. Interrupting it drains: worst case `shutdown.grace` plus `shutdown.close`. `control`
 * is a handle on the run; of a `Task.make`, which has no transactions to steer, it stays idle.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <X, R>(
  self: Any<X, R>,
  options: { readonly control?: Control | undefined } = {}
): Effect.Effect<Summary, X, R> => running.run(self, options.control) as Effect.Effect<never, never, never>

const mostUnread = 1024

/**
 * The same engine as a Stream of outcomes, each told once its settlement is confirmed. Ending the stream early drains
 * the run; a slow reader slows the run.
 *
 * @category running
 * @since 0.1.0
 */
export const outcomes = <A, B, E, R, X>(self: Task<A, B, E, R, X>): Stream.Stream<Outcome<A, B, E>, X, R> =>
  Stream.suspend(() => {
    let unread = (): number => 0
    let loop: Loop | undefined
    return Stream.callback<Outcome<A, B, E>, X, R>((queue) => {
      unread = () => Queue.sizeUnsafe(queue)
      const options: RunOptions = {
        observe: (outcome) => void Queue.offerUnsafe(queue, outcome as Outcome<A, B, E>),
        behind: () => unread() > mostUnread,
        attach: (attached) => {
          loop = attached
        }
      }
      return Effect.andThen(
        running.start(definitionOf(self), options) as Effect.Effect<never, never, never>,
        Queue.end(queue)
      )
    }, { bufferSize: Number.POSITIVE_INFINITY }).pipe(
      // What was unread has been read: go on.
      Stream.mapArray((read) => {
        loop?.pump()
        return read
      })
    )
  })

/**
 * Pushes one transaction through the same lifecycle, under the same policy and deadline, and settles nothing.
 *
 * **Details**
 * The transaction is given decoded. What would be requeued or released is only said to be. Dead letters go to the
 * task's sink.
 *
 * @category running
 * @since 0.1.0
 */
export const runTransaction = <A, B, E, R, X>(
  self: Task<A, B, E, R, X>,
  transaction: Transaction<A>
): Effect.Effect<Outcome<A, B, E>, X, R> => running.only(self, { transaction }) as Effect.Effect<never, never, never>

/**
 * The same with a transaction whose payload is still JSON, as a person or another program gives it: it is decoded by the
 * schema of the source's key, whatever the format of its transport.
 *
 * **Details**
 * Fails with a `SchemaError` that lists every problem when the payload does not fit; then no step of the task runs. Fails
 * with a `FetchError` of reason `Unsupported` for a producer, which has no schema.
 *
 * @category running
 * @since 0.1.0
 */
export const runJson = <A, B, E, R, X>(
  self: Task<A, B, E, R, X>,
  transaction: Transaction<unknown>
): Effect.Effect<Outcome<A, B, E>, X | FetchError | Schema.SchemaError, R> =>
  running.onlyJson(self, transaction) as Effect.Effect<never, never, never>

/**
 * Claims one transaction by its id at the source, runs it and settles it.
 *
 * **Details**
 * Fails with a `FetchError`: `NotFound` when the source has no such transaction, `Unsupported` when it cannot look one
 * up. Then no step of the task runs.
 *
 * @category running
 * @since 0.1.0
 */
export const runById = <A, B, E, R, X>(
  self: Task<A, B, E, R, X>,
  id: string
): Effect.Effect<Outcome<A, B, E>, X | FetchError, R> =>
  running.only(self, { id }) as Effect.Effect<never, never, never>

/**
 * How many transactions the source of a task holds. Fails with a `FetchError` of reason `Unsupported` where it cannot
 * count, and for a producer.
 *
 * @category running
 * @since 0.1.0
 */
export const count = <A, B, E, R, X>(self: Task<A, B, E, R, X>): Effect.Effect<Count, X | FetchError, R> =>
  running.count(self) as Effect.Effect<never, never, never>
