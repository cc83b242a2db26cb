/**
 * Reads the command line and runs what it asks for.
 */
import * as ErgonRuntime from "@ergon/node/ErgonRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { explain } from "./config/configError.ts"
import * as envFiles from "./config/envFiles.ts"
import { provider } from "./config/provider.ts"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "./effectCli.ts"
import { makePresenter } from "./help.ts"
import { Invocation, type Prepare, type Program } from "./invocation.ts"
import { Project } from "./project.ts"
import { root } from "./root.ts"
import { isTold, UsageError, usageError } from "./usageError.ts"

/** `--wizard` is left out: it would ask for every field of the policy, one after another. */
export const builtIns = CliConfig.make({
  builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]
})

interface Answer {
  readonly prepare: Prepare
  readonly envFiles: ReadonlyArray<string>
  readonly logLevel: typeof References.MinimumLogLevel.Service
}

const hint = (path: ReadonlyArray<string>): string => `\n\`${[...path, "--help"].join(" ")}\` says more`

/** What the line asks for; nothing when reading it was the answer, as for `--help`. */
const read = (line: ReadonlyArray<string>, version: string): Effect.Effect<Answer | undefined, UsageError> =>
  Effect.suspend(() => {
    let answer: Answer | undefined
    let invalid: UsageError | undefined
    const invocation: Invocation["Service"] = {
      answer: (prepare, envFiles) =>
        Effect.map(References.MinimumLogLevel, (logLevel) => {
          answer = { prepare, envFiles, logLevel }
        })
    }
    const presenter = makePresenter(isColored(), (problems, path) => {
      invalid = new UsageError({ message: usageError(problems).message + hint(path) })
    })
    return Command.runWith(root, { version })(line).pipe(
      Effect.catchIf(
        (error) => CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length === 0,
        () => Effect.void
      ),
      Effect.mapError((error) => invalid ?? new UsageError({ message: error.message })),
      Effect.map(() => answer),
      Effect.provideService(Invocation, invocation),
      Effect.provideService(CliConfig.CliConfig, builtIns),
      Effect.provideService(CliOutput.Presenter, presenter),
      Effect.provide(NodeServices.layer)
    )
  })

const isColored = (): boolean =>
  process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"

const fails = (error: UsageError): Program => ({ effect: Effect.fail(error), options: { summary: false } })

/**
 * Answers one line. The variables of .env files join the environment of the process, which workers and libraries
 * inherit; what is there already stays.
 */
const program = (
  line: ReadonlyArray<string>,
  version: string,
  services: Layer.Layer<Project | Command.Environment>
): Effect.Effect<Program | undefined> =>
  Effect.gen(function*() {
    const answer = yield* read(line, version)
    if (answer === undefined) return undefined
    const fromFiles = yield* envFiles.load(answer.envFiles, process.env)
    for (const [name, value] of Object.entries(fromFiles)) process.env[name] ??= value
    const environment = Layer.mergeAll(
      ConfigProvider.layer(provider(process.env)),
      Layer.succeed(References.MinimumLogLevel, answer.logLevel)
    )
    const { effect, options } = yield* Effect.provide(answer.prepare, environment)
    return { effect: Effect.provide(effect, environment), options }
  }).pipe(
    Effect.catch((error: UsageError) => Effect.succeed(fails(error))),
    Effect.provide(services)
  )

/** Says what people can mend without the trace of a program; everything else is logged by the runner. */
const report = (error: unknown): Effect.Effect<void> => {
  if (isTold(error)) return error.message === "" ? Effect.void : Console.error(`ergon: ${error.message}`)
  if (!(error instanceof Config.ConfigError)) return Effect.void
  Object.assign(error, { [Runtime.errorReported]: false })
  return Console.error(`ergon: ${explain(error, process.env)}`)
}

export const run = async (
  line: ReadonlyArray<string>,
  project: Project["Service"],
  version: string
): Promise<void> => {
  const services = Layer.merge(NodeServices.layer, Layer.succeed(Project, project))
  const found = await Effect.runPromise(program(line, version, services))
  if (found === undefined) return
  found.effect.pipe(
    Effect.tapError(report),
    Effect.provide(services),
    ErgonRuntime.runMain(found.options)
  )
}
