/**
 * What running a task can fail with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { FetchError } from "./ConnectorError.ts"

/**
 * The task was refused before anything ran; `problems` names what is wrong and what would be right.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskRefused extends Schema.TaggedError<TaskRefused>("@ergon/core/TaskRefused")("TaskRefused", {
  task: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `task "${this.task}" cannot run: ${this.problems.join("; ")}`
  }
}

/**
 * `loop.timeout` passed. What was in flight had been interrupted and released before.
 *
 * @category errors
 * @since 0.1.0
 */
export class LoopTimeout extends Schema.TaggedError<LoopTimeout>("@ergon/core/LoopTimeout")("LoopTimeout", {
  task: Schema.String,
  /** In milliseconds. */
  timeout: Schema.Number
}) {
  override get message(): string {
    return `task "${this.task}" did not end within loop.timeout (${this.timeout} ms)`
  }
}

/**
 * A decision of the task stopped it (`Decision.abort`); `cause` is the task's own error.
 *
 * @category errors
 * @since 0.1.0
 */
export class Aborted extends Schema.TaggedError<Aborted>("@ergon/core/Aborted")("Aborted", {
  task: Schema.String,
  transaction: Schema.String,
  reason: Schema.String,
  cause: Schema.Unknown
}) {
  override get message(): string {
    return `task "${this.task}" was aborted by its decision on transaction "${this.transaction}": ${this.reason}`
  }
}

/**
 * A producer without dead letters gave transactions up; `ids` names the first 100 of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProducerFailed extends Schema.TaggedError<ProducerFailed>("@ergon/core/ProducerFailed")(
  "ProducerFailed",
  { task: Schema.String, failed: Schema.Number, ids: Schema.Array(Schema.String), reason: Schema.String }
) {
  override get message(): string {
    const more = this.failed > this.ids.length ? ` and ${this.failed - this.ids.length} more` : ""
    const what = this.failed === 1
      ? `1 transaction (${this.ids.join(", ")}): `
      : `${this.failed} transactions (${this.ids.join(", ")}${more}); the first: `
    return `producer "${this.task}" gave up ${what}${this.reason}`
  }
}

/**
 * What running a task can fail with.
 *
 * @category models
 * @since 0.1.0
 */
export type RunError = FetchError | TaskRefused | LoopTimeout | Aborted | ProducerFailed
