/**
 * What `--help` says of every command, as plain data: the page of the reference is made from it.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { builtIns } from "./commandLine.ts"
import { CliConfig, CliError, CliOutput, Command, type HelpDoc } from "./effectCli.ts"
import { Sections } from "./help.ts"
import { Invocation } from "./invocation.ts"
import { root } from "./root.ts"

export interface CommandFlag {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  readonly type: string
  readonly description: string
}

export interface CommandArgument {
  readonly name: string
  readonly description: string
  readonly required: boolean
  readonly variadic: boolean
}

export interface CommandDoc {
  /** `ergon run`. */
  readonly path: string
  readonly description: string
  readonly usage: string
  readonly arguments: ReadonlyArray<CommandArgument>
  readonly flags: ReadonlyArray<CommandFlag>
  /** Flags of every command. */
  readonly globalFlags: ReadonlyArray<CommandFlag>
  /** Flags that a section stands for are not among `flags`. */
  readonly sections: ReadonlyArray<{ readonly title: string; readonly lines: ReadonlyArray<string> }>
  readonly examples: ReadonlyArray<{ readonly command: string; readonly description: string }>
}

const text = (description: Option.Option<string>): string => Option.getOrElse(description, () => "")

const flagOf = ({ aliases, description, name, type }: HelpDoc.FlagDoc): CommandFlag => ({
  name,
  aliases,
  type,
  description: text(description)
})

const docOf = (path: ReadonlyArray<string>, help: HelpDoc.HelpDoc): CommandDoc => {
  const sections = Context.get(help.annotations, Sections)
  const covered = new Set(sections.flatMap(({ flags }) => Array.from(flags ?? [])))
  return {
    path: ["ergon", ...path].join(" "),
    description: help.description,
    usage: help.usage,
    arguments: (help.args ?? []).map(({ description, name, required, variadic }) => ({
      name,
      description: text(description),
      required,
      variadic
    })),
    flags: help.flags.filter(({ name }) => !covered.has(name)).map(flagOf),
    globalFlags: (help.globalFlags ?? []).map(flagOf),
    sections: sections.map(({ lines, title }) => ({ title, lines })),
    examples: (help.examples ?? []).map(({ command, description }) => ({ command, description: description ?? "" }))
  }
}

/** Asks a command for its help, and keeps it instead of showing it. */
const helpOf = (path: ReadonlyArray<string>): Effect.Effect<HelpDoc.HelpDoc> =>
  Effect.suspend(() => {
    let found: HelpDoc.HelpDoc | undefined
    const presenter: CliOutput.Presenter = {
      present: (event) =>
        Effect.sync(() => {
          if (event._tag === "Help") found = event.helpDoc
        })
    }
    return Command.runWith(root, { version: "" })([...path, "--help"]).pipe(
      Effect.catchIf((error) => CliError.isCliError(error) && error._tag === "ShowHelp", () => Effect.void),
      Effect.flatMap(() => found === undefined ? Effect.die(`${path.join(" ")} has no help`) : Effect.succeed(found)),
      Effect.orDie,
      Effect.provideService(Invocation, { answer: () => Effect.void }),
      Effect.provideService(CliConfig.CliConfig, builtIns),
      Effect.provideService(CliOutput.Presenter, presenter),
      Effect.provide(NodeServices.layer)
    )
  })

const below = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<CommandDoc>> =>
  Effect.flatMap(helpOf(path), (help) => {
    const names = (help.subcommands ?? []).flatMap(({ commands }) => commands.map(({ name }) => name))
    return Effect.map(
      Effect.forEach(names, (name) => below([...path, name])),
      (docs) => [docOf(path, help), ...docs.flat()]
    )
  })

/** `ergon` and all of its commands, in the order of the help. */
export const commandDocs: Effect.Effect<ReadonlyArray<CommandDoc>> = below([])
