/**
 * The table of a sink of dead letters: what a person looks for in columns of its own.
 */
import { toColumn } from "./columns.ts"
import type { Table } from "./sink.ts"

const text = "TEXT"

/** A transaction that is given up again replaces its letter. */
export const letterTable = (name: string): Table => ({
  name,
  columns: [
    { name: "source", type: text },
    { name: "id", type: text },
    { name: "task", type: text },
    { name: "failed_at", type: text },
    { name: "step", type: text },
    { name: "category", type: text },
    { name: "reason", type: text },
    { name: "error_tag", type: text },
    { name: "error_message", type: text },
    { name: "attempts", type: "INTEGER" },
    { name: "deliveries", type: "INTEGER" },
    { name: "payload", type: text },
    { name: "metadata", type: text }
  ],
  primaryKey: ["source", "id"],
  row: ({ payload }) => {
    const at = (object: unknown, field: string): unknown =>
      typeof object === "object" && object !== null ? Reflect.get(object, field) : undefined
    const field = (name: string) => toColumn(at(payload, name))
    const error = at(payload, "error")
    return [
      field("source"),
      field("id"),
      field("task"),
      field("failedAt"),
      field("step"),
      field("category"),
      field("reason"),
      toColumn(at(error, "tag")),
      toColumn(at(error, "message")),
      field("attempts"),
      field("deliveries"),
      JSON.stringify(at(payload, "payload")) ?? null,
      field("metadata")
    ]
  }
})
