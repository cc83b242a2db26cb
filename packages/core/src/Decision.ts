/**
 * What a task decides about a typed error of its process step.
 *
 * **Example** (Deciding by tag)
 * ```ts import.meta.vitest
 * import { Decision } from "@ergon/core"
 *
 * Decision.retry._tag // => "Retry"
 * Decision.retryAfter("2 seconds")._tag // => "RetryAfter"
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * What a task decides about a typed error.
 *
 * **Details**
 * - `Retry`: try again by the policy's backoff, as long as `process.retry.maxAttempts` allows.
 * - `RetryAfter`: the same with this delay instead of the backoff.
 * - `Requeue`: give it back to the source, for later; the delivery count goes up.
 * - `DeadLetter`: give it up now.
 * - `Discard`: acknowledge it without a result.
 * - `Abort`: release it, drain, and end the run with this error.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Retry" }
  | { readonly _tag: "RetryAfter"; readonly delay: Duration.Duration }
  | { readonly _tag: "Requeue"; readonly delay: Duration.Duration }
  | { readonly _tag: "DeadLetter" }
  | { readonly _tag: "Discard" }
  | { readonly _tag: "Abort" }

/**
 * Try again by the policy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const retry: Decision = Object.freeze({ _tag: "Retry" })

/**
 * Try again after `delay`; still bounded by `process.retry.maxAttempts`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const retryAfter = (delay: Duration.Input): Decision => ({
  _tag: "RetryAfter",
  delay: Duration.fromInputUnsafe(delay)
})

/**
 * Give it back to the source, which delivers it again after `delay` (none unless given).
 *
 * @category constructors
 * @since 0.1.0
 */
export const requeue = (delay: Duration.Input = Duration.zero): Decision => ({
  _tag: "Requeue",
  delay: Duration.fromInputUnsafe(delay)
})

/**
 * Give it up now: the exception step, then the dead letters.
 *
 * @category constructors
 * @since 0.1.0
 */
export const deadLetter: Decision = Object.freeze({ _tag: "DeadLetter" })

/**
 * Acknowledge it without a result. It counts as failed, and nothing of it is kept.
 *
 * @category constructors
 * @since 0.1.0
 */
export const discard: Decision = Object.freeze({ _tag: "Discard" })

/**
 * Stop the task: release this delivery, drain, and end the run with this error.
 *
 * @category constructors
 * @since 0.1.0
 */
export const abort: Decision = Object.freeze({ _tag: "Abort" })

class NonRetryable extends Context.Service<NonRetryable, true>()("@ergon/core/Decision/NonRetryable") {}

const nonRetryableAnnotation = Context.make(NonRetryable, true)

/**
 * Fails with `error`, and says that trying again is of no use: the error keeps its type, no attempt follows, and it
 * wins over `Task.decide`.
 *
 * **Example** (No second try)
 * ```ts import.meta.vitest
 * import { Decision } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const program = Decision.nonRetryable("account closed")
 * Effect.runSync(Effect.flip(program)) // => "account closed"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const nonRetryable = <E>(error: E): Effect.Effect<never, E> =>
  Effect.failCause(Cause.annotate(Cause.fail(error), nonRetryableAnnotation))

/**
 * Whether a cause was made by `nonRetryable`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isNonRetryable = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => reason.annotations.has(NonRetryable.key))
