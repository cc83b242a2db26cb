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

/** What may be the name of a variable: effect reads the values. A line inside of a quoted value names none. */
const names = /^\s*(?:export\s+)?([\w.-]+)\s*[=:]/gm

/** What the text of a .env file says; blank values are values. `${NAME}` stands for a variable of the same file. */
export const parse = (text: string): Effect.Effect<Environment> => {
  const provider = ConfigProvider.fromDotEnvContents(text, { preserveEmptyStrings: true, expandVariables: true })
  const candidates = Array.from(text.matchAll(names), ([, name]) => name!)
  return Effect.forEach(
    candidates,
    (name) => Effect.map(Effect.orDie(provider.load([name])), (node) => [name, node?.value] as const)
  ).pipe(
    Effect.map((entries) => Object.fromEntries(entries.filter(([, value]) => value !== undefined)))
  )
}

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
