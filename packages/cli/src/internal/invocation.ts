/**
 * How a command line is answered, in three stages.
 *
 * 1. The line is read. Nothing runs: the command that was asked for hands over what it stands for.
 * 2. It is prepared, with the environment and its .env files: whatever is wrong with flags and variables is found here.
 * 3. The runner runs it. From here on signals are handled.
 */
import type { Options } from "@ergon/node/ErgonRuntime"
import type { Runs } from "@ergon/node/Runs"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Command } from "./effectCli.ts"
import type { Project } from "./project.ts"
import type { UsageError } from "./usageError.ts"

/** What the program of a command may ask for. */
export type Services = Project | Runs | Command.Environment

/** What the runner has to know of a command. */
export type RunnerOptions = Options

export interface Program {
  readonly effect: Effect.Effect<void, unknown, Services>
  readonly options: RunnerOptions
}

export type Prepare = Effect.Effect<Program, UsageError, Project | Command.Environment>

export class Invocation extends Context.Service<Invocation, {
  /** Do this once the line has been read. `envFiles` are those of `--env-file`. */
  readonly answer: (prepare: Prepare, envFiles: ReadonlyArray<string>) => Effect.Effect<void>
}>()("@ergon/cli/Invocation") {}
