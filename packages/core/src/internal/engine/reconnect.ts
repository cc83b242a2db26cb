/**
 * How long a connector that failed is left alone: one rule for fetching, dispatching and settling.
 */
import { type Reason, Throttled } from "../../Reason.ts"
import type { Plan, StepPlan } from "./plan.ts"

/** The delay before it is tried again: the policy's, at least what the system asked for, and never none. */
export const delayAfter = (plan: Plan, step: StepPlan, attempt: number, reason: Reason): number => {
  const asked = reason instanceof Throttled ? reason.retryAfter ?? 0 : 0
  return Math.max(asked, step.delay(attempt) || plan.emptyDelay(attempt))
}
