import { type Reason, Throttled } from "../../Reason.ts"
import type { Plan } from "./plan.ts"

/** The delay before a sink is tried again: the policy's, at least what the system asked for, and never none. */
export const delayAfter = (plan: Plan, attempt: number, reason: Reason): number => {
  const asked = reason instanceof Throttled ? reason.retryAfter ?? 0 : 0
  return Math.max(asked, plan.dispatch.delay(attempt) || plan.reconnectDelay(attempt))
}
