/**
 * Where log lines go: to the terminal, to files, to collectors.
 */
import { ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api"
import type { AnyValue, Logger as OtelLogger } from "@opentelemetry/api-logs"
import type { Resource } from "@opentelemetry/resources"
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordProcessor } from "@opentelemetry/sdk-logs"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import * as Logger from "effect/Logger"
import type { Effective, LogConsole, LogFile, OtlpExporter } from "../configuration/effective.ts"
import * as Otel from "../effectOtel.ts"
import * as line from "../logs/line.ts"
import { RotatingFile } from "../logs/rotatingFile.ts"
import { spanOf } from "../logs/trace.ts"
import { serializers } from "../otlp/exporter.ts"
import { version } from "../version.ts"
import type { Outlets } from "./outlets.ts"
import { Waiting } from "./waiting.ts"

const processorOf = (
  exporter: OtlpExporter,
  queue: Effective["logs"]["queue"],
  outlets: Outlets
): LogRecordProcessor => {
  const outlet = outlets.open("logs", exporter, serializers.logs(exporter))
  const waiting = new Waiting(queue.size, outlet)
  const processor = new BatchLogRecordProcessor({
    exporter: waiting.counting(),
    maxQueueSize: queue.size,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: Duration.toMillis(queue.delay),
    exportTimeoutMillis: Duration.toMillis(queue.timeout)
  })
  return {
    onEmit: (record) => {
      waiting.add()
      processor.onEmit(record)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown()
  }
}

/** `undefined` when log records would go nowhere. */
export const loggerProvider = (
  { exporters, queue }: Effective["logs"],
  resource: Resource,
  outlets: Outlets,
  further: ReadonlyArray<LogRecordProcessor>
): LoggerProvider | undefined => {
  const processors = [
    ...exporters.map((exporter) => processorOf(exporter, queue, outlets)),
    ...further
  ]
  return processors.length === 0 ? undefined : new LoggerProvider({ resource, processors })
}

const anyValue = (value: unknown): AnyValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value
    case "bigint":
      return value.toString()
    case "undefined":
      return undefined
    default:
      return Formatter.format(value)
  }
}

const bodyOf = (message: unknown): AnyValue => {
  const parts = Array.isArray(message) ? message : [message]
  return parts.length === 1 ? anyValue(parts[0]) : parts.map(anyValue)
}

/** Turns lines into log records, with the span they were written in as their context. */
export const recordLogger = (provider: LoggerProvider): Logger.Logger<unknown, void> => {
  const logger: OtelLogger = provider.getLogger("@ergon/telemetry", version)
  return Logger.make((options) => {
    const { annotations, spans } = Logger.formatStructured.log(options)
    const attributes: { [key: string]: AnyValue } = {}
    for (const [key, value] of Object.entries(annotations)) attributes[key] = anyValue(value)
    for (const [label, duration] of Object.entries(spans)) attributes[`log_span.${label}`] = duration
    const [error] = Cause.prettyErrors(options.cause, { includeCauseInStack: true })
    if (error !== undefined) {
      attributes["exception.type"] = error.name
      attributes["exception.message"] = error.message
      attributes["exception.stacktrace"] = error.stack ?? ""
    }
    const span = spanOf(options.fiber)
    logger.emit({
      body: bodyOf(options.message),
      severityText: options.logLevel,
      severityNumber: Otel.logLevelToSeverityNumber(options.logLevel),
      timestamp: options.date,
      observedTimestamp: options.date,
      attributes,
      context: span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, {
        traceId: span.traceId,
        spanId: span.spanId,
        traceFlags: span.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
      })
    })
  })
}

export const consoleLogger = ({ format, stream }: LogConsole): Logger.Logger<unknown, void> => {
  if (format === "pretty") return Logger.consolePretty({ mode: "tty" })
  const write = stream === "stderr" ? Logger.withConsoleError : Logger.withConsoleLog
  return write(format === "json" ? line.json : line.logfmt)
}

const complain = (text: string): void => {
  process.stderr.write(`ergon: ${text}\n`)
}

const droppedLine = ({ format }: LogFile) => (lines: number): string => {
  const timestamp = new Date().toISOString()
  const message = `${lines} lines were dropped here`
  return format === "json"
    ? JSON.stringify({ timestamp, level: "WARN", message })
    : `timestamp=${timestamp} level=Warn message="${message}"`
}

/** `{service}`, `{worker}` and `{pid}` keep processes out of each other's files. */
export const fillPath = (path: string, attributes: { readonly [name: string]: unknown }): string => {
  const values: { readonly [name: string]: unknown } = {
    service: attributes["service.name"],
    worker: attributes["ergon.worker"] ?? "main",
    pid: attributes["process.pid"]
  }
  return path.replace(
    /\{(service|worker|pid)\}/g,
    (_, name: string) => String(values[name]).replace(/[^\w.-]/g, "_")
  )
}

export const openFile = (file: LogFile, attributes: { readonly [name: string]: unknown }): RotatingFile =>
  new RotatingFile({
    path: fillPath(file.path, attributes),
    size: file.size,
    daily: file.daily,
    keep: {
      files: file.keep.files,
      age: file.keep.age === undefined ? undefined : Duration.toMillis(file.keep.age)
    },
    delay: Duration.toMillis(file.delay),
    buffer: file.buffer
  }, { now: Date.now, complain, dropped: droppedLine(file), retry: 1000 })

export const fileLogger = (opened: RotatingFile, { format }: LogFile): Logger.Logger<unknown, void> =>
  Logger.map(format === "json" ? line.json : line.logfmt, (text) => opened.write(text))
