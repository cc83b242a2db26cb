/**
 * One TypeScript file of the workspace, read and parsed once, with the questions that the checks ask of it.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { type Comment, parseSync, type Program } from "oxc-parser"

/** An import, re-export or dynamic import. `resolved` is the path of a relative import, from the root. */
export interface Import {
  readonly specifier: string
  readonly resolved: string | undefined
  readonly typeOnly: boolean
  readonly line: number
}

/** A parsed file. `path` is relative to the root of the workspace, `within` to its package; both use slashes. */
export interface Source {
  readonly path: string
  readonly package: string
  readonly within: string
  readonly isTest: boolean
  readonly text: string
  readonly program: Program
  readonly comments: ReadonlyArray<Comment>
  readonly imports: ReadonlyArray<Import>
  readonly lineAt: (offset: number) => number
}

/** Gives the line, counted from 1, of an offset into `text`. */
export const lineCounter = (text: string): (offset: number) => number => {
  const starts = [0]
  for (let index = text.indexOf("\n"); index !== -1; index = text.indexOf("\n", index + 1)) starts.push(index + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** Reads and parses one file. Throws when it does not parse, naming the file and the line. */
export const read = (root: string, file: string, owner: { readonly folder: string; readonly path: string }): Source => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  const lineAt = lineCounter(text)
  const parsed = parseSync(file, text)
  const error = parsed.errors[0]
  if (error !== undefined) throw new SyntaxError(`${file}:${lineAt(error.labels[0]?.start ?? 0)}: ${error.message}`)

  const toImport = (specifier: string, typeOnly: boolean, start: number): Import => ({
    specifier,
    resolved: specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file), specifier) : undefined,
    typeOnly,
    line: lineAt(start)
  })
  const imports = [
    ...parsed.module.staticImports.map((entry) =>
      toImport(
        entry.moduleRequest.value,
        entry.entries.length > 0 && entry.entries.every((name) => name.isType),
        entry.start
      )
    ),
    ...parsed.module.staticExports.flatMap((statement) => {
      const [first] = statement.entries
      return first?.moduleRequest == null
        ? []
        : [toImport(first.moduleRequest.value, statement.entries.every((name) => name.isType), statement.start)]
    }),
    ...parsed.module.dynamicImports.flatMap((entry) => {
      const request = text.slice(entry.moduleRequest.start, entry.moduleRequest.end)
      return /^["'`][^$]*["'`]$/.test(request) ? [toImport(request.slice(1, -1), false, entry.start)] : []
    })
  ]
  return {
    path: file,
    package: owner.folder,
    within: path.posix.relative(owner.path, file),
    isTest: /\.test\.ts$|(^|\/)(test|typetest)\//.test(file),
    text,
    program: parsed.program,
    comments: parsed.comments,
    imports,
    lineAt
  }
}
