/**
 * Runs a whole pipeline, the real engine and your own program, under a seeded scheduler and a virtual clock, between
 * connectors that fail at the worst moment: to find every lost transaction before a user does.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Connector from "../Connector.ts"
import { encoder } from "../internal/codec.ts"
import { connect } from "../internal/memory/connect.ts"
import { Store } from "../internal/memory/store.ts"
import { definitionOf } from "../internal/task.ts"
import type * as Memory from "../Memory.ts"
import type * as Task from "../Task.ts"
import * as Transaction from "../Transaction.ts"
import type { SinkStorage, SourceStorage } from "./Harness.ts"
import type { Rule, Running, Spec } from "./simulation/running.ts"
import { shrink } from "./simulation/shrink.ts"
import { trial } from "./simulation/trial.ts"
import type { Making, Opened, Place } from "./simulation/world.ts"
import { everything, type Rates, type Script } from "./SimulationFault.ts"
import { type Event, type Report, SimulationFailed, type Trial } from "./SimulationReport.ts"

/**
 * A part of the simulated world: a source, a sink, a place for dead letters or a service. It outlives the processes of
 * the task, which crash and start again. `Self` is the key that it serves.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part<out Self> {
  readonly "~Self": (_: never) => Self
  readonly "~making": Making
}

const part = <Self>(making: Making): Part<Self> => ({ "~Self": (_) => _, "~making": making })

type Encoded = ReadonlyArray<Transaction.Transaction<unknown>>

const encodeAll = <S extends Schema.Constraint>(
  payload: S,
  transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>>
): Effect.Effect<Encoded, Schema.SchemaError, S["EncodingServices"]> => {
  const encode = encoder(payload, "json")
  return Effect.forEach(
    transactions,
    (transaction) => Effect.map(encode(transaction.payload), (encoded) => Transaction.withPayload(transaction, encoded))
  )
}

const opening = (
  open: Effect.Effect<Opened, unknown, Scope.Scope>,
  { crash, cut }: Pick<SourceStorage, "crash" | "cut"> = {}
): Place => ({ open, crash, cut })

/**
 * A source of these transactions: a queue in memory with the behaviour of a broker. It outlives the processes: what one of
 * them held when it crashed is handed over again, at once or when its lease has run out.
 *
 * **Gotchas**
 * A payload whose schema needs services to be encoded is not accepted: the part is `never`.
 *
 * @category parts
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  transactions: ReadonlyArray<Transaction.Transaction<S["Type"]>>,
  options: Memory.QueueOptions = {}
): [S["EncodingServices"]] extends [never] ? Part<Self> : never =>
  part({
    transactions,
    make: (chosen) =>
      Effect.gen(function*() {
        const store = yield* makeStore(options)
        store.offer(yield* encodeAll(key.payload, chosen) as Effect.Effect<Encoded, Schema.SchemaError>)
        return opening(
          Effect.map(connect(store), (queue): Opened => ({
            source: queue.source,
            context: (wrap) => Context.make(key, { source: wrap.source(queue.source) })
          }))
        )
      })
  }) as never

const makeStore = (options: Memory.QueueOptions): Effect.Effect<Store> =>
  Effect.map(Clock.Clock, (clock) =>
    new Store({
      clock,
      lease: options.lease === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(options.lease)),
      history: 0,
      countsDeliveries: options.deliveries !== "engine",
      delaysRequeues: options.requeueDelay !== "engine",
      buriesDeadLetters: options.deadLetter !== "none",
      end: false,
      key: options.key,
      malformed: options.malformed
    }))

/**
 * Any source: from the storage that its conformance harness has. What a process does is done through a connection of its
 * own; when it crashes, `crash` of the storage is called, or else its connection is closed.
 *
 * **Details**
 * It has to take its time from Effect's clock (`time: "test"` in the harness). A `commit` that it offers is not used.
 *
 * @category parts
 * @since 0.1.0
 */
