/**
 * The payload of a row: the columns that the payload's fields name, as JSON says their values.
 */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { columnsOf, type Kind } from "./columns.ts"

export interface Field {
  readonly name: string
  readonly kind: Kind
  /** NULL is the absence of a field that may be absent and may not be null. */
  readonly absent: boolean
}

/** The fields of a struct; `undefined` for a payload of another shape. */
export const fieldsOf = (payload: Schema.Constraint): ReadonlyArray<Field> | undefined => {
  const columns = columnsOf(payload)
  const { ast } = Schema.toEncoded(Schema.toCodecJson(payload))
  if (columns === undefined || ast._tag !== "Objects") return undefined
  return columns.map(({ kind, name }, index) => {
    const type = ast.propertySignatures[index]!.type
    return { name, kind, absent: type.context?.isOptional === true && !takesNull(type) }
  })
}

const takesNull = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Null" || ast._tag === "Unknown" || ast._tag === "Any" ||
  (ast._tag === "Union" && ast.types.some(takesNull))

/** A value of a column as the JSON of a field of this kind. Throws for text that should be JSON and is none. */
export const fromColumn = (value: unknown, kind: Kind): unknown => {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64")
  switch (kind) {
    case "text":
      return typeof value === "string" ? value : typeof value === "bigint" ? value.toString() : JSON.stringify(value)
    case "number": {
      if (typeof value === "bigint") return Number(value)
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : NaN
      // What is no number, the schema says itself.
      return Number.isFinite(number) ? number : value
    }
    case "boolean":
      return typeof value === "number" || typeof value === "bigint" ? Number(value) !== 0 : value
    case "json":
      return typeof value === "string" ? JSON.parse(value) : value
    default:
      return typeof value === "bigint" ? Number.isSafeInteger(Number(value)) ? Number(value) : value.toString() : value
  }
}
