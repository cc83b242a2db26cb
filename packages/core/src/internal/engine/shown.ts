/**
 * A failure as a span may show it: the type, the message and the stack of the error, neither of the first two empty, and
 * never a payload. What is no `Error` would be shown with everything that is in it, and a payload that cannot be read with
 * the words of its parser, which quotes it.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { describe, type Failure } from "../../Failure.ts"

export interface Failed {
  readonly category: "business" | "system" | "timeout" | "invalid"
  readonly errorType: string
}

/** What kind of failure an attempt came to. */
export const failedAttempt = (exit: Exit.Failure<unknown, unknown>): Failed => {
  const found = Cause.findError(exit.cause)
  return {
    category: Result.isSuccess(found) ? "business" : "system",
    errorType: Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : describe(Cause.squash(exit.cause)).tag
  }
}

// The name of the type is the tag, here as in `error.type`.
const isShown = (error: unknown): boolean =>
  error instanceof Error && error.message.trim() !== "" && describe(error).tag === error.name

const shownError = (error: unknown): Error => {
  const { message, tag } = describe(error)
  const shown = new Error(message)
  shown.name = tag
  // Where this one was made says nothing.
  shown.stack = (error instanceof Error ? error.stack : undefined) ?? `${tag}: ${message}`
  return shown
}

/** The same exit, if its errors can be shown as they are. */
export const shown = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(exit)) return exit
  const { reasons } = exit.cause
  if (reasons.every((one) => one._tag === "Interrupt" || isShown(one._tag === "Fail" ? one.error : one.defect))) {
    return exit
  }
  return Exit.failCause(Cause.fromReasons(reasons.map((reason) => {
    switch (reason._tag) {
      case "Fail":
        return Cause.makeFailReason(shownError(reason.error)).annotate(Cause.reasonAnnotations(reason))
      case "Die":
        return Cause.makeDieReason(shownError(reason.defect)).annotate(Cause.reasonAnnotations(reason))
      case "Interrupt":
        return reason
    }
  })))
}

/** What a transaction failed with. `malformed`: its payload could not even be read. */
export const shownFailure = (failure: Failure<unknown, unknown>, malformed: boolean): Exit.Exit<unknown, unknown> => {
  if (failure.step !== "decode") return shown(Exit.failCause(failure.cause))
  if (!malformed) return Exit.fail(failure.issue)
  const unreadable = new Error("the payload cannot be read")
  unreadable.name = failure.issue.name
  return Exit.fail(unreadable)
}