export const sourceFrom = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  storage: Effect.Effect<SourceStorage, unknown, Scope.Scope>,
  transactions: ReadonlyArray<Transaction.Transaction<unknown>>
): Part<Self> =>
  part({
    transactions,
    make: (chosen) =>
      Effect.gen(function*() {
        const { crash, cut, enqueue, open } = yield* storage
        yield* enqueue(chosen)
        return opening(
          Effect.map(open, (source): Opened => ({
            source,
            context: (wrap) => Context.make(key, { source: wrap.source(source) })
          })),
          { crash, cut }
        )
      })
  })

/**
 * A sink that takes whatever it is sent.
 *
 * @category parts
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>
): Part<Self> =>
  part({
    transactions: [],
    make: () => Effect.succeed(opening(Effect.succeed(sinkOf(key, taking))))
  })

const taking: Connector.SinkService = { format: "json", dispatch: () => Effect.void }

const sinkOf = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  real: Connector.SinkService
): Opened => ({ source: undefined, context: (wrap) => Context.make(key, { sink: wrap.sink(real, key.id) }) })

/**
 * Any sink: from the storage that its conformance harness has.
 *
 * @category parts
 * @since 0.1.0
 */
export const sinkFrom = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  storage: Effect.Effect<SinkStorage, unknown, Scope.Scope>
): Part<Self> =>
  part({
    transactions: [],
    make: () => Effect.map(storage, ({ open }) => opening(Effect.map(open, (real) => sinkOf(key, real))))
  })

/**
 * A place for dead letters.
 *
 * @category parts
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(key: Connector.DeadLettersClass<Self, Id>): Part<Self> =>
  part({
    transactions: [],
    make: () =>
      Effect.succeed(opening(Effect.succeed<Opened>({
        source: undefined,
        context: (wrap) => Context.make(key, { deadLetters: wrap.letters(taking, key.id) })
      })))
  })

/**
 * A service of the world that outlives every crash: a database, say, or an API. It is made once per seed.
 *
 * **Details**
 * What a process keeps to itself is given to the task by `Task.provide`, and is made again by every process.
 *
 * @category parts
 * @since 0.1.0
 */
export const service = <Self, Shape>(
  key: Context.Key<Self, Shape>,
  make: Effect.Effect<Shape, unknown, Scope.Scope>
): Part<Self> =>
  part({
    transactions: [],
    make: () =>
      Effect.map(make, (shape) =>
        opening(Effect.succeed<Opened>({ source: undefined, context: () => Context.make(key, shape) })))
  })

/**
 * What an invariant of your own looks at.
 *
 * @category models
 * @since 0.1.0
 */
export interface View {
  readonly ended: boolean
  readonly events: ReadonlyArray<Event>
  /** The ids that a sink, by the id of its key, has taken, in their order, again and again when they were sent again. */
  readonly received: (sink: string) => ReadonlyArray<string>
  /** How each transaction has ended at its source; `undefined` while it has not. */
  readonly settled: (id: string) => "Ack" | "DeadLetter" | undefined
}

/**
 * A rule of your own: `check` is called after every step and once more when everything has ended, and answers with what
 * is wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Invariant {
  readonly name: string
  readonly check: (view: View) => string | undefined
}

/**
 * The keys that the parts of a world serve.
 *
 * @category models
 * @since 0.1.0
 */
export type Served<Parts extends ReadonlyArray<Part<unknown>>> = ReturnType<Parts[number]["~Self"]>

