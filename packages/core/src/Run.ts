/**
 * One run of a task, as whoever looks after it sees it: a runner, a supervisor, an endpoint for health.
 *
 * Every `Task.run` tells the `Observer` in its context that it began, that its work is done, and that its Layers are
 * closed. Nobody listens unless somebody provides an observer, and then a run costs the same as before.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import type { Count } from "./Connector.ts"
import type { DispatchError, FetchError } from "./ConnectorError.ts"
import type { Control, Status } from "./Control.ts"
import type { Summary } from "./Outcome.ts"
import type { Policy } from "./Policy.ts"

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
