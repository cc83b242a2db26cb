/**
 * Log lines as text, with the span they were written in.
 */
import * as Formatter from "effect/Formatter"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import { spanOf } from "./trace.ts"

export type Line = Logger.Logger<unknown, string>

/** One JSON object a line. What is not there is left out. */
export const json: Line = Logger.make((options) => {
  const { annotations, cause, fiberId, level, message, spans, timestamp } = Logger.formatStructured.log(options)
  const span = spanOf(options.fiber)
  return Formatter.formatJson({
    timestamp,
    level,
    message,
    ...(span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(Object.keys(spans).length === 0 ? {} : { spans }),
    ...(cause === undefined ? {} : { cause }),
    fiber: fiberId
  })
})

export const logfmt: Line = Logger.make((options) => {
  const span = spanOf(options.fiber)
  const line = Logger.formatLogFmt.log(options)
  return span === undefined ? line : `${line} trace_id=${span.traceId} span_id=${span.spanId}`
})

/** The same logger, for lines of a level and above. */
export const from = (logger: Logger.Logger<unknown, unknown>, enabled: (level: LogLevel.LogLevel) => boolean) =>
  Logger.make<unknown, void>((options) => {
    if (enabled(options.logLevel)) logger.log(options)
  })
