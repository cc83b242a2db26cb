/** Turns what `Task.decide` was given into one function over errors. */
import * as Predicate from "effect/Predicate"
import type { Decision } from "../Decision.ts"
import type { Decide } from "./definition.ts"

export type Cases = Readonly<Record<string, Decision | ((error: never) => Decision)>>

type Rule = Decision | ((error: unknown) => Decision)

export const fromCases = (cases: Cases): Decide => {
  const rules = new Map(Object.entries(cases) as ReadonlyArray<[string, Rule]>)
  return (error) => {
    const tag = Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : undefined
    const rule = tag === undefined ? undefined : rules.get(tag)
    if (rule === undefined) return "undecided"
    return typeof rule === "function" ? rule(error) : rule
  }
}

/** Whether a case says retry whatever the error: then the policy has to allow more than one attempt. */
export const alwaysRetries = (cases: Cases): boolean =>
  Object.values(cases).some((rule) =>
    typeof rule !== "function" && (rule._tag === "Retry" || rule._tag === "RetryAfter")
  )
