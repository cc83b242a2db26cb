/**
 * Retries and a timeout around an effect, with only what the policy asks for.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { DispatchError, FetchError, SettleError } from "../../ConnectorError.ts"
import { isNonRetryable } from "../../Decision.ts"
import { type Reason, Throttled, Unknown } from "../../Reason.ts"
import type { Description } from "./description.ts"
import type { Effective } from "./field.ts"
import { toSchedule } from "./schedule.ts"

type StepPolicy = Effective<Description["process"]>

const reasonOf = (error: unknown): Reason | undefined =>
  error instanceof DispatchError || error instanceof FetchError || error instanceof SettleError
    ? error.reason
    : undefined

// Nothing is known about an Unknown: it gets the tries of the policy.
const canHelp = (reason: Cause.Reason<unknown>): boolean => {
  if (!Cause.isFailReason(reason)) return false
  const connector = reasonOf(reason.error)
  return connector === undefined || connector.isRetryable || connector instanceof Unknown
}

/** Defects and interruptions are not tried again, nor what says that trying again is of no use. */
const isRetryable = (cause: Cause.Cause<unknown>): boolean => !isNonRetryable(cause) && cause.reasons.every(canHelp)

/** How long, in milliseconds, a throttled connector asked to be left alone. */
const askedFor = (cause: Cause.Cause<unknown>): number =>
  cause.reasons.reduce((most, reason) => {
    const connector = Cause.isFailReason(reason) ? reasonOf(reason.error) : undefined
    return Math.max(most, connector instanceof Throttled ? connector.retryAfter ?? 0 : 0)
  }, 0)

export const withTimeout = <A, E, R, E2>(
  self: Effect.Effect<A, E, R>,
  timeout: Duration.Duration,
  late: () => E2
): Effect.Effect<A, E | E2, R> =>
  Duration.isFinite(timeout)
    ? Effect.timeoutOrElse(self, { duration: timeout, orElse: () => Effect.suspend(() => Effect.fail(late())) })
    : self

export const withRetry = <A, E, R>(self: Effect.Effect<A, E, R>, retry: StepPolicy["retry"]): Effect.Effect<A, E, R> =>
  retry.maxAttempts === 1 ? self : Effect.suspend(() => {
    let attempt = 0
    const numbered = Effect.suspend(() => Effect.andThen(Effect.annotateCurrentSpan("ergon.attempt", ++attempt), self))
    return Effect.sandbox(numbered).pipe(
      Effect.retry({ schedule: toSchedule(retry, askedFor), while: isRetryable }),
      Effect.catch(Effect.failCause)
    )
  })
