/**
 * The sources by the kind of their file.
 */
import type { SourceService } from "@ergon/core/Connector"
import type { FetchError } from "@ergon/core/ConnectorError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { LineBoundary, QuotedBoundary } from "./boundary.ts"
import { connect } from "./connect.ts"
import { envelopes, jsonLines, RowParser } from "./parser.ts"
import { csvProblem, type FileOptions, jsonlProblem, settingsOf } from "./settings.ts"

export interface JsonlOptions extends FileOptions {
  readonly envelope?: boolean | undefined
}

export interface CsvOptions extends FileOptions {
  readonly delimiter?: string | undefined
  readonly columns?: ReadonlyArray<string> | undefined
  readonly empty?: "text" | "absent" | undefined
}

export const jsonlSource = (options: JsonlOptions): Effect.Effect<SourceService, FetchError, Scope.Scope> => {
  const { envelope = false, id } = options
  const format = {
    format: "json",
    boundary: () => new LineBoundary(),
    parser: () => envelope ? envelopes : jsonLines
  } as const
  return Effect.flatMap(settingsOf(options, format, jsonlProblem(envelope, id)), connect)
}

export const csvSource = (options: CsvOptions): Effect.Effect<SourceService, FetchError, Scope.Scope> => {
  const { columns, delimiter = ",", empty = "text" } = options
  const format = {
    format: "strings",
    boundary: () => new QuotedBoundary(delimiter),
    parser: () => new RowParser(delimiter, columns, empty === "absent")
  } as const
  return Effect.flatMap(settingsOf(options, format, csvProblem(delimiter, columns)), connect)
}
