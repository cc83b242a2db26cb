import type { Expression } from "oxc-parser"
import { at, isEntry, librarySources, type Rule, type Violation } from "../rule.ts"
import type { Source } from "../../workspace/source.ts"

const registries = new Set(["Map", "Set", "Array"])

/** An empty collection at the top of a module is there to be filled. A WeakMap is a cache and keeps nothing alive. */
const isRegistry = (value: Expression | null): boolean => {
  if (value === null) return false
  if (value.type === "ArrayExpression") return value.elements.length === 0
  return value.type === "NewExpression" && value.arguments.length === 0 &&
    value.callee.type === "Identifier" && registries.has(value.callee.name)
}

const isReadonlyType = (source: Source, start: number, end: number): boolean =>
  /^:\s*(readonly\b|Readonly)/.test(source.text.slice(start, end))

const violationsOf = (source: Source): ReadonlyArray<Violation> =>
  source.program.body.flatMap((statement) => {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
    if (declaration?.type !== "VariableDeclaration" || declaration.declare) return []
    if (declaration.kind === "let" || declaration.kind === "var") {
      return [at(source, declaration.start, `top-level ${declaration.kind}`)]
    }
    return declaration.declarations.flatMap((one) => {
      const annotation = one.id.type === "Identifier" ? one.id.typeAnnotation : null
      if (!isRegistry(one.init)) return []
      if (annotation != null && isReadonlyType(source, annotation.start, annotation.end)) return []
      return [at(source, one.start, "a top-level collection that starts empty is a registry")]
    })
  })

export const noTopLevelState: Rule = {
  name: "no-top-level-state",
  why: "no globals: what changes belongs to a run, a Layer or a Ref",
  check: (workspace) => librarySources(workspace).filter((source) => !isEntry(source)).flatMap(violationsOf)
}
