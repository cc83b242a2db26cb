/**
 * Variables from .env files: those of `ENV_FILE`, and those of `--env-file`. The real environment wins over all of them,
 * and a file given later over one given before.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { notice } from "../output.ts"
import { type UsageError, usageError } from "../usageError.ts"
import type { Environment } from "./provider.ts"

/** A provider of names lists them word by word; blank values are values. */
const variables = (
  provider: ConfigProvider.ConfigProvider,
  words: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<readonly [name: string, value: string]>, ConfigProvider.SourceError> =>
  Effect.flatMap(provider.load(words), (node) => {
    const next = node === undefined || node._tag === "Value"
      ? []
      : node._tag === "Record"
      ? Array.from(node.keys)
      : Array.from({ length: node.length }, (_, index) => `${index}`)
    const own = node?.value === undefined || words.length === 0 ? [] : [[words.join("_"), node.value] as const]
    return Effect.map(
      Effect.forEach(next, (word) => variables(provider, [...words, word])),
      (below) => [...own, ...below.flat()]
    )
  })

/** What the text of a .env file says. `${NAME}` stands for a variable of the same file. */
export const parse = (text: string): Effect.Effect<Environment> =>
  Effect.map(
    Effect.orDie(variables(
      ConfigProvider.fromDotEnvContents(text, { preserveEmptyStrings: true, expandVariables: true }),
      []
    )),
    (entries) => Object.fromEntries(entries)
  )

const reasonOf = (error: { readonly reason: { readonly _tag: string } }): string =>
  error.reason._tag === "NotFound" ? "there is no such file" : `it cannot be read (${error.reason._tag})`

/**
 * The variables of all files, to be laid under the real environment. A missing file of `ENV_FILE` is a notice on stderr;
 * one of `--env-file` is a usage error, and all such files are named at once.
 */
export const load = (
  given: ReadonlyArray<string>,
  environment: Environment
): Effect.Effect<Environment, UsageError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const problems: Array<string> = []
    const read = (path: string, missing: (reason: string) => Effect.Effect<void>) =>
      files.readFileString(path).pipe(
        Effect.flatMap(parse),
        Effect.catch((error) => Effect.as(missing(reasonOf(error)), {}))
      )
    const fallback = environment["ENV_FILE"]?.trim() ?? ""
    const first = fallback === ""
      ? {}
      : yield* read(fallback, (reason) => notice(`ergon: ENV_FILE is "${fallback}": ${reason}; going on without it`))
    const others = yield* Effect.forEach(given, (path) =>
      read(path, (reason) => Effect.sync(() => problems.push(`--env-file ${path}: ${reason}`))))
    if (problems.length > 0)
      return yield* Effect.fail(usageError(problems))
    return Object.assign({}, first, ...others) as Environment
  })
