/**
 * The page of the command line: every command, as its own help describes it.
 */
import type { Page } from "./pages.ts"

export interface CommandFlag {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  readonly type: string
  readonly description: string
}

/** What `commandDocs` of @ergon/cli holds of each command. */
export interface CommandDoc {
  readonly path: string
  readonly description: string
  readonly usage: string
  readonly arguments: ReadonlyArray<{
    readonly name: string
    readonly description: string
    readonly required: boolean
    readonly variadic: boolean
  }>
  readonly flags: ReadonlyArray<CommandFlag>
  readonly globalFlags: ReadonlyArray<CommandFlag>
  readonly sections: ReadonlyArray<{ readonly title: string; readonly lines: ReadonlyArray<string> }>
  readonly examples: ReadonlyArray<{ readonly command: string; readonly description: string }>
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  rows.length === 0
    ? ""
    : [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")

const code = (text: string): string => `\`${text}\``

/** The choices stand in the value already. */
const withoutChoices = (text: string): string => text.replace(/ \(choices: .*\)$/, "")

const flagRow = ({ aliases, description, name, type }: CommandFlag): ReadonlyArray<string> => [
  [`--${name}`, ...aliases].map(code).join(", "),
  type === "boolean" ? "" : code(type.replace(/^<(.*)>$/, "$1")),
  withoutChoices(description)
]

const flags = (list: ReadonlyArray<CommandFlag>): string => table(["flag", "value", "meaning"], list.map(flagRow))

const slug = (heading: string): string => heading.toLowerCase().replace(/[^\w\s-]/g, "").replace(/\s/g, "-")

const titled = (title: string): string => title.charAt(0) + title.slice(1).toLowerCase()

const examples = (list: CommandDoc["examples"]): string =>
  list.length === 0
    ? ""
    : `\`\`\`sh\n${
      list.map(({ command, description }) => description === "" ? command : `# ${description}\n${command}`).join("\n\n")
    }\n\`\`\``

const command = (doc: CommandDoc): ReadonlyArray<string> => [
  `## ${doc.path}`,
  doc.description,
  `\`\`\`text\n${doc.usage}\n\`\`\``,
  table(
    ["argument", "", "meaning"],
    doc.arguments.map(({ description, name, required, variadic }) => [
      code(name),
      [required ? "required" : "optional", ...(variadic ? ["any number"] : [])].join(", "),
      withoutChoices(description)
    ])
  ),
  flags(doc.flags),
  examples(doc.examples),
  ...doc.sections.map(({ lines, title }) => `**${titled(title)}**\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\``)
]

/** The page. The first of the documents is that of `ergon` itself. */
export const commandsPage = (docs: ReadonlyArray<CommandDoc>): Page => ({
  path: "cli-commands.md",
  text: [
    "<!-- Generated from the commands of @ergon/cli by `npm run docs:generate`. -->",
    "# Commands",
    "What each command of `ergon` does, with its arguments and flags. The guide is [the command line](../cli.md); the " +
    "flags of the policy are told with their fields in [policy fields](policy.md).",
    docs.slice(1).map(({ path }) => `- [${path}](#${slug(path)})`).join("\n"),
    ...docs.flatMap((doc, index) =>
      index === 0 ? [...command(doc), "Flags of every command:", flags(doc.globalFlags)] : command(doc)
    )
  ].filter((part) => part !== "").join("\n\n")
})
