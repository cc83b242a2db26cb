import { Decision } from "@ergon/core"
import { Schema } from "effect"
import type { TooManyRequests } from "../../services/catalogue.ts"

/** More than one order may cost. A person has to look at it. */
export class TooExpensive extends Schema.TaggedError<TooExpensive>()("TooExpensive", { total: Schema.Int }) {}

/**
 * What becomes of an order, for every error that the task can fail with. The compiler insists that none is missing: a
 * new error of the catalogue does not compile until somebody has decided about it here.
 */
export const decisions = {
  TooExpensive: Decision.deadLetter,
  UnknownSku: Decision.deadLetter,
  // Within the tries and the waits of the policy.
  CatalogueDown: Decision.retry,
  // The catalogue says when to come back. The slot is free meanwhile.
  TooManyRequests: (error: TooManyRequests) => Decision.requeue(error.retryAfter)
}
