/**
 * How one transaction ended, for people and for machines.
 */
import type { Outcome } from "@ergon/core"
import { describe } from "@ergon/core/Failure"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { print, printJson } from "../output.ts"
import { Unsuccessful } from "../usageError.ts"
import { toJson } from "./json.ts"

type One = Outcome.Outcome<unknown, unknown, unknown>
type Failure = NonNullable<One["failure"]>

const errorOf = (failure: Failure) => describe(failure.step === "decode" ? failure.issue : Cause.squash(failure.cause))

const times = (count: number, what: string): string => count === 1 ? `1 ${what}` : `${count} ${what}s`

const settled = ({ disposition }: One): string => {
  switch (disposition._tag) {
    case "Ack":
      return ""
    case "Requeue":
      return "; to be tried again"
    case "DeadLetter":
      return "; dead-lettered"
    case "Release":
      return "; given back"
  }
}

const inWords = (outcome: One): string => {
  const { _tag, attempts, failure, transaction } = outcome
  const tried = attempts > 1 ? ` after ${times(attempts, "attempt")}` : ""
  if (failure === undefined) return `${transaction.id}: ${_tag}${tried}${_tag === "succeeded" ? "" : settled(outcome)}`
  const { message, tag } = errorOf(failure)
  return `${transaction.id}: ${_tag} at ${failure.step}${tried} (${failure.category}): ${tag}: ${message}${
    settled(outcome)
  }`
}

const encoded = ({ _tag, attempts, deliveries, disposition, failure, result, transaction }: One) => ({
  id: transaction.id,
  outcome: _tag,
  attempts,
  deliveries,
  disposition: toJson(disposition),
  result: toJson(result),
  failure: failure === undefined
    ? null
    : { step: failure.step, category: failure.category, attempts: failure.attempts, error: errorOf(failure) }
})

/** Prints it; fails unless it succeeded. */
export const tell = (outcome: One, json: boolean): Effect.Effect<void, Unsuccessful> =>
  Effect.andThen(
    json ? printJson(encoded(outcome)) : print(inWords(outcome)),
    outcome._tag === "succeeded" ? Effect.void : Effect.fail(new Unsuccessful({ message: "" }))
  )
