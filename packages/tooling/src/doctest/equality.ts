/**
 * When a value is what a comment says: equal for Effect's `Equal`, or of the same shape. A plain object on the right
 * stands for the fields of whatever is on the left; fields that are `undefined` do not count.
 */
import * as Equal from "effect/Equal"
import { isDeepStrictEqual } from "node:util"

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null &&
  (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)

const fields = (value: object): ReadonlyMap<string, unknown> =>
  new Map(Object.entries(value).filter(([, field]) => field !== undefined))

export const matches = (actual: unknown, expected: unknown): boolean => {
  if (Object.is(actual, expected) || Equal.equals(actual, expected) || isDeepStrictEqual(actual, expected)) return true
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length &&
      expected.every((one, index) => matches(actual[index], one))
  }
  if (isPlain(expected) && typeof actual === "object" && actual !== null && !Array.isArray(actual)) {
    const left = fields(actual)
    const right = fields(expected)
    return left.size === right.size && [...right].every(([key, one]) => left.has(key) && matches(left.get(key), one))
  }
  return false
}
