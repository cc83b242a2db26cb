/**
 * What the person at the command line has to change. It is written to stderr as it stands, and the exit code is 2.
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

export class UsageError extends Schema.TaggedError<UsageError>("@ergon/cli/UsageError")("UsageError", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override readonly [Runtime.errorReported] = false
}

/** One message out of several: each stands on a line of its own, so that all can be mended at once. */
export const usageError = (problems: ReadonlyArray<string>): UsageError =>
  new UsageError({
    message: problems.length === 1
      ? problems[0]!
      : `${problems.length} problems:\n${problems.map((problem) => `- ${problem.replaceAll("\n", "\n  ")}`).join("\n")}`
  })
