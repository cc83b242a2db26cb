/**
 * The command line of a project: what its main file says.
 *
 * @since 0.1.0
 */
import type { Task } from "@ergon/core"
import * as Workers from "@ergon/node/Workers"
import { tellCalled } from "./internal/called.ts"
import { version } from "./internal/version.ts"

/**
 * How the command line presents itself.
 *
 * **Details**
 * `version` is what `--version` says of it; unless given, the version of `@ergon/cli`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly version?: string | undefined
}

/**
 * Answers the command line of this process for the tasks of the project: the last thing that its main file does.
 *
 * **Details**
 * - package.json names the main file, `"ergon": { "main": "src/main.ts" }`, and the command `ergon` loads it. The file
 *   also runs by itself: `node src/main.ts run orders` does what `ergon run orders` does.
 * - Tasks have everything they need: what is missing is given with `Task.provide`, or the list does not compile. Names are
 *   unique. The Layers of a task are built when it runs, so that listing tasks connects to nothing.
 * - In a worker that `ergon run --workers` has started, it serves that worker instead.
 * - The exit code is 0 when all is done, 1 when a run failed, 2 when flags, variables or the project are wrong and
 *   nothing has run, and 130, 143 or 129 after SIGINT, SIGTERM or SIGHUP.
 *
 * **Example** (A main file)
 * ```ts no-run="it answers the command line of its process"
 * import { Ergon } from "@ergon/cli"
 * import { Task } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const nightly = Task.make("nightly", Effect.logInfo("good night"))
 *
 * Ergon.main([nightly])
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const main = (tasks: ReadonlyArray<Task.Any<unknown, never>>, options: Options = {}): void => {
  tellCalled()
  if (Workers.isWorker()) {
    void import("./internal/serving.ts").then(({ serve }) => serve(tasks))
  } else {
    void Promise.all([import("./internal/commandLine.ts"), import("./internal/project.ts")]).then(
      ([{ run }, { withTasks }]) => run(process.argv.slice(2), withTasks(tasks), options.version ?? version)
    )
  }
}
