/**
 * What `tsc -b` over the packages leaves out: the type tests (`packages/<name>/typetest`, each with a tsconfig of its
 * own) and Effect's own diagnostics (floating effects, a missing `yield*`) over all sources. Exits with 1 on an error.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { filesBelow, packagesOf, root } from "../workspace/workspace.ts"

const directory = path.join(root, "packages/tooling/.generated/effect")
const packages = packagesOf(root)

/** Runs a tool of node_modules and gives its exit code. */
const run = (tool: string, args: ReadonlyArray<string>): number => {
  const { error, status } = spawnSync(process.execPath, [path.join(root, "node_modules", tool), ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"]
  })
  if (error !== undefined) throw error
  return status ?? 1
}

const typetests = packages.map((one) => `${one.path}/typetest`).filter((folder) =>
  filesBelow(root, folder, (file) => file.endsWith(".ts")).length > 0
)
const unconfigured = typetests.filter((folder) => !fs.existsSync(path.join(root, folder, "tsconfig.json")))
for (const folder of unconfigured)
  console.error(`${folder} has no tsconfig.json: extend ../../../tsconfig.typetest.json`)

const typetest = typetests.length === 0 ? 0 : run("typescript/bin/tsc", ["-b", ...typetests])
console.log(`type tests: ${typetests.length} folders${typetest === 0 ? "" : ", with errors"}`)

const up = path.relative(directory, root)
fs.mkdirSync(directory, { recursive: true })
fs.writeFileSync(
  path.join(directory, "tsconfig.json"),
  JSON.stringify(
    {
      extends: `${up}/tsconfig.base.json`,
      compilerOptions: { composite: false, incremental: false, noEmit: true, rootDir: up, tsBuildInfoFile: null },
      include: packages.map((one) => `${up}/${one.path}/src`)
    },
    null,
    2
  )
)
const diagnostics = run("@effect/tsgo/dist/effect-tsgo.cjs", [
  "diagnostics",
  "--project",
  path.join(directory, "tsconfig.json"),
  "--format",
  "text",
  "--severity",
  "error,warning",
  "--strict"
])

process.exitCode = unconfigured.length + typetest + diagnostics === 0 ? 0 : 1
