/**
 * A rule of the architecture: data with one function. Each has a fixture that breaks it in
 * `packages/tooling/fixtures/<name>`, where every offending line ends in `// violation`.
 */
import type { Package, Workspace } from "../workspace/workspace.ts"
import type { Source } from "../workspace/source.ts"

export interface Violation {
  readonly path: string
  readonly line: number
  readonly message: string
}

export interface Rule {
  readonly name: string
  readonly why: string
  readonly check: (workspace: Workspace) => ReadonlyArray<Violation>
}

/** A violation in `source` at an offset into its text. */
export const at = (source: Source, offset: number, message: string): Violation => ({
  path: source.path,
  line: source.lineAt(offset),
  message
})

/** A violation by the file as a whole, reported at its first line. */
export const whole = (source: Source, message: string): Violation => ({ path: source.path, line: 1, message })

/** The packages that are published, and so are libraries. */
export const publishable = (workspace: Workspace): ReadonlyArray<Package> =>
  workspace.packages.filter((one) => !one.isPrivate && one.path.startsWith("packages/"))

/** The sources of published packages, without their tests. */
export const librarySources = (workspace: Workspace): ReadonlyArray<Source> => {
  const folders = new Set(publishable(workspace).map((one) => one.folder))
  return workspace.sources.filter((source) =>
    !source.isTest && folders.has(source.package) && source.within.startsWith("src/")
  )
}

/** What a process or a thread of ours begins with is a program: nobody imports it. */
export const isEntry = (source: Source): boolean => source.within.startsWith("src/entry/")
