/**
 * What is wrong with a policy, at one place, and what would be right.
 */
import * as Duration from "effect/Duration"
import { durationText } from "./field.ts"

export type Problem = Invalid | NoSuchField

/** A value that is not understood, out of its bounds, or contradicts another field. */
export interface Invalid {
  readonly _tag: "Invalid"
  // `process.retry.maxAttempts`, or the name of a variable; empty for the policy as a whole.
  readonly path: string
  // The value as one would write it.
  readonly value: string
  readonly expected: string
}

/** A name that is no field, the one that was probably meant, and the names that are valid in its place. */
export interface NoSuchField {
  readonly _tag: "NoSuchField"
  readonly path: string
  readonly value: string
  readonly nearest: string | undefined
  readonly valid: ReadonlyArray<string>
}

const longest = 80

const plain = (value: unknown): string => {
  if (Duration.isDuration(value)) return durationText(value)
  if (typeof value === "function") return "a function"
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value !== "object" || value === null) return String(value)
  try {
    return JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part)
  } catch {
    return "an object that contains itself"
  }
}

/** A value as one would write it, on one line. */
export const show = (value: unknown): string => {
  const text = plain(value)
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}

/** One sentence: the path, the value, and what is valid. */
export const sentence = (problem: Problem): string => {
  if (problem._tag === "Invalid") {
    const subject = problem.path === "" ? "the policy" : problem.path
    return `${subject}: ${problem.value} is not valid; expected ${problem.expected}`
  }
  const meant = problem.nearest === undefined ? "" : `; did you mean ${problem.nearest}?`
  const valid = problem.valid.length === 0 ? "" : ` (valid: ${problem.valid.join(", ")})`
  return `${problem.path}: no such field, set to ${problem.value}${meant}${valid}`
}
