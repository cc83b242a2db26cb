/**
 * How a transaction is an entry of a stream: its id, its payload as JSON, the trace context in fields of their own, and
 * the rest of the metadata as JSON.
 */
import { Transaction } from "@ergon/core"

export interface Entry {
  readonly transaction: Transaction.Transaction<unknown>
  /** How often it was delivered before this copy of it was made. */
  readonly deliveries: number
  /** How long its id is kept after its end, in milliseconds; `undefined` when it is not kept at all. */
  readonly unique: string | undefined
  /** Why it cannot be read. */
  readonly malformed: string | undefined
}

const traceFields = ["traceparent", "tracestate", "baggage"] as const

export const field = {
  deliveries: "ergon.deliveries",
  unique: "ergon.unique",
  reason: "ergon.reason",
  letter: "ergon.letter"
} as const

/** The fields of a transaction, name and value in turns; or what is wrong with it. */
export const fieldsOf = (transaction: Transaction.Transaction<unknown>): Array<string> | string => {
  const { id, metadata, payload } = transaction
  if (!id.isWellFormed()) return "an id with half of a surrogate pair cannot be stored"
  try {
    const fields = ["id", id, "payload", JSON.stringify(payload) ?? "null"]
    let rest: { [key: string]: string | number | boolean } | undefined
    for (const key in metadata) {
      const value = metadata[key]
      if (value === undefined) continue
      if (typeof value === "string" && isTraceField(key) && value.isWellFormed()) fields.push(key, value)
      else (rest ??= {})[key] = value
    }
    if (rest !== undefined) fields.push("metadata", JSON.stringify(rest))
    return fields
  } catch (error) {
    return `the payload is no JSON: ${error instanceof Error ? error.message : String(error)}`
  }
}

const isTraceField = (key: string): boolean =>
  key === traceFields[0] || key === traceFields[1] || key === traceFields[2]

const noMetadata: Transaction.Metadata = Object.freeze({})

/** Reads the fields of an entry, name and value in turns. One that another program wrote may hold anything. */
export const read = (entryId: string, fields: ReadonlyArray<unknown>): Entry => {
  let id = ""
  let payload: string | undefined
  let metadata: string | undefined
  let trace: { [key: string]: string } | undefined
  let deliveries = 0
  let unique: string | undefined
  for (let place = 0; place + 1 < fields.length; place += 2) {
    const name = String(fields[place])
    const value = String(fields[place + 1])
    switch (name) {
      case "id":
        id = value
        break
      case "payload":
        payload = value
        break
      case "metadata":
        metadata = value
        break
      case "traceparent":
      case "tracestate":
      case "baggage":
        ;(trace ??= {})[name] = value
        break
      case field.deliveries:
        deliveries = Number(value) || 0
        break
      case field.unique:
        unique = value
        break
    }
  }
  const parsed = payload === undefined ? unreadable : parse(payload)
  const rest = metadata === undefined ? noMetadata : parse(metadata)
  const known = rest === noMetadata ? noMetadata : isMetadata(rest) ? rest : undefined
  const malformed = parsed === unreadable
    ? payload === undefined ? "the entry has no field payload" : "the field payload is no JSON"
    : known === undefined
    ? "the field metadata is no JSON object"
    : undefined
  return {
    transaction: Transaction.make(
      id === "" ? entryId : id,
      parsed === unreadable ? payload ?? rawOf(fields) : parsed,
      trace === undefined ? known ?? noMetadata : { ...known, ...trace }
    ),
    deliveries,
    unique,
    malformed
  }
}

const rawOf = (fields: ReadonlyArray<unknown>): { readonly [name: string]: string } => {
  const raw: { [name: string]: string } = {}
  for (let place = 0; place + 1 < fields.length; place += 2) {
    const name = String(fields[place])
    if (name !== "id" && !name.startsWith("ergon.")) raw[name] = String(fields[place + 1])
  }
  return raw
}

const unreadable = Symbol("unreadable")

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return unreadable
  }
}

const isMetadata = (value: unknown): value is Transaction.Metadata =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === "string" || typeof one === "number" || typeof one === "boolean")
