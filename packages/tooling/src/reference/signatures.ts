/**
 * The signatures of a module, from its emitted declarations: every inferred type is written out there.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseSync } from "oxc-parser"
import type { Exported, PublicModule } from "./symbols.ts"

const declarationFile = (file: string): string => file.replace("/src/", "/dist/").replace(/\.ts$/, ".d.ts")

/** The text of every top-level declaration by name, in order (overloads, and a type beside its value). */
const declared = (text: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, ReadonlyArray<string>>()
  for (const statement of parseSync("module.d.ts", text).program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (declaration === null) continue
    const names = declaration.type === "VariableDeclaration"
      ? declaration.declarations.map((one) => one.id)
      : "id" in declaration && declaration.id !== null
      ? [declaration.id]
      : []
    for (const id of names) {
      if (id.type !== "Identifier") continue
      const code = text.slice(declaration.start, declaration.end).replace(/^declare /, "")
      found.set(id.name, [...found.get(id.name) ?? [], code])
    }
  }
  return found
}

/** A class is shown as it is written, up to its body: the fields of a schema stand in its heritage. */
const classHead = ({ source }: Exported): string | undefined =>
  source === undefined
    ? undefined
    : source.of.text.slice(source.class.start, source.class.body.start).trim().replace(/^export /, "")

/** The signature of an export; `undefined` where the declarations are older than the source. */
export type SignatureOf = (file: string, exported: Exported) => string | undefined

const mark = (index: number) => `// ---- ${index} ----`

/** Formats many declarations in one run of dprint. */
const format = (root: string, codes: ReadonlyArray<string>): ReadonlyArray<string> => {
  const input = codes.map((code, index) => `${mark(index)}\n${/^class\b/.test(code) ? `${code} {}` : code}\n`).join(
    "\n"
  )
  const { status, stderr, stdout } = spawnSync(path.join(root, "node_modules/.bin/dprint"), [
    "fmt",
    "--stdin",
    "signatures.ts"
  ], { cwd: root, input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(`dprint cannot format the signatures: ${stderr}`)
  return codes.map((code, index) => {
    const from = stdout.indexOf(mark(index)) + mark(index).length
    const next = stdout.indexOf(mark(index + 1), from)
    const formatted = stdout.slice(from, next === -1 ? undefined : next).trim()
    return /^class\b/.test(code) ? formatted.replace(/\s*\{\}$/, "") : formatted
  })
}

/** Reads and formats the signatures of all exports of the modules. */
export const read = (root: string, modules: ReadonlyArray<PublicModule>): SignatureOf => {
  const keys: Array<string> = []
  const codes: Array<string> = []
  const files = new Map<string, ReadonlyMap<string, ReadonlyArray<string>>>()
  for (const { exports, source } of modules) {
    const emitted = (file: string) => {
      const absolute = path.join(root, declarationFile(file))
      const known = files.get(file) ??
        (fs.existsSync(absolute) ? declared(fs.readFileSync(absolute, "utf8")) : new Map())
      files.set(file, known)
      return known
    }
    const nth = new Map<string, number>()
    for (const one of exports) {
      const index = nth.get(one.name) ?? 0
      nth.set(one.name, index + 1)
      const candidates = emitted(one.path).get(one.name) ?? emitted(source.path).get(one.name) ?? []
      const code = classHead(one) ?? candidates[index] ?? candidates[0]
      if (code === undefined) continue
      keys.push(`${source.path} ${one.path}:${one.line} ${one.name}`)
      codes.push(code)
    }
  }
  const formatted = new Map(format(root, codes).map((code, index) => [keys[index], code]))
  return (file, one) => formatted.get(`${file} ${one.path}:${one.line} ${one.name}`)
}
