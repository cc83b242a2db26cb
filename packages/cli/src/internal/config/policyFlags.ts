/**
 * Every field of the policy as a flag: `process.retry.maxAttempts` is `--process-retry-max-attempts`. They are made from
 * the description of the fields, so that none is missing.
 */
import * as Policy from "@ergon/core/Policy"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Flag } from "../effectCli.ts"
import { type Section, wrap } from "../help.ts"

/** The name of the flag of a field, without its dashes. */
export const flagOf = (path: string): string =>
  path.replaceAll(".", "-").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** What was given, by the paths of the fields. */
export type Given = { readonly [path: string]: Option.Option<string> }

const valueName = ({ bounds, kind }: Policy.Field): string =>
  kind === "word" ? bounds.split(", ").join("|") : kind === "integer" ? "COUNT" : kind.toUpperCase()

const flag = (field: Policy.Field): Flag.Flag<Option.Option<string>> => {
  const name = flagOf(field.path)
  const described = field.kind === "boolean"
    ? Flag.map(Flag.Boolean(name), String)
    : Flag.String(name).pipe(Flag.withMetavar(valueName(field)))
  return described.pipe(Flag.withDescription(`${field.doc} Default: ${field.default}`), Flag.optional)
}

/** The flags, by the paths of their fields: a part of the configuration of a command. */
export const policyFlags: { readonly [path: string]: Flag.Flag<Option.Option<string>> } = Object.fromEntries(
  Policy.fields.map((field) => [field.path, flag(field)])
)

export interface Read {
  readonly input: Policy.Input
  readonly problems: ReadonlyArray<string>
}

const withFlag = (flag: string, path: string, problem: string): string =>
  problem.startsWith(path) ? `${flag}${problem.slice(path.length)}` : `${flag}: ${problem}`

const readOne = (path: string, flag: string, text: string): Effect.Effect<Read> =>
  text.trim() === ""
    ? Effect.succeed({ input: {}, problems: [`${flag} has no value`] })
    : Policy.fromStrings({ [path]: text }).pipe(
      Effect.match({
        onSuccess: (input) => ({ input, problems: [] }),
        onFailure: ({ problems }) => ({ input: {}, problems: problems.map((one) => withFlag(flag, path, one)) })
      })
    )

const all = (reads: ReadonlyArray<Read>): Read => ({
  input: Policy.merge(...reads.map(({ input }) => input)),
  problems: reads.flatMap(({ problems }) => problems)
})

/** What some of the fields were given as, under another name of their flags. */
export type Shortcuts = {
  readonly [path: string]: { readonly flag: string; readonly text: Option.Option<string> }
}

/** What the flags say, with everything that is wrong with them. */
export const read = (given: Given, shortcuts: Shortcuts = {}): Effect.Effect<Read> =>
  Effect.map(
    Effect.forEach(Object.entries(given), ([path, text]) => {
      const flag = `--${flagOf(path)}`
      const shortcut = shortcuts[path]
      if (shortcut === undefined || Option.isNone(shortcut.text)) {
        return Option.isNone(text) ? Effect.succeed(nothing) : readOne(path, flag, text.value)
      }
      return Option.isNone(text)
        ? readOne(path, shortcut.flag, shortcut.text.value)
        : Effect.succeed({ input: {}, problems: [`${shortcut.flag} and ${flag} are the same field: give one of them`] })
    }),
    all
  )

const nothing: Read = { input: {}, problems: [] }

const stepOf = (path: string): string => path.slice(0, path.indexOf("."))

/** The part of a help page that stands for all of these flags. */
export const section: Section = {
  title: "POLICY FLAGS",
  lines: [
    "Every field of the policy is a flag and a variable; flags beat variables, and variables what the code says.",
    "`ergon policy` explains each, `ergon policy retry` those that have retry in their names.",
    "",
    ...Array.from(new Set(Policy.fields.map(({ path }) => stepOf(path)))).flatMap((step) => {
      const flags = Policy.fields.filter(({ path }) => stepOf(path) === step).map(({ path }) => `--${flagOf(path)}`)
      return wrap(flags, 92).map((line, index) => `${(index === 0 ? step : "").padEnd(12)} ${line}`)
    })
  ],
  flags: new Set(Policy.fields.map(({ path }) => flagOf(path)))
}
