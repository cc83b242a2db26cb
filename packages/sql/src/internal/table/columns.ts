/**
 * The columns of a payload: one for each of its top-level fields as they are encoded, or one for all of it.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

/** What a column holds; `any` where any value may come. */
export type Kind = "text" | "number" | "boolean" | "json" | "any"

export interface Column {
  readonly name: string
  readonly kind: Kind
}

/** A value as it is bound. */
export type Value = string | number | boolean | null

/** The columns of a struct, in its order; `undefined` for a payload of another shape. */
export const columnsOf = (payload: Schema.Constraint): ReadonlyArray<Column> | undefined => {
  const { ast } = Schema.toEncoded(Schema.toCodecJson(payload))
  if (ast._tag !== "Objects" || ast.indexSignatures.length > 0 || ast.propertySignatures.length === 0) return undefined
  return ast.propertySignatures.map(({ name, type }) => ({ name: String(name), kind: kindOf(type) }))
}

const kindOf = (ast: SchemaAST.AST): Kind => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
      return "text"
    case "Objects":
    case "Arrays":
      return "json"
    case "Number":
      return "number"
    case "Boolean":
      return "boolean"
    case "Literal":
      return typeof ast.literal === "string" ? "text" : "number"
    case "Union": {
      const kinds = new Set(ast.types.filter((type) => type._tag !== "Null" && !isNoNumber(type)).map(kindOf))
      const [first] = kinds
      if (kinds.size === 1 && first !== undefined) return first
      const all = (...some: ReadonlyArray<Kind>) => Array.from(kinds).every((kind) => some.includes(kind))
      // A column of numbers would make a number of every text that looks like one.
      if (all("number", "boolean")) return kinds.size === 0 ? "any" : "number"
      return all("text", "json") ? "text" : "any"
    }
    default:
      return "any"
  }
}

/** How a number is encoded that is none: as text, which a column of numbers takes. */
const isNoNumber = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Union"
    ? ast.types.every(isNoNumber)
    : ast._tag === "Literal" && (ast.literal === "NaN" || ast.literal === "Infinity" || ast.literal === "-Infinity")
