/**
 * What `--help` shows, and what is said about a line that cannot be read.
 *
 * Help goes to stdout. A line that cannot be read is a usage error: it goes to stderr, names what is valid, and does not
 * bury it under the help.
 */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type CliError, CliOutput, type HelpDoc } from "./effectCli.ts"
import { didYouMean } from "./nearest.ts"

/** A part of the help of a command that flags, arguments and examples do not cover. */
export interface Section {
  readonly title: string
  readonly lines: ReadonlyArray<string>
  /** Flags that this section stands for: they are not listed among the others. */
  readonly flags?: ReadonlySet<string> | undefined
}

/** Annotate a command with `Sections` to give it some. */
export const Sections: Context.Reference<ReadonlyArray<Section>> = Context.Reference<ReadonlyArray<Section>>(
  "@ergon/cli/help/Sections",
  { defaultValue: () => [] }
)

/** Breaks words into lines of at most `width` characters. */
export const wrap = (words: ReadonlyArray<string>, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

const withoutChoices = (flag: HelpDoc.FlagDoc): HelpDoc.FlagDoc => ({
  ...flag,
  // The choices stand in the name of the value already.
  description: Option.map(flag.description, (text) => text.replace(/ \(choices: .*\)$/, ""))
})

export const formatHelp = (doc: HelpDoc.HelpDoc, colors: boolean): string => {
  const sections = Context.get(doc.annotations, Sections)
  const covered = new Set(sections.flatMap(({ flags }) => Array.from(flags ?? [])))
  const formatter = CliOutput.defaultFormatter({ colors, globalFlags: "summary" })
  const bold = (text: string): string => colors ? `\u001b[1m${text}\u001b[0m` : text
  const own = formatter.formatHelpDoc({
    ...doc,
    description: wrap(doc.description.split(" "), 96).join("\n  "),
    flags: doc.flags.filter(({ name }) => !covered.has(name)).map(withoutChoices),
    globalFlags: (doc.globalFlags ?? []).map(withoutChoices)
  })
  const more = sections.map(({ lines, title }) =>
    `${bold(title)}\n${lines.map((line) => `  ${line}`.trimEnd()).join("\n")}`
  )
  return [own, ...more].join("\n\n")
}

const validFlags = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> =>
  [...doc.flags, ...(doc.inheritedFlags ?? []), ...(doc.globalFlags ?? [])].map(({ name }) => `--${name}`)

const validCommands = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> =>
  (doc.subcommands ?? []).flatMap(({ commands }) => commands.map(({ name }) => name))

/** One sentence about one thing that cannot be read. */
export const explain = (error: CliError.NonShowHelpErrors, doc: HelpDoc.HelpDoc): string => {
  switch (error._tag) {
    case "UnrecognizedOption": {
      return `there is no flag ${error.option}.${didYouMean(error.option, validFlags(doc))}`
    }
    case "UnknownSubcommand": {
      const valid = validCommands(doc)
      return `there is no command "${error.subcommand}".${didYouMean(error.subcommand, valid)} ` +
        `The commands are: ${valid.join(", ")}`
    }
    case "MissingOption":
      return `the flag --${error.option} is missing`
    case "MissingArgument":
      return `the argument <${error.argument}> is missing`
    default:
      return error.message
  }
}

/** Where the command is not known, nobody knows its flags. */
const relevant = (errors: ReadonlyArray<CliError.NonShowHelpErrors>): ReadonlyArray<CliError.NonShowHelpErrors> => {
  const unknown = errors.filter(({ _tag }) => _tag === "UnknownSubcommand")
  return unknown.length > 0 ? unknown : errors
}

/**
 * `invalid` gets what is wrong with the line, instead of the help and errors on stdout and stderr that are the default.
 */
export const makePresenter = (
  colors: boolean,
  invalid: (problems: ReadonlyArray<string>, commandPath: ReadonlyArray<string>) => void
): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Console.log(formatHelp(event.helpDoc, colors))
      case "Version":
        return Console.log(`${event.name} ${event.version}`)
      case "InvalidInvocation":
        return Effect.sync(() =>
          invalid(relevant(event.errors).map((error) => explain(error, event.helpDoc)), event.commandPath)
        )
    }
  }
})
