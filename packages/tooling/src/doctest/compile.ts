/**
 * Type-checks all units in one run of the compiler.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { locate, type Unit } from "./unit.ts"

export interface Diagnostic {
  readonly unit: string
  readonly where: string
  readonly message: string
}

const settings = (root: string, directory: string) => ({
  extends: path.relative(directory, path.join(root, "tsconfig.base.json")),
  compilerOptions: {
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    noEmit: true,
    noUnusedLocals: false,
    rootDir: path.relative(directory, root),
    tsBuildInfoFile: null
  },
  include: ["*.ts"]
})

/** Diagnostics of units, at the lines of their blocks. Errors elsewhere (in the sources) are the matter of `tsc -b`. */
export const compile = (root: string, directory: string, units: ReadonlyArray<Unit>): ReadonlyArray<Diagnostic> => {
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify(settings(root, directory), null, 2))
  for (const unit of units) fs.writeFileSync(path.join(directory, `${unit.id}.ts`), `${unit.code}\n`)
  if (units.length === 0) return []

  const compiler = path.join(root, "node_modules/typescript/bin/tsc")
  const { error, status, stderr, stdout } = spawnSync(
    process.execPath,
    [compiler, "--project", directory, "--pretty", "false"],
    { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }
  )
  if (error !== undefined) throw error
  const byFile = new Map(units.map((unit) => [path.relative(root, path.join(directory, `${unit.id}.ts`)), unit]))
  const diagnostics: Array<Diagnostic> = []
  let understood = false
  for (const text of stdout.split("\n")) {
    const [, file = "", line = "", message = ""] = /^(.+?)\((\d+),\d+\): error (.*)$/.exec(text) ?? []
    if (file !== "") understood = true
    const unit = byFile.get(file)
    if (unit !== undefined) diagnostics.push({ unit: unit.id, where: locate(unit, Number(line)), message })
  }
  if (status !== 0 && !understood) throw new Error(`the compiler failed: ${stdout}${stderr}`)
  return diagnostics
}
