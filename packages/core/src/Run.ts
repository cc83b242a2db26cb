/**
 * One run of a task, as whoever looks after it sees it: a runner, a supervisor, an endpoint for health.
 *
 * Every `Task.run` tells the `Observer` in its context that it began, that its work is done, and that its Layers are
 * closed. Nobody listens unless somebody provides an observer, and then a run costs the same as before.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import type * as Layer from "effect/Layer"
import type { Count } from "./Connector.ts"
import type { DispatchError, FetchError } from "./ConnectorError.ts"
import type { Control, Status } from "./Control.ts"
import type { Summary } from "./Outcome.ts"
import type { Policy } from "./Policy.ts"
import type { Series } from "./Telemetry.ts"

/**
 * A connector that a run uses.
 *
 * **Details**
 * - `id`: the id of its key. `role`: what the run uses it for.
 * - `health`: fails while the connector is unhealthy; `undefined` where the connector cannot say.
 * - `count`: what a source holds; `undefined` where it cannot count, and of sinks.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConnectorOfRun {
  readonly id: string
  readonly role: "source" | "sink" | "deadLetters"
  readonly health: Effect.Effect<void, FetchError | DispatchError> | undefined
  readonly count: Effect.Effect<Count, FetchError> | undefined
}

/**
 * A copy of the task in a worker of its own.
 *
 * **Details**
 * - `id`: 0 to n - 1. `pid`: of its process; of a thread, that of the host.
 * - `phase`: `restarting` while it waits for its next start, `ended` once it will not start again.
 * - `restarts`: how often it was started again after a crash.
 * - `series`: what it has counted beyond its status, all of its starts together; empty unless `Telemetry.Histograms` is set
 *   where it is run from.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkerOfRun {
  readonly id: number
  readonly pid: number | undefined
  readonly phase: "starting" | "running" | "draining" | "restarting" | "ended"
  readonly restarts: number
  readonly status: Status
  readonly series: ReadonlyArray<Series>
}

/**
 * A run: its task, the policy in force, and the handle on it.
 *
 * **Details**
 * - `kind`: what the task is made of. A program has no transactions: its `control` stays idle.
 * - `connectors`: empty until the run has found them, which is after its Layers are built.
 * - `workers`: the copies of a run that is spread over workers; its `control` speaks to all of them, and its status adds
 *   theirs up. Empty for every other run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Run {
  readonly task: string
  readonly kind: "consumer" | "producer" | "program"
  readonly policy: Policy
  readonly control: Control
  readonly connectors: Effect.Effect<ReadonlyArray<ConnectorOfRun>>
  readonly workers: Effect.Effect<ReadonlyArray<WorkerOfRun>>
}

/**
 * Who is told about runs. Called synchronously, in the fiber of the run; must not throw.
 *
 * **Details**
 * - `started`: the run begins, before its Layers are built.
 * - `finished`: all is settled, or the run has failed; the Layers that the task was given close next. `exit` is what the
 *   work came to. Not called for a run whose Layers could not be built.
 * - `closed`: they are closed. Called once for every `started`.
 *
 * `Control.status` of the run keeps the summary of what it did.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observer {
  readonly started: (run: Run) => void
  readonly finished: (run: Run, exit: Exit.Exit<Summary, unknown>) => void
  readonly closed: (run: Run, exit: Exit.Exit<unknown, unknown>) => void
}

/**
 * The observer of the runs below, as a reference that can be provided; nobody unless given.
 *
 * @category services
 * @since 0.1.0
 */
export const Observer: Context.Reference<Observer> = Context.Reference<Observer>("@ergon/core/Run/Observer", {
  defaultValue: () => ({ started: constVoid, finished: constVoid, closed: constVoid })
})

/**
 * Who runs: what tells apart what several runs say.
 *
 * **Details**
 * - `execution`: the id of the execution; all workers of one run have the same.
 * - `worker`: the id of the worker, 0 to n - 1; `undefined` outside of workers.
 * - `thread`: of a thread that works for a run, its id in the process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Identity {
  readonly task: string
  readonly execution: string
  readonly worker?: number | undefined
  readonly thread?: number | undefined
}

/**
 * Which execution the runs below are part of, as a reference: set in workers. Unless given, every run is one of its own,
 * with a random id.
 *
 * @category services
 * @since 0.1.0
 */
export const Execution: Context.Reference<Omit<Identity, "task"> | undefined> = Context.Reference<
  Omit<Identity, "task"> | undefined
>("@ergon/core/Run/Execution", { defaultValue: () => undefined })

/**
 * The run that an effect is part of, as a reference: set where runs have surroundings.
 *
 * @category services
 * @since 0.1.0
 */
export const Current: Context.Reference<Identity | undefined> = Context.Reference<Identity | undefined>(
  "@ergon/core/Run/Current",
  { defaultValue: () => undefined }
)

/**
 * What is built around every run below, before everything else of it, and closed after everything else: its telemetry. A
 * reference; nothing unless given, and then a run costs the same as before.
 *
 * @category services
 * @since 0.1.0
 */
export const Surroundings: Context.Reference<((identity: Identity) => Layer.Layer<never>) | undefined> = Context
  .Reference<((identity: Identity) => Layer.Layer<never>) | undefined>("@ergon/core/Run/Surroundings", {
    defaultValue: () => undefined
  })

/**
 * Builds the surroundings of a run around an effect, and tells it which execution it is. `Task.run` and its like do so by
 * themselves; this is for those who run a task in another way.
 *
 * **Example** (What surrounds a run)
 * ```ts import.meta.vitest
 * import { Run, Task } from "@ergon/core"
 * import { Effect, Layer } from "effect"
 *
 * const names: Array<string> = []
 * const surroundings = (identity: Run.Identity) => Layer.effectDiscard(Effect.sync(() => names.push(identity.task)))
 * const task = Task.make("nightly", Effect.void)
 * await Effect.runPromise(Task.run(task).pipe(Effect.provideService(Run.Surroundings, surroundings)))
 * names // => ["nightly"]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const surround = (task: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Surroundings,
    (surroundings) =>
      surroundings === undefined ? effect : Effect.flatMap(Execution, (given) => {
        const execution = given ?? { execution: crypto.randomUUID() }
        const identity = { task, ...execution }
        return effect.pipe(
          Effect.provide(surroundings(identity)),
          Effect.provideService(Execution, execution),
          Effect.provideService(Current, identity)
        )
      })
  )
