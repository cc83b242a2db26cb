/**
 * Where a project goes: a folder that is not there yet, or an empty one.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as nodePath from "node:path"
import { UsageError } from "../usageError.ts"
import { checkProject } from "./names.ts"

/** `exists`: an empty folder to write into. Nothing else has to be there. */
export interface Target {
  readonly project: string
  readonly directory: string
  readonly exists: boolean
}

/** A repository without a commit is empty all the same: `git init`, or a clone of a new one. */
const ofNoAccount = new Set([".git", ".DS_Store"])

const refuse = (message: string): Effect.Effect<never, UsageError> => Effect.fail(new UsageError({ message }))

const named = (entries: ReadonlyArray<string>): string => {
  const shown = entries.slice(0, 3).join(", ")
  return entries.length > 3 ? `${shown} and ${entries.length - 3} more` : shown
}

/**
 * Decides where the project `given` goes, `.` for the folder itself. Refuses a name that leads out of `parent`, a link, a
 * file, and a folder that has something in it.
 */
export const targetOf = Effect.fnUntraced(function*(parent: string, given: string) {
  const fs = yield* FileSystem.FileSystem
  const here = given === "."
  const project = yield* here
    ? Effect.mapError(
      checkProject(nodePath.basename(parent)),
      ({ message }) => new UsageError({ message: `the project is called as its folder, and ${message}` })
    )
    : checkProject(given)
  const directory = here ? parent : nodePath.join(parent, project)
  const found = yield* fs.lstat(directory).pipe(
    Effect.map(({ type }) => type),
    Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed(undefined))
  )
  if (found === undefined) return { project, directory, exists: false }
  if (found === "SymbolicLink" && !here) {
    return yield* refuse(`${directory} is a link: ergon init does not follow it. Go where it leads and use "."`)
  }
  if (found !== "Directory" && !here) return yield* refuse(`${directory} is there already, and is no folder`)
  const entries = (yield* fs.readDirectory(directory)).filter((entry) => !ofNoAccount.has(entry)).sort()
  return entries.length > 0
    ? yield* refuse(
      `${directory} is not empty: it has ${named(entries)}. ergon init overwrites nothing: give another name, or an ` +
        "empty folder"
    )
    : { project, directory, exists: true }
})
