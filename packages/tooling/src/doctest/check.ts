/**
 * What an instrumented block calls, in the process that runs it.
 */
import { inspect } from "node:util"
import { matches } from "./equality.ts"

/** The checks of one block: which were reached, and what did not match. */
export interface Checks {
  readonly reached: ReadonlySet<number>
  readonly failures: ReadonlyArray<{ readonly line: number; readonly message: string }>
  readonly check: (line: number, actual: unknown, expected: () => unknown) => unknown
}

const show = (value: unknown): string => inspect(value, { depth: 6, breakLength: 100 })

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

export const make = (): Checks => {
  const reached = new Set<number>()
  const failures: Array<{ readonly line: number; readonly message: string }> = []
  const compare = (line: number, actual: unknown, expected: unknown) => {
    reached.add(line)
    if (!matches(actual, expected)) failures.push({ line, message: `is ${show(actual)}, not ${show(expected)}` })
    return actual
  }
  return {
    reached,
    failures,
    check: (line, actual, expected) =>
      isPromise(actual)
        ? actual.then((value) => compare(line, value, expected()))
        : compare(line, actual, expected())
  }
}
