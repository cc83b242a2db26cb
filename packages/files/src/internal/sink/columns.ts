/**
 * The columns of a CSV file, from the schema of its rows.
 */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** The names of the fields of an encoded payload; `undefined` where the schema does not name them all. */
export const columnsOf = (payload: Schema.Constraint): ReadonlyArray<string> | undefined => {
  const ast = SchemaAST.toEncoded(payload.ast)
  if (!SchemaAST.isObjects(ast) || ast.indexSignatures.length > 0 || ast.propertySignatures.length === 0) {
    return undefined
  }
  const names = ast.propertySignatures.map(({ name }) => name)
  return names.every((name) => typeof name === "string") ? names : undefined
}
