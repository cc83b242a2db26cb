/**
 * Runs a program as the main program of a Node process: signals, exit codes, and an end that takes no longer than it may.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { run } from "./internal/runner/program.ts"
import type { Runs } from "./Runs.ts"

/**
 * A signal that asks the process to end. `count`: how many there were, this one included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Signal {
  readonly name: "SIGINT" | "SIGTERM" | "SIGHUP"
  readonly count: number
}

/**
 * How a program is run.
 *
 * **Details**
 * - `http`: serves /live, /ready, /metrics and /status on this port, on the loopback address unless `host` says otherwise.
 *   Nothing is served unless given.
 * - `supervision`: watches the runs from outside of the event loop, as `policy.supervision` says; on unless `false`.
 * - `summary`: logs what each run did once its work is done; on unless `false`.
 * - `onSignal`: called synchronously with every signal, instead of the lines that the runner logs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly http?: { readonly port: number; readonly host?: string | undefined } | undefined
  readonly supervision?: boolean | undefined
  readonly summary?: boolean | undefined
  readonly onSignal?: ((signal: Signal) => void) | undefined
}

/**
 * Runs an effect as the main program of the process, and exits when it ends.
 *
 * **When to use**
 *
 * Use once, as the last line of the file that a process begins with. A task under `NodeRuntime.runMain` drains as well,
 * and exits with 130 whatever the signal was; the rest of what stands here is of this function.
 *
 * **Details**
 *
 * Signals. The first SIGINT, SIGTERM or SIGHUP interrupts the program, and that drains its runs: no new fetch, what runs
 * may finish within `shutdown.grace`, the rest is released, Layers close. The second one interrupts and releases what
 * runs. The third one exits at once. They are listened for before anything of the program starts.
 *
 * Exit codes, the first that applies:
 * - 130, 143 or 129 after SIGINT, SIGTERM or SIGHUP: of the first one, whatever happens after it.
 * - the `[Runtime.errorExitCode]` of the error that the program failed with.
 * - 2: a `ConfigError` or `PolicyError`, and no run had begun to work.
 * - 1: every other failure: of a run, of a Layer that could not connect, of the program.
 * - 130: the program was interrupted without a signal.
 * - 0: done. Dead letters alone leave it at 0; the summary names them.
 *
 * Closing. Whatever is still being closed `shutdown.close` after the last run has finished its work is left behind, all
 * resources together: the exit code is then 0 after success, 1 (or that of the error) after a failure. That holds for
 * Layers wherever they are provided (except with `local: true`) and for the scope that a run began in; a program that goes
 * on after its runs, whatever they came to, is not forced out. A close that takes more than half of the time is logged,
 * and does not change the exit code. One that fails is logged, closes the others all the same, and is an error like any
 * other.
 *
 * Worst case from the first signal to the exit: `shutdown.grace` + `shutdown.close`, the largest of the runs, plus 1 second
 * for output that nobody reads. Before a run has begun these are the defaults, 30 + 10 seconds: so long may a Layer that
 * cannot be interrupted take to build. From the second signal on it is `shutdown.close`.
 *
 * Output. Logs go to stderr; stdout is the program's. All that was written to either is written out before the exit. Each
 * run logs its summary with its own loggers, which are the ones it was started with.
 *
 * **Gotchas**
 *
 * A logger that writes to the console's log, such as `Logger.consoleJson`, writes to stdout; take
 * `Logger.withConsoleError(Logger.formatJson)`. The process exits even when timers or sockets are left open.
 *
 * **Example** (A program)
 * ```ts no-run="it ends the process"
 * import { Task } from "@ergon/core"
 * import { ErgonRuntime } from "@ergon/node"
 * import { Effect } from "effect"
 *
 * Task.run(Task.make("nightly", Effect.log("working"))).pipe(ErgonRuntime.runMain)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const runMain: {
  /**
   * Runs an effect as the main program of the process, and exits when it ends.
   *
   * @category running
   * @since 0.1.0
   */
  (options?: Options): <A, E>(effect: Effect.Effect<A, E, Runs>) => void
  /**
   * Runs an effect as the main program of the process, and exits when it ends.
   *
   * @category running
   * @since 0.1.0
   */
  <A, E>(effect: Effect.Effect<A, E, Runs>, options?: Options): void
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E>(effect: Effect.Effect<A, E, Runs>, options: Options = {}): void => run(effect, options)
)
