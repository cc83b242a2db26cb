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
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { workerId } from "./internal/workers/role.ts"

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

/**
 * The task is not spread over workers, and none was started; `problems` names what is wrong and what would be right.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkersRefused extends Schema.TaggedError<WorkersRefused>("@ergon/node/WorkersRefused")(
  "WorkersRefused",
  { task: Schema.String, problems: Schema.Array(Schema.String) }
) {
  /** It was asked for in a way that cannot work: usage, before anything ran. */
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `task "${this.task}" cannot run in workers: ${this.problems.join("; ")}`
  }
}

/**
 * A worker ended again and again, and is not started once more. The others were drained.
 *
 * **Details**
 * `starts` says how often it was started without having been well for a minute, `last` how it ended the last time.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerGaveUp extends Schema.TaggedError<WorkerGaveUp>("@ergon/node/WorkerGaveUp")("WorkerGaveUp", {
  task: Schema.String,
  worker: Schema.Number,
  starts: Schema.Number,
  last: Schema.String
}) {
  override get message(): string {
    const times = this.starts === 1 ? "once" : `${this.starts} times`
    return `worker ${this.worker} of task "${this.task}" was started ${times} and is given up: ${this.last}`
  }
}

/**
 * The run failed in a worker, with an error that starting it again does not mend. The others were drained.
 *
 * **Details**
 * `tag`, `reason` and `exitCode` are those of the error in the worker: `reason` is its message, never empty.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerFailed extends Schema.TaggedError<WorkerFailed>("@ergon/node/WorkerFailed")("WorkerFailed", {
  task: Schema.String,
  worker: Schema.Number,
  tag: Schema.String,
  reason: Schema.String,
  exitCode: Schema.Number
}) {
  override get [Runtime.errorExitCode](): number {
    return this.exitCode
  }

  override get message(): string {
    return `task "${this.task}" failed in worker ${this.worker}: ${this.tag}: ${this.reason}`
  }
}

/**
 * What running a task in workers can fail with.
 *
 * @category models
 * @since 0.1.0
 */
export type WorkersError = WorkersRefused | WorkerGaveUp | WorkerFailed

/**
 * `Workers.serve` was called where no host waits for it.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAWorker extends Schema.TaggedError<NotAWorker>("@ergon/node/NotAWorker")("NotAWorker", {}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return "Workers.serve works only in a worker that Workers.run has started: use Task.run, or ask Workers.isWorker first"
  }
}

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
 *   task's policy, and 5 seconds; what has not ended by then is killed.
 * - A worker that exits, is killed, does not serve within `supervision.startGrace`, or is unhealthy for
 *   `supervision.unhealthyGrace` is started again after a delay, and so is one whose source or Layers fail. Each such end
 *   is logged as a warning. When it is given up, the others are drained, and the run fails with `WorkerGaveUp`.
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
): Effect.Effect<Outcome.Summary, WorkersError> => Effect.die(new Error(`${task.name}: ${options.count}`))

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
): Effect.Effect<void, NotAWorker, Needs<T>> => isWorker() ? Effect.die(tasks.length) : Effect.fail(new NotAWorker())
