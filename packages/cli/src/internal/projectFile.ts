/**
 * Where the main file of a project is: the nearest package.json upwards that has `ergon.main` says so. Nothing else is
 * looked for.
 */
import { readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

/** `path` is absolute; `problem` says what is missing, where, and what to write there. */
export type Main =
  | { readonly _tag: "Found"; readonly path: string }
  | { readonly _tag: "Missing"; readonly problem: string }

const advice = `In package.json:
  "ergon": { "main": "src/main.ts" }
and in src/main.ts:
  import { Ergon } from "@ergon/cli"
  Ergon.main([])
\`ergon init NAME\` makes a new project`

const missing = (problem: string): Main => ({ _tag: "Missing", problem })

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as { readonly [name: string]: unknown })[name] : undefined

const mainOf = (path: string, declared: unknown): Main => {
  if (typeof declared !== "string" || declared.trim() === "") {
    return missing(`${path}: "ergon.main" must be a path such as "src/main.ts", got ${JSON.stringify(declared)}`)
  }
  const main = resolve(dirname(path), declared)
  return isFile(main)
    ? { _tag: "Found", path: main }
    : missing(
      `${path} names "${declared}" as the main file, and there is no such file. Write into it:\n` +
        `  import { Ergon } from "@ergon/cli"\n  Ergon.main([])`
    )
}

/** Looks from a folder upwards. */
export const find = (folder: string): Main => {
  const without: Array<string> = []
  for (let at = resolve(folder);; at = dirname(at)) {
    const path = join(at, "package.json")
    const text = read(path)
    if (text !== undefined) {
      let content: unknown
      try {
        content = JSON.parse(text)
      } catch (error) {
        return missing(`${path} is not JSON: ${(error as Error).message}`)
      }
      const ergon = property(content, "ergon")
      const declared = property(ergon, "main")
      if (declared !== undefined) return mainOf(path, declared)
      if (ergon !== undefined) {
        return missing(`${path}: "ergon" says no "main". Write:\n  "ergon": { "main": "src/main.ts" }`)
      }
      without.push(path)
    }
    if (dirname(at) === at) break
  }
  return missing(
    without.length === 0
      ? `there is no package.json in ${resolve(folder)} or above it. ${advice}`
      : `${without.map((path) => relative(folder, path) || path).join(" and ")} ${
        without.length === 1 ? "has" : "have"
      } no "ergon.main". ${advice}`
  )
}

const alone = new Set(["--help", "-h", "--version", "-v", "--completions"])

/** Whether a line can be answered without the tasks of a project: then its main file is not even loaded. */
export const needsNoProject = (line: ReadonlyArray<string>): boolean => {
  const end = line.indexOf("--")
  const flags = end === -1 ? line : line.slice(0, end)
  return line.length === 0 || flags.some((word) => alone.has(word) || word.startsWith("--completions=")) ||
    flags.find((word) => !word.startsWith("-")) === "init"
}