/**
 * How a simulation is run.
 *
 * **Details**
 * - `world`: the parts that the task needs; a key without a part does not compile.
 * - `seeds`: how many, 100 unless given; `from`: the first one, 1 unless given.
 * - `faults`: how often what goes wrong, `SimulationFault.everything` unless given.
 * - `latency`: the longest a call takes that nothing is wrong with, in virtual time; 20 milliseconds unless given.
 * - `invariants`: rules of your own, beside those of Ergon.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Parts extends ReadonlyArray<Part<unknown>>> {
  readonly world: Parts
  readonly seeds?: number | undefined
  readonly from?: number | undefined
  readonly faults?: Rates | undefined
  readonly latency?: Duration.Input | undefined
  readonly invariants?: ReadonlyArray<Invariant> | undefined
}

const specOf = (task: Task.Any<unknown, unknown>, options: Options<ReadonlyArray<Part<unknown>>>): Spec => ({
  definition: definitionOf(task),
  places: options.world.map((one) => one["~making"]),
  rules: (options.invariants ?? []).map(({ check, name }): Rule => ({
    name,
    check: (running, ended) => check(viewOf(running, ended))
  })),
  latency: Duration.toMillis(Duration.fromInputUnsafe(options.latency ?? "20 millis")),
  promises: true
})

const viewOf = ({ history }: Running, ended: boolean): View => ({
  ended,
  events: history.events,
  received: (sink) => history.receivedBy(sink),
  settled: (id) => history.ended.get(id)
})

/**
 * Runs a task under many seeds: the real engine and your own program, between connectors that fail at the worst moment.
 *
 * **Details**
 * Each seed begins with a few processes in which things go wrong, some of which crash or are interrupted; then come calm
 * ones, until every transaction has come to its end at the source. After every step the rules of Ergon and your own are
 * looked at. Fails with `SimulationFailed` at the first seed that breaks one, after that seed was shrunk; its message is
 * the story. Time is virtual; a seed costs a few milliseconds, shrinking one up to a few seconds.
 *
 * **Gotchas**
 * Dies when the task is refused, and when the world itself fails. State of a module that the program changes goes from
 * seed to seed: put it into `Simulation.service`.
 *
 * **Example** (A hundred seeds)
 * ```ts import.meta.vitest
 * import { Connector, Task, Transaction } from "@ergon/core"
 * import { Simulation } from "@ergon/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Int) {}
 * class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
 *
 * const task = Task.consumer("totals", Orders, ({ payload }) => Effect.succeed(payload * 2)).pipe(
 *   Task.dispatch(Totals, (order, total) => Transaction.make(`total-${order.id}`, total))
 * )
 * const world = [
 *   Simulation.source(Orders, [Transaction.make("order-1", 1), Transaction.make("order-2", 2)]),
 *   Simulation.sink(Totals)
 * ] as const
 * const report = await Effect.runPromise(Simulation.run(task, { world, seeds: 100 }))
 * report.transactions // => 200
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <X, const Parts extends ReadonlyArray<Part<unknown>>>(
  task: Task.Any<X, NoInfer<Served<Parts>>>,
  options: Options<Parts>
): Effect.Effect<Report, SimulationFailed> =>
  Effect.gen(function*() {
    const spec = specOf(task, options)
    const from = options.from ?? 1
    const seeds = options.seeds ?? 100
    const report = { task: task.name, seeds, faults: 0, processes: 0, transactions: 0, elapsed: 0 }
    for (let seed = from; seed < from + seeds; seed++) {
      const how = { faults: { rates: options.faults ?? everything }, inOrder: false, only: undefined }
      const first = yield* Effect.promise(() => trial(spec, seed, how))
      if (first.violation !== undefined) {
        const shrunk = yield* Effect.promise(() => shrink(() => spec, first))
        return yield* new SimulationFailed({ task: task.name, seed, trial: first, shrunk })
      }
      report.faults += first.script.length
      report.processes += first.processes
      report.transactions += first.transactions.length
      report.elapsed += first.elapsed
    }
    return report
  })

/**
 * Runs a task once more under one seed, with everything that it did then: the whole trial, whether its rules held or
 * not.
 *
 * **Details**
 * With `script` exactly these faults happen instead of those of `faults`; with `only` the source begins with these
 * transactions alone; `inOrder` runs first in, first out, without forced yields and without latency. The message of
 * `SimulationFailed` says which of them its story takes.
 *
 * @category running
 * @since 0.1.0
 */
export const replay = <X, const Parts extends ReadonlyArray<Part<unknown>>>(
  task: Task.Any<X, NoInfer<Served<Parts>>>,
  seed: number,
  options: Options<Parts> & {
    readonly script?: Script | undefined
    readonly only?: ReadonlyArray<string> | undefined
    readonly inOrder?: boolean | undefined
  }
): Effect.Effect<Trial> =>
  Effect.promise(() =>
    trial(specOf(task, options), seed, {
      faults: options.script === undefined ? { rates: options.faults ?? everything } : { script: options.script },
      inOrder: options.inOrder ?? false,
      only: options.only === undefined ? undefined : new Set(options.only)
    })
  )
