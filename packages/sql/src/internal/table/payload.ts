/**
 * The table of a sink's payload.
 */
import type * as Schema from "effect/Schema"
import { columnsOf, toColumn } from "./columns.ts"
import type { Table } from "./sink.ts"

/**
 * One column per field; where the payload has no field `id`, a column `id` with the id of the transaction. A payload
 * that is no struct is one column of JSON.
 */
export const payloadTable = (name: string, payload: Schema.Constraint, id: string): Table => {
  const fields = columnsOf(payload) ?? undefined
  if (fields === undefined) {
    return {
      name,
      columns: [{ name: id, type: "TEXT" }, { name: "payload", type: "TEXT" }],
      primaryKey: [id],
      row: (transaction) => [transaction.id, JSON.stringify(transaction.payload) ?? "null"]
    }
  }
  const named = fields.some((field) => field.name === id)
  return {
    name,
    columns: named ? fields : [{ name: id, type: "TEXT" }, ...fields],
    primaryKey: [id],
    row: (transaction) => {
      const payload = transaction.payload
      const values = fields.map((field) =>
        toColumn(typeof payload === "object" && payload !== null ? Reflect.get(payload, field.name) : undefined)
      )
      return named ? values : [transaction.id, ...values]
    }
  }
}
