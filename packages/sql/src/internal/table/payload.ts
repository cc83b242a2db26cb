/**
 * The table of a sink's payload.
 */
import type * as Schema from "effect/Schema"
import { columnsOf, sameName, toColumn } from "./columns.ts"
import type { Table } from "./sink.ts"

/**
 * One column per field; where the payload has no field `id`, a column `id` with the id of the transaction. A payload
 * that is no struct is one column of JSON.
 */
export const payloadTable = (name: string, payload: Schema.Constraint, id: string): Table => {
  const fields = columnsOf(payload)
  if (fields === undefined) {
    return {
      name,
      columns: [{ name: id, type: "TEXT" }, { name: "payload", type: "TEXT" }],
      primaryKey: [id],
      inOrder: false,
      row: (transaction) => [transaction.id, JSON.stringify(transaction.payload) ?? "null"]
    }
  }
  const own = fields.find((field) => sameName(field.name, id))
  return {
    name,
    columns: own !== undefined ? fields : [{ name: id, type: "TEXT" }, ...fields],
    primaryKey: [own?.name ?? id],
    inOrder: false,
    row: (transaction) => {
      const payload = transaction.payload
      const values = fields.map((field) =>
        toColumn(typeof payload === "object" && payload !== null ? Reflect.get(payload, field.name) : undefined)
      )
      return own !== undefined ? values : [transaction.id, ...values]
    }
  }
}
