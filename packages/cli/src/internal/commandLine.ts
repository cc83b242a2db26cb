/**
 * Reads the command line and runs what it asks for.
 */
import { ErgonRuntime, Runs } from "@ergon/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { CliConfig, CliError, Command, GlobalFlag } from "./effectCli.ts"
import { Invocation, type Program } from "./invocation.ts"
import { Project } from "./project.ts"
import { root } from "./root.ts"
import { UsageError } from "./usageError.ts"

/** `--wizard` is left out: it would ask for every field of the policy, one after another. */
const config = CliConfig.make({
  builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]
})

/** What the line asks for; nothing when it was answered by reading it, as `--help` is. */
const read = (line: ReadonlyArray<string>, version: string): Effect.Effect<Program | undefined, UsageError> =>
  Effect.suspend(() => {
    let program: Program | undefined
    const invocation: Invocation["Service"] = {
      begin: (asked) =>
        Effect.sync(() => {
          program = asked
        })
    }
    return Command.runWith(root, { version })(line).pipe(
      Effect.catchIf(
        (error) => CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length === 0,
        () => Effect.void
      ),
      Effect.mapError((error) => new UsageError({ message: error.message })),
      Effect.map(() => program),
      Effect.provideService(Invocation, invocation),
      Effect.provideService(CliConfig.CliConfig, config),
      Effect.provide(NodeServices.layer)
    )
  })

export const run = async (
  line: ReadonlyArray<string>,
  project: Project["Service"],
  version: string
): Promise<void> => {
  const program = await Effect.runPromise(
    Effect.catch(read(line, version), (error) => Effect.succeed<Program>({ effect: Effect.fail(error), options: {} }))
  )
  if (program === undefined) return
  program.effect.pipe(
    Effect.tapError((error) => error instanceof UsageError ? Console.error(`ergon: ${error.message}`) : Effect.void),
    Effect.provideService(Project, project),
    Effect.provide(NodeServices.layer),
    Effect.provide(Runs.layer),
    (effect) => ErgonRuntime.runMain(effect)
  )
}
