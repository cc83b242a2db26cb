/**
 * The command line of a project: what its main file says.
 *
 * @since 0.1.0
 */
import type { Task } from "@ergon/core"
import type * as Observability from "@ergon/telemetry/Observability"
import * as Workers from "@ergon/node/Workers"
import { tellCalled } from "./internal/called.ts"
import { version } from "./internal/version.ts"

/**
 * How the command line presents itself, and what its runs tell.
 *
 * **Details**
 * - `version` is what `--version` says of it; unless given, the version of `@ergon/cli`.
 * - `telemetry` is the configuration of `Observability` that the environment is laid over, for every run: a run has spans,
 *   metrics and logs of its own, with task, execution and worker in their resource. Unless given, the environment alone
 *   decides, and nothing is loaded until a variable such as `OTEL_EXPORTER_OTLP_ENDPOINT` asks for it. `false` is for a
 *   program that has its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly version?: string | undefined
  readonly telemetry?: Observability.Input | false | undefined
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
    void import("./internal/serving.ts").then(({ serve }) => serve(tasks, options.telemetry))
  } else {
    void Promise.all([import("./internal/commandLine.ts"), import("./internal/project.ts")]).then(
      ([{ run }, { withTasks }]) =>
        run(process.argv.slice(2), withTasks(tasks, options.telemetry), options.version ?? version)
    )
  }
}
