/**
 * A command of `ergon`: its flags and arguments, and the program that it stands for.
 */
import * as Effect from "effect/Effect"
import { Command, Flag, GlobalFlag } from "./effectCli.ts"
import { Invocation, type Prepare, type RunnerOptions, type Services } from "./invocation.ts"

type Input<C extends Command.Command.Config> = Command.Command.Config.Infer<C>

/** `--env-file`, of every command. */
export const EnvFiles = GlobalFlag.Setting("env-file")({
  flag: Flag.String("env-file").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Read variables from this file too; the real environment wins, later files win (repeatable)"),
    Flag.atLeast(0)
  )
})

type Made<Name extends string, C extends Command.Command.Config> = Command.Command<
  Name,
  Input<C>,
  {},
  never,
  Invocation | GlobalFlag.Setting.Identifier<"env-file">
>

const quiet: RunnerOptions = { summary: false, supervision: false }

/**
 * Makes a command. `handler` runs under the runner, once the line has been read without a problem; what it fails with
 * ends the process: `UsageError` with 2 and its message alone, everything else with 1.
 *
 * The modules that only the handler needs are imported by it when it runs, so that the other commands start fast.
 */
export const make = <const Name extends string, const C extends Command.Command.Config, E>(
  name: Name,
  config: C,
  handler: (input: Input<C>) => Effect.Effect<void, E, Services>
): Made<Name, C> =>
  makePrepared(
    name,
    config,
    (input) => Effect.succeed({ effect: Effect.suspend(() => handler(input)), options: quiet })
  )

/** The same for a command that has something to check, or to say to the runner, before the runner begins. */
export const makePrepared = <const Name extends string, const C extends Command.Command.Config>(
  name: Name,
  config: C,
  prepare: (input: Input<C>) => Prepare
): Made<Name, C> =>
  Command.make(name, config, (input) =>
    Effect.gen(function*() {
      const invocation = yield* Invocation
      yield* invocation.answer(Effect.suspend(() => prepare(input)), yield* EnvFiles)
    }))

/** `--json`: for machines. One JSON value on stdout and nothing else. */
export const json: Flag.Flag<boolean> = Flag.Boolean("json").pipe(
  Flag.withoutNegation,
  Flag.withDefault(false),
  Flag.withDescription("Print one JSON value for machines, and nothing else, on stdout")
)
