/**
 * What is wrong with a policy, at one place, and what would be right.
 */
import * as Duration from "effect/Duration"
import { durationText } from "./field.ts"

export interface Problem {
  // `process.retry.maxAttempts`, or the name of a variable; empty for the policy as a whole.
  readonly path: string
  // The value as one would write it.
  readonly value: string
  readonly expected: string
  // Given when there is no such field: the field that was probably meant, if there is one near.
  readonly nearest?: string | undefined
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
  const subject = problem.path === "" ? "the policy" : problem.path
  if (!("nearest" in problem)) return `${subject}: ${problem.value} is not valid; expected ${problem.expected}`
  const meant = problem.nearest === undefined ? "" : `, did you mean ${problem.nearest}?`
  return `${subject} (${problem.value}): no such field${meant || ";"} expected ${problem.expected}`
}
