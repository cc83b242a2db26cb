/**
 * The envelope in which a transaction that failed for good is kept: everything needed to understand it and to send it
 * again.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * What a dead-letter sink receives: the transaction as it arrived, and why it was given up.
 *
 * **Details**
 * - `payload`: as it arrived from the source, still encoded; of an undecodable transaction the raw input.
 * - `reason`: one sentence that a person can act on.
 * - `step`, `category`: where it failed and of which kind (see `Failure`).
 * - `error`: tag (or class) and message of the error; never empty.
 * - `attempts`: tries of the failed step; `deliveries`: hand-overs before this one.
 * - `source`: the id of the source's key; `task`: the name of the task.
 * - `metadata`: of the transaction; `traceparent` and `tracestate` in it lead to its trace.
 * - `failedAt`: ISO 8601, UTC.
 *
 * @category models
 * @since 0.1.0
 */
export class DeadLetter extends Schema.Class<DeadLetter>("@ergon/core/DeadLetter")({
  id: Schema.NonEmptyString,
  payload: Schema.Unknown,
  metadata: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean])),
  reason: Schema.String,
  step: Schema.Literals(["fetch", "decode", "process", "dispatch", "success", "exception", "settle"]),
  category: Schema.Literals(["business", "system", "timeout", "invalid"]),
  error: Schema.Struct({ tag: Schema.String, message: Schema.String }),
  attempts: Schema.Number,
  deliveries: Schema.Number,
  task: Schema.String,
  source: Schema.String,
  failedAt: Schema.String
}) {}
