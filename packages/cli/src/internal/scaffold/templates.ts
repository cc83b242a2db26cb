/**
 * The templates, as they lie in `templates/`: what is in `shared/` is part of each.
 *
 * Files there are named so that npm publishes them, and so that they are not taken for a part of this package. Words such
 * as `__TASK__`, in their text and in their paths, stand for what the project decides.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { fileURLToPath } from "node:url"

export interface Template {
  readonly name: "consumer" | "hybrid"
  readonly description: string
  /** The name of its task, unless the project gives another. */
  readonly task: string
  /** The task that gives it something to do. */
  readonly samples: string
}

/** The first is the default. */
export const templates: readonly [Template, ...ReadonlyArray<Template>] = [
  {
    name: "consumer",
    description: "a consumer: a queue, a service, decisions about its errors",
    task: "notify",
    samples: "sample-notifications"
  },
  {
    name: "hybrid",
    description: "a pipeline: a queue, a service, retries, a table of results, a table of dead letters",
    task: "price-orders",
    samples: "sample-orders"
  }
]

/** npm leaves out, or changes, what has these names; our own `files` leave out tests. */
const published: Readonly<Record<string, string>> = {
  _github: ".github",
  _gitignore: ".gitignore",
  _dockerignore: ".dockerignore",
  "_env.example": ".env.example",
  "_package.json": "package.json",
  "task_test.ts": "task.test.ts"
}

/** A file of a template: its path in the project, with slashes, and its text, words not yet replaced. */
export interface TemplateFile {
  readonly path: string
  readonly text: string
}

const packageFolder = new URL("../../../", import.meta.url)

const filesBelow = (folder: URL): Effect.Effect<ReadonlyArray<TemplateFile>, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const entries = yield* fs.readDirectoryEntries(fileURLToPath(folder))
    const files = yield* Effect.forEach(entries, ({ name, type }) => {
      if (type === "Directory") {
        return Effect.map(
          filesBelow(new URL(`${name}/`, folder)),
          (below) => below.map(({ path, text }) => ({ path: `${published[name] ?? name}/${path}`, text }))
        )
      }
      return Effect.map(fs.readFileString(fileURLToPath(new URL(name, folder))), (text) => [
        { path: published[name] ?? name, text: text.replaceAll("\r\n", "\n") }
      ])
    })
    return files.flat()
  })

/** All files of a template. A file of its own takes the place of a shared one. */
export const filesOf = (
  template: Template
): Effect.Effect<ReadonlyArray<TemplateFile>, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const shared = yield* filesBelow(new URL("templates/shared/", packageFolder))
    const own = yield* filesBelow(new URL(`templates/${template.name}/`, packageFolder))
    const byPath = new Map([...shared, ...own].map((file) => [file.path, file]))
    return [...byPath.values()]
  })

/** The versions that go together: those that this package was released with. */
export const versions = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(fileURLToPath(new URL("package.json", packageFolder)))
  const manifest: { readonly version: string; readonly peerDependencies: { readonly effect: string } } = JSON.parse(
    text
  )
  return { ergon: manifest.version, effect: manifest.peerDependencies.effect }
})
