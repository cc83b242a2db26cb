/**
 * What the text of a record means: a JSON value, or the fields of a row.
 */
import type { Transaction } from "@ergon/core"
import * as Predicate from "effect/Predicate"

/** A payload, or why there is none; with what else the record says of its transaction. */
export interface Parsed {
  readonly payload: unknown
  readonly malformed: string | undefined
  readonly id: string | undefined
  readonly metadata: Transaction.Metadata | undefined
}

export interface Parser {
  /** Whether the next record is the header, not a payload. */
  readonly wantsHeader: boolean
  /** Takes the header; what is wrong with it, if anything. */
  readonly header: (text: string) => string | undefined
  /** The text has no line break at its end. `undefined` for a blank line. */
  readonly parse: (text: string) => Parsed | undefined
}

const good = (payload: unknown): Parsed => ({ payload, malformed: undefined, id: undefined, metadata: undefined })

/** A record that cannot be read: its text is the payload. */
export const bad = (text: string, malformed: string): Parsed => ({
  payload: text,
  malformed,
  id: undefined,
  metadata: undefined
})

/** The part of a message of `JSON.parse` that says what is wrong, without the text that it quotes. */
const jsonProblem = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/, "?[^]*"? is not valid JSON$/, "").replace(/ \(line \d+ column \d+\)$/, "")
}

const jsonParser = (payloadOf: (value: unknown) => Parsed | string): Parser => ({
  wantsHeader: false,
  header: () => undefined,
  parse: (text) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return text.trim() === "" ? undefined : bad(text, `not JSON: ${jsonProblem(error)}`)
    }
    const parsed = payloadOf(value)
    return typeof parsed === "string" ? bad(text, parsed) : parsed
  }
})

/** The value of a line is the payload. */
export const jsonLines: Parser = jsonParser(good)

const isMetadata = (u: unknown): u is Transaction.Metadata =>
  Predicate.isObject(u) &&
  Object.values(u).every((value) =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean"
  )

/** The value of a line is an envelope of id, payload and metadata. */
export const envelopes: Parser = jsonParser((value) => {
  if (!Predicate.isObject(value)) return "not an envelope: it is no object"
  const { id, metadata, payload } = value as { readonly [key: string]: unknown }
  if (typeof id !== "string" || id === "") return "not an envelope: its id is no text"
  if (payload === undefined) return "not an envelope: it has no payload"
  if (metadata !== undefined && !isMetadata(metadata)) {
    return "not an envelope: its metadata is no object of texts, numbers and booleans"
  }
  return { payload, malformed: undefined, id, metadata }
})

const quote = "\""

/** The fields of one record, or what is wrong with it. */
export const fieldsOf = (record: string, delimiter: string): ReadonlyArray<string> | string => {
  if (!record.includes(quote)) return record.split(delimiter)
  const fields: Array<string> = []
  for (let at = 0;;) {
    if (record[at] !== quote) {
      const found = record.indexOf(delimiter, at)
      const end = found < 0 ? record.length : found
      const field = record.slice(at, end)
      if (field.includes(quote)) return `field ${fields.length + 1} has a quote but does not begin with one`
      fields.push(field)
      if (found < 0) return fields
      at = end + 1
      continue
    }
    let field = ""
    let from = at + 1
    for (;;) {
      const end = record.indexOf(quote, from)
      if (end < 0) return `the quotes of field ${fields.length + 1} are not closed`
      field += record.slice(from, end)
      if (record[end + 1] !== quote) {
        at = end + 1
        break
      }
      field += quote
      from = end + 2
    }
    fields.push(field)
    if (at === record.length) return fields
    if (record[at] !== delimiter) return `field ${fields.length} goes on after its closing quote`
    at++
  }
}

const duplicate = (columns: ReadonlyArray<string>): string | undefined =>
  columns.find((column, index) => columns.indexOf(column) !== index)

/** What is wrong with the names of the columns, if anything. */
export const columnsProblem = (columns: ReadonlyArray<string>): string | undefined => {
  const twice = duplicate(columns)
  return twice === undefined ? undefined : `the column ${JSON.stringify(twice)} is there twice`
}

/** Rows as objects of strings, named by the columns; by those of the header where none are given. */
export class RowParser implements Parser {
  private readonly delimiter: string
  private columns: ReadonlyArray<string> | undefined
  private readonly omitEmpty: boolean

  constructor(delimiter: string, columns: ReadonlyArray<string> | undefined, omitEmpty: boolean) {
    this.delimiter = delimiter
    this.columns = columns
    this.omitEmpty = omitEmpty
  }

  get wantsHeader(): boolean {
    return this.columns === undefined
  }

  header(text: string): string | undefined {
    const fields = fieldsOf(text, this.delimiter)
    if (typeof fields === "string") return fields
    const problem = columnsProblem(fields)
    if (problem === undefined) this.columns = fields
    return problem
  }

  parse(text: string): Parsed | undefined {
    if (text === "") return undefined
    const columns = this.columns ?? []
    const fields = fieldsOf(text, this.delimiter)
    if (typeof fields === "string") return bad(text, fields)
    if (fields.length !== columns.length) {
      return bad(text, `${counted(fields.length, "field")} for ${counted(columns.length, "column")}`)
    }
    const row: { [column: string]: string } = {}
    for (let index = 0; index < columns.length; index++) {
      const field = fields[index] ?? ""
      if (field !== "" || !this.omitEmpty) define(row, columns[index] ?? "", field)
    }
    return good(row)
  }
}

/** Also `__proto__` is a column like any other. */
const define = (row: { [column: string]: string }, column: string, value: string): void => {
  if (column === "__proto__")
    Object.defineProperty(row, column, { value, enumerable: true, configurable: true, writable: true })
  else row[column] = value
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`
