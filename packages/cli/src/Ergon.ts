/**
 * The command line of a project: what its main file says.
 *
 * @since 0.1.0
 */
import type { Task } from "@ergon/core"
import * as Effect from "effect/Effect"

/**
 * Runs the command line for these tasks.
 *
 * @category running
 * @since 0.1.0
 */
export const main = (tasks: ReadonlyArray<Task.Any<unknown, never>>): void =>
  void import("./internal/commandLine.ts").then(({ run }) =>
    run(process.argv.slice(2), { tasks: Effect.succeed(tasks) }, "0.1.0")
  )
