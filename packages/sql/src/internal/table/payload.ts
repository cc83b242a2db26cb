/**
 * The table of a sink's payload.
 */
import type * as Schema from "effect/Schema"
import type { Dialect } from "../dialect.ts"
import { columnsOf } from "./columns.ts"
import type { Table } from "./sink.ts"

/**
 * One column per field; where the payload has no field `id`, a column `id` with the id of the transaction. A payload
 * that is no struct is one column of JSON.
 */
export const payloadTable = (
  dialect: Dialect,
  name: string,
  payload: Schema.Constraint,
  id: string
): Table => {
  const { sameName, table: { toColumn } } = dialect
  const fields = columnsOf(payload)
  if (fields === undefined) {
    return {
      name,
      columns: [{ name: id, kind: "text" }, { name: "payload", kind: "text" }],
      primaryKey: [id],
      inOrder: false,
      row: (transaction) => [transaction.id, JSON.stringify(transaction.payload) ?? "null"]
    }
  }
  const own = fields.find((field) => sameName(field.name, id))
  return {
    name,
    columns: own !== undefined ? fields : [{ name: id, kind: "text" }, ...fields],
    primaryKey: [own?.name ?? id],
    inOrder: false,
    row: (transaction) => {
      const payload = transaction.payload
      const values = fields.map((field) =>
        toColumn(
          typeof payload === "object" && payload !== null ? Reflect.get(payload, field.name) : undefined,
          field.kind
        )
      )
      return own !== undefined ? values : [transaction.id, ...values]
    }
  }
}
