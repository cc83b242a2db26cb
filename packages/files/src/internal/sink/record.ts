/**
 * What a sink writes for one transaction: a record, or the reason why there is none.
 */
import type { Metadata, Transaction } from "@ergon/core/Transaction"
import { type Dialect, row } from "./csv.ts"

/** Why a payload cannot be a record of this file. */
export class Unfit extends Error {
  override readonly name = "Unfit"
}

/** The text of one transaction, with its line end. Throws `Unfit`. */
export type Recorder = (transaction: Transaction<unknown>) => string

const json = (value: unknown): string => {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw new Unfit(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (text === undefined) throw new Unfit(`it is no JSON: ${typeof value}`)
  return text
}

/** The payload is the line. */
export const payloadLine: Recorder = ({ payload }) => `${json(payload)}\n`

interface Envelope {
  readonly id: string
  readonly payload: unknown
  readonly metadata: Metadata
}

/** Id, payload and metadata are the line. */
export const envelopeLine: Recorder = ({ id, metadata, payload }) => {
  const envelope: Envelope = { id, payload: payload === undefined ? null : payload, metadata }
  return `${json(envelope)}\n`
}

const kindOf = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "a list" : typeof value

const cellOf = (name: string, value: unknown): string => {
  if (value === undefined) return ""
  if (typeof value === "string") return value
  throw new Unfit(
    `the field "${name}" is ${
      kindOf(value) === "object" ? "an object" : kindOf(value)
    }: a column holds text, so nested ` +
      `values have no place in CSV`
  )
}

/** The fields named by the columns are the cells. */
export const csvRow = (columns: ReadonlyArray<string>, dialect: Dialect): Recorder => ({ payload }) => {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw new Unfit(`it is ${kindOf(payload)}, not an object with fields`)
  }
  const fields: { readonly [name: string]: unknown } = { ...payload }
  return row(
    columns.map((name) => cellOf(name, Object.hasOwn(fields, name) ? fields[name] : undefined)),
    dialect.lineEnd
  )
}
