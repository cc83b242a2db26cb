import * as Cause from "effect/Cause"
import type { Step } from "../../Failure.ts"

/** The error that stands in a cause for a timeout of ours: it is not part of the task's own error type. */
export const timedOut = (step: Step | "transaction", timeout: number): Cause.TimeoutError =>
  new Cause.TimeoutError(
    step === "transaction"
      ? `the transaction's deadline of ${timeout} ms passed`
      : `an attempt of the ${step} step exceeded its timeout of ${timeout} ms`
  )
