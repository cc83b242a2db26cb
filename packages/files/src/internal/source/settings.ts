/**
 * From the options of a source to its settings: defaults, and what is refused before a file is opened.
 */
import { ConnectorError, Reason } from "@ergon/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { SourceSettings } from "./connect.ts"
import { columnsProblem } from "./parser.ts"

/** A field, or a function of what the parser of the file answers with. */
type IdOption = string | ((payload: never) => unknown) | undefined

/** What JSONL and CSV have in common. */
export interface FileOptions {
  readonly path: string
  readonly id?: IdOption
  readonly offset?: string | false | undefined
  readonly follow?: boolean | undefined
  readonly poll?: Duration.Input | undefined
  readonly maxLine?: number | undefined
  /** How many bytes are read at once; not an option of users. */
  readonly chunk?: number | undefined
}

/** What the format of the file adds. */
export type FormatSettings = Pick<SourceSettings, "boundary" | "format" | "parser">

const defaultMaxLine = 16 * 1024 * 1024
const defaultChunk = 64 * 1024
const defaultPoll = "200 millis"

/** The field of a payload as an id: a text, or a number as text. */
const field = (name: string) => (payload: unknown): unknown => {
  if (!Predicate.hasProperty(payload, name)) return undefined
  const value = payload[name]
  return typeof value === "number" ? String(value) : value
}

const idOf = (id: IdOption): SourceSettings["id"] => {
  if (id === undefined) return undefined
  return typeof id === "string" ? field(id) : (payload) => id(payload as never)
}

/** The first thing that is wrong with the options. */
const problemOf = ({ maxLine, offset, path, poll }: FileOptions): string | undefined => {
  if (path === "") return "the path is empty"
  if (offset === "") return "the path of the sidecar is empty: give one, or false to keep no position"
  if (offset === path) return "the sidecar and the file have the same path"
  if (maxLine !== undefined && !(Number.isInteger(maxLine) && maxLine > 0)) {
    return `maxLine must be a whole number of bytes above 0, got ${maxLine}`
  }
  const millis = poll === undefined ? 1 : Duration.toMillis(Duration.fromInputUnsafe(poll))
  return Number.isFinite(millis) && millis > 0 ? undefined : "poll must be above 0 and finite"
}

/** What is wrong with how a CSV file is to be read. */
export const csvProblem = (delimiter: string, columns: ReadonlyArray<string> | undefined): string | undefined => {
  if (!/^[\t -~]$/.test(delimiter) || delimiter === "\"") {
    return `delimiter must be one ASCII character other than a quote or a line break, got ${JSON.stringify(delimiter)}`
  }
  return columns === undefined ? undefined : columns.length === 0 ? "columns is empty" : columnsProblem(columns)
}

/** What is wrong with how a JSONL file is to be read. */
export const jsonlProblem = (envelope: boolean, id: unknown): string | undefined =>
  envelope && id !== undefined
    ? "with envelope: true the id stands in the envelope: leave out the option id"
    : undefined

/** The settings, or `InvalidRequest`. */
export const settingsOf = (
  options: FileOptions,
  format: FormatSettings,
  problem: string | undefined
): Effect.Effect<SourceSettings, ConnectorError.FetchError> =>
  Effect.suspend(() => {
    const { follow, id, maxLine, offset, path, poll } = options
    const wrong = problemOf(options) ?? problem
    if (wrong !== undefined) {
      const message = `the source of "${path}" is not set up well: ${wrong}`
      return Effect.fail(new ConnectorError.FetchError({ reason: new Reason.InvalidRequest({ message }) }))
    }
    return Effect.succeed({
      ...format,
      path,
      sidecar: offset === false ? undefined : offset ?? `${path}.offset`,
      follow: follow ?? false,
      poll: Duration.toMillis(Duration.fromInputUnsafe(poll ?? defaultPoll)),
      maxLine: maxLine ?? defaultMaxLine,
      chunk: options.chunk ?? defaultChunk,
      id: idOf(id)
    })
  })
