/**
 * `ergon policy`: what each field of the policy means, and how it is set.
 */
import * as Policy from "@ergon/core/Policy"
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { flagOf } from "../config/policyFlags.ts"
import { Argument, Command } from "../effectCli.ts"
import { wrap } from "../help.ts"
import { didYouMean } from "../nearest.ts"
import { print, printJson } from "../output.ts"
import { UsageError } from "../usageError.ts"

const nameOf = (field: Policy.Field): string => `${field.path} --${flagOf(field.path)} ${field.variable}`.toLowerCase()

const matching = (words: ReadonlyArray<string>): ReadonlyArray<Policy.Field> =>
  Policy.fields.filter((field) => words.every((word) => nameOf(field).includes(word.toLowerCase())))

const wordsOf = (): ReadonlyArray<string> =>
  Array.from(new Set(Policy.fields.flatMap(({ path }) => [path, ...path.split(".")])))

const shown = (field: Policy.Field): string =>
  [
    `--${flagOf(field.path)}`,
    ...wrap(field.doc.split(" "), 92).map((line) => `    ${line}`),
    `    default ${field.default}; ${field.bounds}${field.unit === "" ? "" : ` (${field.unit})`}`,
    `    in code ${field.path}, as a variable ERGON_<TASK>_${field.variable}`
  ].join("\n")

const values =
  "Text is trimmed, words are in any case, a bare number of a duration is seconds, and `none` is no bound " +
  "where there may be none. <TASK> is the name of the task in upper case, with _ for everything else. Flags beat " +
  "variables, and variables what the code says."

export const policy = command.make("policy", {
  words: Argument.String("word").pipe(
    Argument.withDescription("Only fields with all of these words in their names"),
    Argument.variadic()
  ),
  json: command.json
}, ({ json, words }) =>
  Effect.gen(function*() {
    const fields = matching(words)
    if (fields.length === 0) {
      const wanted = words.join(" ")
      return yield* Effect.fail(
        new UsageError({
          message: `no field of the policy has "${wanted}" in its name.${didYouMean(wanted, wordsOf())}`
        })
      )
    }
    if (json) return yield* printJson(fields.map((field) => ({ ...field, flag: `--${flagOf(field.path)}` })))
    yield* print([...fields.map(shown), wrap(values.split(" "), 96).join("\n")].join("\n\n"))
  })).pipe(
    Command.withDescription("Explains the fields of the policy: what they do, their defaults, flags and variables."),
    Command.withShortDescription("Explains the fields of the policy."),
    Command.withExamples([
      { command: "ergon policy", description: "All of them" },
      { command: "ergon policy process retry", description: "Those of one part" }
    ])
  )
