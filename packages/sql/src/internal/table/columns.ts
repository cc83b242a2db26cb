/**
 * The columns of a payload: one for each of its top-level fields as they are encoded, or one for all of it.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

export interface Column {
  readonly name: string
  /** A type that SQLite's affinities know; empty where any value may come. */
  readonly type: "TEXT" | "NUMERIC" | "INTEGER" | ""
}

/** SQLite ignores the case of the 26 letters in names. */
export const sameName = (a: string, b: string): boolean => lower(a) === lower(b)

const lower = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** The columns of a struct, in its order; `undefined` for a payload of another shape. */
export const columnsOf = (payload: Schema.Constraint): ReadonlyArray<Column> | undefined => {
  const { ast } = Schema.toEncoded(Schema.toCodecJson(payload))
  if (ast._tag !== "Objects" || ast.indexSignatures.length > 0 || ast.propertySignatures.length === 0) return undefined
  return ast.propertySignatures.map(({ name, type }) => ({ name: String(name), type: typeOf(type) }))
}

const typeOf = (ast: SchemaAST.AST): Column["type"] => {
  switch (ast._tag) {
    case "String":
    case "TemplateLiteral":
    case "Objects":
    case "Arrays":
      return "TEXT"
    case "Number":
      return "NUMERIC"
    case "Boolean":
      return "INTEGER"
    case "Literal":
      return typeof ast.literal === "string" ? "TEXT" : "NUMERIC"
    case "Union": {
      const types = new Set(ast.types.filter((type) => type._tag !== "Null" && !isNoNumber(type)).map(typeOf))
      // A NUMERIC column makes a number of every text that looks like one.
      if (types.has("NUMERIC")) return types.has("TEXT") || types.has("") ? "" : "NUMERIC"
      const [first] = types
      return types.size === 1 && first !== undefined ? first : ""
    }
    default:
      return ""
  }
}

/** How a number is encoded that is none: as text, which a NUMERIC column leaves as it is. */
const isNoNumber = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Union"
    ? ast.types.every(isNoNumber)
    : ast._tag === "Literal" && (ast.literal === "NaN" || ast.literal === "Infinity" || ast.literal === "-Infinity")

/** A value of the payload as a column holds it: what is nested becomes JSON text. */
export const toColumn = (value: unknown): string | number | null => {
  switch (typeof value) {
    case "string":
    case "number":
      return value
    case "boolean":
      return value ? 1 : 0
    default:
      return value === null || value === undefined ? null : JSON.stringify(value)
  }
}
