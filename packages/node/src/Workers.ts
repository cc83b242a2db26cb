/**
 * Isolated copies of a task, in processes or threads of their own.
 *
 * **Guarantee**: at-least-once, as for a task that runs alone. What a crashed worker was working on is delivered again by
 * the source.
 *
 * @since 0.1.0
 */
import type { Outcome, Policy, Task } from "@ergon/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { workerId } from "./internal/workers/role.ts"
import { NotAWorker, type WorkersError } from "./WorkersError.ts"

/**
 * How a task is spread over workers.
 *
 * **Details**
 * - `count`: how many, at least 1. A producer has exactly one: each copy would produce everything again.
 * - `entry`: the module that a worker begins with, as a URL, a `file:` URL as text or a path. It calls `Workers.serve`
 *   under `ErgonRuntime.runMain`, as the program of the host may do itself.
 * - `kind`: `process` (the default) has its own memory, event loop and crashes; `thread` starts faster, shares the
 *   process and dies with it.
 * - `restart`: how often one worker is started again after a crash, and after which delays. Unless given: 5 starts
 *   together, 1 second before the second one, twice that each time, at most 30 seconds. A worker that was well for a
 *   minute counts anew.
 * - `policy`: laid over the policy of the task in every worker. `loop.limit` is for all workers together: each gets its
 *   share. `loop.concurrency` and `loop.rate` are for each worker.
 * - `args`: what a worker finds in `process.argv` after its entry. Nothing unless given.
 * - `env`: laid over the environment of the host; `undefined` takes a variable away.
 * - `execArgv`: options of Node, before the entry; those of the host unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly count: number
  readonly entry: string | URL
  readonly kind?: "process" | "thread" | undefined
  readonly restart?: Policy.RetryInput | undefined
  readonly policy?: Policy.Input | undefined
  readonly args?: ReadonlyArray<string> | undefined
  readonly env?: { readonly [name: string]: string | undefined } | undefined
  readonly execArgv?: ReadonlyArray<string> | undefined
}

// What can go wrong.
export { NotAWorker, WorkerFailed, WorkerGaveUp, type WorkersError, WorkersRefused } from "./WorkersError.ts"

/**
 * Whether this process or thread was started by `Workers.run`.
 *
 * @category workers
 * @since 0.1.0
 */
export const isWorker = (): boolean => workerId() !== undefined

/**
 * The id of this worker, 0 to `count` - 1; `undefined` outside of workers. Another one can be provided.
 *
 * @category services
 * @since 0.1.0
 */
export const Id: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "@ergon/node/Workers/Id",
  { defaultValue: workerId }
)

/**
 * Runs copies of a task in workers, to their end, and says what all of them did.
 *
 * **Details**
 * Only the name of the task and data cross the boundary: every worker finds the task in its own modules, and builds its
 * own Layers. Its entry serves a task of the same name.
 *
 * - One run is told to the observer. Its status adds up what the workers report about every second, its control speaks to
 *   all of them, and concurrency and rate are set for each one.
 * - Interrupting it drains all workers and waits for all. Worst case: `shutdown.grace` plus `shutdown.close` of the
 *   task's policy, and 2 seconds; what has not ended by then is killed.
 * - A worker that exits, is killed, does not serve within `supervision.startGrace`, or is unhealthy for
 *   `supervision.unhealthyGrace` is started again after a delay, and so is one whose source or Layers fail. Each such end
 *   is logged as a warning. When it is given up, the others are drained, and the run fails with `WorkerGaveUp`.
 * - The runs in the workers are part of the execution and of the trace of this one: its id is theirs, and where a tracer
 *   listens, its span is above theirs.
 * - An error that no restart mends (`TaskRefused`, `Aborted`, `LoopTimeout`, `ProducerFailed`, a policy or configuration
 *   that does not decode) drains the others, and the run fails with `WorkerFailed`.
 * - Of a crashed worker the summary counts what it had reported.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (
  task: Task.Any<unknown, unknown>,
  options: Options
): Effect.Effect<Outcome.Summary, WorkersError> =>
  Effect.flatMap(Effect.promise(() => import("./internal/workers/host.ts")), (host) => host.run(task, options))

/**
 * What a task of a list still needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs<T> = T extends Task.Any<unknown, infer R> ? R : never

/**
 * In a worker: runs the task of the list that the host asks for, tells the host how it goes, and ends with it.
 *
 * **Details**
 * It obeys the host's drain and stop. When the host is gone, it interrupts what runs, releases it, and ends within
 * `shutdown.close`; a worker whose event loop is blocked by then is killed. Interrupting it drains.
 *
 * Fails with `NotAWorker` outside of a worker. What the run fails with goes to the host.
 *
 * @category workers
 * @since 0.1.0
 */
export const serve = <T extends Task.Any<unknown, unknown>>(
  tasks: ReadonlyArray<T>
): Effect.Effect<void, NotAWorker, Needs<T>> =>
  Effect.suspend(() => {
    const id = workerId()
    if (id === undefined) return Effect.fail(new NotAWorker())
    // What they need is what this effect needs: the types say so.
    const closed = tasks as ReadonlyArray<Task.Any<unknown, unknown>> as ReadonlyArray<Task.Any<unknown, never>>
    return Effect.flatMap(Effect.promise(() => import("./internal/workers/serve.ts")), (worker) =>
      worker.serve(closed, id))
  })
