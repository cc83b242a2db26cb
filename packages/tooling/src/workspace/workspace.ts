/**
 * The packages of a workspace and their sources, as every check sees them. Fixtures have the same shape.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { read, type Source } from "./source.ts"

/** What the checks need of a package.json. `folder` is `core` of `packages/core`, or `examples`. */
export interface Package {
  readonly folder: string
  readonly path: string
  readonly name: string
  readonly description: string
  readonly isPrivate: boolean
  readonly exports: unknown
  readonly dependencies: ReadonlySet<string>
}

export interface Workspace {
  readonly root: string
  readonly packages: ReadonlyArray<Package>
  readonly sources: ReadonlyArray<Source>
}

/** The root of this repository. */
export const root: string = path.resolve(import.meta.dirname, "../../../..")

const names = (record: unknown): ReadonlyArray<string> =>
  typeof record === "object" && record !== null ? Object.keys(record) : []

const readPackage = (workspaceRoot: string, directory: string): Package => {
  const manifest = JSON.parse(fs.readFileSync(path.join(workspaceRoot, directory, "package.json"), "utf8"))
  return {
    folder: path.posix.basename(directory),
    path: directory,
    name: manifest.name,
    description: manifest.description ?? "",
    isPrivate: manifest.private === true,
    exports: manifest.exports,
    dependencies: new Set([
      ...names(manifest.dependencies),
      ...names(manifest.peerDependencies),
      ...names(manifest.optionalDependencies)
    ])
  }
}

/** `templates`: what `ergon init` makes projects from is no part of this repository; `check:scaffold` looks at it. */
const skipped = new Set(["node_modules", "dist", ".generated", "fixtures", "consumer", "templates"])

/** All files below `directory` that `accept` takes, sorted, as paths from the root. */
export const filesBelow = (
  workspaceRoot: string,
  directory: string,
  accept: (file: string) => boolean
): ReadonlyArray<string> => {
  const absolute = path.join(workspaceRoot, directory)
  if (!fs.existsSync(absolute)) return []
  return fs.readdirSync(absolute, { withFileTypes: true })
    .sort((left, right) => left.name < right.name ? -1 : 1)
    .flatMap((entry) => {
      const file = path.posix.join(directory, entry.name)
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesBelow(workspaceRoot, file, accept)
      return accept(file) ? [file] : []
    })
}

/** The packages of the workspace: every folder of `packages/`, and `examples`. */
export const packagesOf = (workspaceRoot: string): ReadonlyArray<Package> =>
  [
    ...fs.readdirSync(path.join(workspaceRoot, "packages")).sort().map((folder) => `packages/${folder}`),
    "examples"
  ]
    .filter((directory) => fs.existsSync(path.join(workspaceRoot, directory, "package.json")))
    .map((directory) => readPackage(workspaceRoot, directory))

/** Reads every TypeScript file of every package. */
export const load = (workspaceRoot: string): Workspace => {
  const packages = packagesOf(workspaceRoot)
  const sources = packages.flatMap((owner) =>
    filesBelow(workspaceRoot, owner.path, (file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
      .map((file) => read(workspaceRoot, file, owner))
  )
  return { root: workspaceRoot, packages, sources }
}
