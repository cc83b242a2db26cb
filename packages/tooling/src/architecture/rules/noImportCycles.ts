import type { Rule, Violation } from "../rule.ts"
import type { Source } from "../../workspace/source.ts"

/** Finds the imports that close a cycle: depth first, an edge back to a file that is still open. */
const closingImports = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const done = new Set<string>()
  const trail: Array<string> = []
  const violations: Array<Violation> = []

  const visit = (source: Source): void => {
    trail.push(source.path)
    for (const { line, resolved, typeOnly } of source.imports) {
      if (resolved === undefined || typeOnly) continue
      const open = trail.indexOf(resolved)
      if (open !== -1) {
        const cycle = [...trail.slice(open), resolved].join(" -> ")
        violations.push({ path: source.path, line, message: `closes the cycle ${cycle}` })
        continue
      }
      const next = byPath.get(resolved)
      if (next !== undefined && !done.has(resolved)) visit(next)
    }
    trail.pop()
    done.add(source.path)
  }

  for (const source of sources) {
    if (!done.has(source.path)) visit(source)
  }
  return violations
}

export const noImportCycles: Rule = {
  name: "no-import-cycles",
  why: "modules that import each other load in an order nobody chose; `import type` is erased and may point back",
  check: ({ sources }) => closingImports(sources)
}
