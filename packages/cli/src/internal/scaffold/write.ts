/**
 * Writes a project: all of it or nothing.
 *
 *     nothing --> hidden folder with all files --> the project
 *        ^                    |
 *        +--------------------+  a write fails, or somebody interrupts
 *
 * The files are written into a hidden folder with a random name. A new project gets its name by one rename. An empty
 * folder that was there gets the files moved into it, package.json last; a move that fails takes the others back. When
 * the process is killed in between, the hidden folder is left, and nobody takes it for a project.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as nodePath from "node:path"
import type { Target } from "./target.ts"
import type { TemplateFile } from "./templates.ts"

/** The disk is full, the folder may not be written to, or somebody else made the same folder meanwhile. */
export class WriteError extends Schema.TaggedError<WriteError>("@ergon/cli/WriteError")("WriteError", {
  directory: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `could not make ${this.directory}: ${why}. Nothing of it was left behind`
  }
}

const writeAll = (
  fs: FileSystem.FileSystem,
  directory: string,
  files: ReadonlyArray<TemplateFile>
): Effect.Effect<void, PlatformError> =>
  Effect.forEach(files, ({ path, text }) => {
    const file = nodePath.join(directory, ...path.split("/"))
    return Effect.andThen(
      fs.makeDirectory(nodePath.dirname(file), { recursive: true }),
      // "wx": never over a file, and never through a link.
      fs.writeFileString(file, text, { flag: "wx" })
    )
  }, { discard: true })

/** A rename takes the place of a file without a word: looks first. */
const move = (fs: FileSystem.FileSystem, from: string, to: string): Effect.Effect<void, PlatformError> =>
  Effect.gen(function*() {
    if (yield* Effect.isSuccess(fs.lstat(to))) {
      return yield* Effect.fail(systemError({
        _tag: "AlreadyExists",
        module: "FileSystem",
        method: "rename",
        pathOrDescriptor: to,
        description: `${to} is there already`
      }))
    }
    yield* fs.rename(from, to)
  })

const moveInto = (fs: FileSystem.FileSystem, from: string, directory: string): Effect.Effect<void, PlatformError> =>
  Effect.gen(function*() {
    const entries = yield* fs.readDirectory(from)
    const moved: Array<string> = []
    const takeBack = Effect.suspend(() =>
      Effect.forEach(moved, (entry) => Effect.ignore(fs.remove(nodePath.join(directory, entry), { recursive: true })))
    )
    yield* Effect.forEach(
      [...entries.filter((entry) => entry !== "package.json"), "package.json"],
      (entry) =>
        Effect.map(
          move(fs, nodePath.join(from, entry), nodePath.join(directory, entry)),
          () => void moved.push(entry)
        ),
      { discard: true }
    ).pipe(Effect.tapCause(() => takeBack))
  })

/**
 * Writes the files. Fails with a `WriteError`, or is interrupted, and then nothing is left behind.
 *
 * Worst case after an interruption: the file that is being written, and the removal of the rest.
 */
export const write = (
  target: Target,
  files: ReadonlyArray<TemplateFile>
): Effect.Effect<void, WriteError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const parent = target.exists ? target.directory : nodePath.dirname(target.directory)
    yield* Effect.acquireUseRelease(
      fs.makeTempDirectory({ directory: parent, prefix: `.${target.project}-` }),
      (hidden) => {
        // One level down, because the temporary folder itself is for its owner alone.
        const project = nodePath.join(hidden, "project")
        return fs.makeDirectory(project).pipe(
          Effect.andThen(writeAll(fs, project, files)),
          Effect.andThen(Effect.uninterruptible(
            target.exists ? moveInto(fs, project, target.directory) : move(fs, project, target.directory)
          ))
        )
      },
      (hidden) => Effect.ignore(fs.remove(hidden, { recursive: true, force: true }))
    )
  }).pipe(Effect.mapError((cause) => new WriteError({ directory: target.directory, cause })))
