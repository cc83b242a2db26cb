/**
 * A command of `ergon`: its flags and arguments, and the program that it stands for.
 */
import * as Effect from "effect/Effect"
import { Command, Flag } from "./effectCli.ts"
import { Invocation, type RunnerOptions, type Services } from "./invocation.ts"

type Input<C extends Command.Command.Config> = Command.Command.Config.Infer<C>

/**
 * Makes a command. `handler` runs under the runner, once the line has been read without a problem; what it fails with
 * ends the process: `UsageError` with 2 and its message alone, everything else with 1.
 *
 * The modules that only the handler needs are imported by it when it runs, so that the other commands start fast.
 */
export const make = <const Name extends string, const C extends Command.Command.Config, E>(
  name: Name,
  config: C,
  handler: (input: Input<C>) => Effect.Effect<void, E, Services>,
  options: (input: Input<C>) => RunnerOptions = () => ({ summary: false, supervision: false })
): Command.Command<Name, Input<C>, {}, never, Invocation> =>
  Command.make(
    name,
    config,
    (input) =>
      Effect.flatMap(
        Invocation,
        (invocation) => invocation.begin({ effect: Effect.suspend(() => handler(input)), options: options(input) })
      )
  )

/** `--json`: for machines. One JSON value on stdout and nothing else. */
export const json: Flag.Flag<boolean> = Flag.Boolean("json").pipe(
  Flag.withoutNegation,
  Flag.withDefault(false),
  Flag.withDescription("Print one JSON value for machines")
)
