/**
 * What stands in a failure whose time was up.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { DecodeFailure, Step } from "../../Failure.ts"
import type { Item } from "./item.ts"

/** The error that stands in a cause for a timeout of ours: it is not part of the task's own error type. */
export const timedOut = (step: Step | "transaction", timeout: number): Cause.TimeoutError =>
  new Cause.TimeoutError(
    step === "transaction"
      ? `the transaction's deadline of ${timeout} ms passed`
      : `an attempt of the ${step} step exceeded its timeout of ${timeout} ms`
  )

/** A schema was still at work when the transaction's deadline passed. */
export const decodeOverdue = (deadline: number, item: Item, attempts: number): DecodeFailure => ({
  step: "decode",
  category: "timeout",
  transaction: item.delivery.transaction,
  issue: new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: timedOut("transaction", deadline).message })),
  attempts,
  deliveries: item.deliveries
})
