/**
 * What running a task in workers can fail with.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

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
  override readonly [Runtime.errorExitCode]: number = 2

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
  override readonly [Runtime.errorExitCode]: number = 2

  override get message(): string {
    return "Workers.serve works only in a worker that Workers.run has started: use Task.run, or ask Workers.isWorker first"
  }
}
