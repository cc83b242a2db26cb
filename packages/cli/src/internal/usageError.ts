/**
 * How a command ends that has not done what it was asked for.
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * What the person at the command line has to change. It is written to stderr as it stands, and the exit code is 2.
 */
export class UsageError extends Schema.TaggedError<UsageError>("@ergon/cli/UsageError")("UsageError", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override readonly [Runtime.errorReported] = false
}

/** One error out of several problems: each stands on lines of its own, so that all can be mended at once. */
export const usageError = (problems: ReadonlyArray<string>): UsageError =>
  new UsageError({
    message: problems.length === 1
      ? problems[0]!
      : `${problems.length} problems:\n${problems.map((problem) => `- ${problem.replaceAll("\n", "\n  ")}`).join("\n")}`
  })

/** It did not succeed: the exit code is 1. A message is written to stderr; without one, the output has said it all. */
export class Unsuccessful extends Schema.TaggedError<Unsuccessful>("@ergon/cli/Unsuccessful")("Unsuccessful", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

export const isTold = (error: unknown): error is UsageError | Unsuccessful =>
  error instanceof UsageError || error instanceof Unsuccessful
