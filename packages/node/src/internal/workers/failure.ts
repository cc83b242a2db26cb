/** What a run in a worker failed with, as data that says it in words. */
import { Failure } from "@ergon/core"
import * as Cause from "effect/Cause"
import * as Runtime from "effect/Runtime"

// What the same task, the same policy and the same environment run into again.
const lasting: ReadonlySet<string> = new Set([
  "TaskRefused",
  "Aborted",
  "LoopTimeout",
  "ProducerFailed",
  "PolicyError",
  "ConfigError"
])

// Configuration that does not decode: the exit code of the process says so.
const configuration: ReadonlySet<string> = new Set(["PolicyError", "ConfigError"])

export interface Described {
  readonly tag: string
  readonly reason: string
  readonly exitCode: number
  readonly mends: boolean
}

export const describe = (cause: Cause.Cause<unknown>): Described => {
  const error = Cause.squash(cause)
  const { message, tag } = Failure.describe(error)
  const exitCode = Runtime.getErrorExitCode(error)
  return {
    tag,
    reason: message,
    exitCode: exitCode === 1 && configuration.has(tag) ? 2 : exitCode,
    mends: !lasting.has(tag)
  }
}

export const unknownTask = (name: string, known: ReadonlyArray<string>): Described => ({
  tag: "UnknownTask",
  reason: `the entry of the worker serves no task "${name}", only ${
    known.length === 0 ? "an empty list" : known.map((one) => `"${one}"`).join(", ")
  }`,
  exitCode: 2,
  mends: false
})
