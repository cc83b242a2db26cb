/**
 * The sinks by the kind of their file.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SinkService } from "@ergon/core/Connector"
import { DispatchError } from "@ergon/core/ConnectorError"
import { InvalidRequest } from "@ergon/core/Reason"
import { columnsOf } from "./columns.ts"
import { type Dialect, rows } from "./csv.ts"
import { lines } from "./layout.ts"
import { csvRow, envelopeLine, payloadLine } from "./record.ts"
import { appendSink } from "./sink.ts"

export const jsonlSink = (
  path: string,
  options: { readonly envelope: boolean }
): Effect.Effect<SinkService, DispatchError, Scope.Scope> =>
  appendSink({ path, format: "json", layout: lines, record: options.envelope ? envelopeLine : payloadLine })

const refused = (message: string) => new DispatchError({ reason: new InvalidRequest({ message }) })

export const csvSink = (
  payload: Schema.Constraint,
  path: string,
  given: ReadonlyArray<string> | undefined
): Effect.Effect<SinkService, DispatchError, Scope.Scope> =>
  Effect.suspend(() => {
    const fields = columnsOf(payload)
    const columns = given ?? fields
    if (columns === undefined) {
      return Effect.fail(refused(`the schema of "${path}" does not name its fields: give the columns`))
    }
    const twice = columns.find((name, index) => columns.indexOf(name) !== index)
    if (twice !== undefined) return Effect.fail(refused(`the column "${twice}" of "${path}" is there twice`))
    if (columns.length === 0) return Effect.fail(refused(`"${path}" has no columns: give at least one`))
    const unknown = fields === undefined ? undefined : columns.find((name) => !fields.includes(name))
    if (unknown !== undefined) {
      return Effect.fail(refused(`the column "${unknown}" of "${path}" is none of the fields [${fields?.join(", ")}]`))
    }
    const dialect: Dialect = { lineEnd: "\r\n" }
    return appendSink({ path, format: "strings", layout: rows(columns, dialect), record: csvRow(columns, dialect) })
  })
