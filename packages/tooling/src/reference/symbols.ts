/**
 * The public modules of a package and the symbols they export, each with its docblock.
 */
import * as path from "node:path"
import type { Class, Declaration, Statement } from "oxc-parser"
import type { Source } from "../workspace/source.ts"
import type { Package, Workspace } from "../workspace/workspace.ts"
import { before, type Docblock, ofModule } from "./docblock.ts"

export interface Exported {
  readonly name: string
  readonly path: string
  readonly line: number
  readonly docblock: Docblock | undefined
  /** Whether it is there when the program runs. */
  readonly isValue: boolean
  /** The class as written, when it is one. */
  readonly source: { readonly of: Source; readonly class: Class } | undefined
}

export interface PublicModule {
  readonly name: string
  /** What an import says: `@ergon/core`, `@ergon/core/testing`. */
  readonly entry: string
  /** Whether the index of the entry exports it under its name. */
  readonly listed: boolean
  readonly source: Source
  readonly docblock: Docblock | undefined
  readonly exports: ReadonlyArray<Exported>
}

interface Declared {
  readonly name: string
  readonly isValue: boolean
  readonly class: Class | undefined
}

const namesOf = (declaration: Declaration): ReadonlyArray<Declared> => {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.flatMap((one) =>
      one.id.type === "Identifier" ? [{ name: one.id.name, isValue: true, class: undefined }] : []
    )
  }
  const isClass = declaration.type === "ClassDeclaration"
  const id = "id" in declaration && declaration.id !== null && declaration.id.type === "Identifier"
    ? declaration.id
    : undefined
  return id === undefined
    ? []
    : [{
      name: id.name,
      isValue: !/^TS(Interface|TypeAlias)/.test(declaration.type),
      class: isClass ? declaration : undefined
    }]
}

const declarationOf = (statement: Statement): Declaration | undefined => {
  if (statement.type === "ExportNamedDeclaration") return statement.declaration ?? undefined
  return /^(Variable|Function|Class|TSInterface|TSTypeAlias|TSDeclareFunction)/.test(statement.type)
    ? statement as Declaration
    : undefined
}

/** The declarations of `name` in a file, exported there or not. */
const declarationsOf = (source: Source, name: string, as: string): ReadonlyArray<Exported> =>
  source.program.body.flatMap((statement) => {
    const declaration = declarationOf(statement)
    if (declaration === undefined) return []
    return namesOf(declaration).filter((one) => one.name === name).map((one) => ({
      name: as,
      path: source.path,
      line: source.lineAt(statement.start),
      docblock: before(source, statement.start),
      isValue: one.isValue,
      source: one.class === undefined ? undefined : { of: source, class: one.class }
    }))
  })

const textOf = (name: { readonly type: string; readonly name?: string; readonly value?: unknown }): string =>
  name.name ?? String(name.value)

/** Where an imported name comes from. */
const imported = (source: Source, name: string): { readonly specifier: string; readonly name: string } | undefined => {
  for (const statement of source.program.body) {
    if (statement.type !== "ImportDeclaration") continue
    for (const one of statement.specifiers) {
      if (one.type !== "ImportSpecifier" || one.local.name !== name) continue
      return { specifier: statement.source.value, name: textOf(one.imported) }
    }
  }
  return undefined
}

/** All exports of a file, through re-exports, overloads joined. */
const exportsOf = (sources: ReadonlyMap<string, Source>, source: Source): ReadonlyArray<Exported> => {
  const target = (specifier: string): Source | undefined =>
    sources.get(path.posix.join(path.posix.dirname(source.path), specifier))
  const all = source.program.body.flatMap((statement): ReadonlyArray<Exported> => {
    if (statement.type === "ExportAllDeclaration") {
      const from = target(statement.source.value)
      return from === undefined || statement.exported !== null ? [] : exportsOf(sources, from)
    }
    if (statement.type !== "ExportNamedDeclaration") return []
    if (statement.declaration !== null) {
      return namesOf(statement.declaration).map((one) => ({
        name: one.name,
        path: source.path,
        line: source.lineAt(statement.start),
        docblock: before(source, statement.start),
        isValue: one.isValue,
        source: one.class === undefined ? undefined : { of: source, class: one.class }
      }))
    }
    const from = statement.source === null ? source : target(statement.source.value)
    return statement.specifiers.flatMap((specifier) => {
      const own = before(source, specifier.start) ??
        (statement.specifiers.length === 1 ? before(source, statement.start) : undefined)
      const name = textOf(specifier.exported)
      const local = textOf(specifier.local)
      const origin = from === source ? imported(source, local) : undefined
      const file = origin === undefined ? from : target(origin.specifier)
      const declared = file === undefined ? [] : declarationsOf(file, origin?.name ?? local, name)
      const found = declared.length > 0
        ? declared
        : [{
          name,
          path: source.path,
          line: source.lineAt(specifier.start),
          docblock: undefined,
          isValue: true,
          source: undefined
        }]
      return found.map((one) => ({ ...one, docblock: own ?? one.docblock }))
    })
  })
  return all.filter((one, index) =>
    one.docblock !== undefined || !all.some((other, at) => at !== index && other.name === one.name && at < index)
  )
}

const entriesOf = (owner: Package): ReadonlyArray<readonly [entry: string, file: string]> =>
  typeof owner.exports !== "object" || owner.exports === null ? [] : Object.entries(owner.exports).flatMap(
    ([key, conditions]): ReadonlyArray<readonly [string, string]> => {
      const file = typeof conditions === "object" && conditions !== null ? conditions["@ergon/source"] : undefined
      return typeof file === "string" ? [[path.posix.join(owner.name, key), path.posix.join(owner.path, file)]] : []
    }
  )

/** The modules that users can import, by the `exports` of the package and its barrels. */
export const publicModules = (workspace: Workspace, owner: Package): ReadonlyArray<PublicModule> => {
  const sources = new Map(workspace.sources.map((source) => [source.path, source]))
  const found = new Map<string, PublicModule>()
  const add = (entry: string, name: string, source: Source, listed: boolean) => {
    if (source.isTest || found.has(source.path)) return
    found.set(source.path, {
      name,
      entry,
      listed,
      source,
      docblock: ofModule(source),
      exports: exportsOf(sources, source)
    })
  }
  for (const [entry, file] of entriesOf(owner)) {
    if (file.includes("*")) {
      const directory = path.posix.dirname(file)
      for (const source of workspace.sources) {
        const name = path.posix.basename(source.path, ".ts")
        if (path.posix.dirname(source.path) === directory && name !== "index") add(owner.name, name, source, false)
      }
      continue
    }
    const barrel = sources.get(file)
    for (const statement of barrel?.program.body ?? []) {
      if (statement.type !== "ExportAllDeclaration" || statement.exported === null) continue
      const source = sources.get(path.posix.join(path.posix.dirname(file), statement.source.value))
      if (source !== undefined) add(entry, textOf(statement.exported), source, true)
    }
  }
  return [...found.values()]
}
