/**
 * The configuration with every option decided.
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Format, Level } from "./schema.ts"

/** Sends to a collector by OTLP over HTTP. */
export interface OtlpExporter {
  readonly type: "otlp"
  /** Where this signal goes: the whole URL. */
  readonly url: string
  readonly headers: { readonly [name: string]: Redacted.Redacted<string> }
  readonly protocol: "http/json" | "http/protobuf"
  readonly compression: "none" | "gzip"
  readonly timeout: Duration.Duration
  readonly certificate: string | undefined
  readonly clientKey: string | undefined
  readonly clientCertificate: string | undefined
}

/** Writes one line for each span or metric to stderr. */
export interface ConsoleExporter {
  readonly type: "console"
}

export type Exporter = OtlpExporter | ConsoleExporter

export interface Queue {
  readonly size: number
  readonly batch: number
  readonly delay: Duration.Duration
  readonly timeout: Duration.Duration
}

export interface Sampler {
  readonly kind: "always" | "never" | "ratio"
  readonly ratio: number
  readonly parentBased: boolean
}

/** A `level` that is left out lets through what the program does. */
export interface LogConsole {
  readonly format: Format
  readonly level: Level | undefined
  readonly stream: "stderr" | "stdout"
}

export interface LogFile {
  readonly path: string
  readonly format: "json" | "logfmt"
  readonly level: Level | undefined
  /** Bytes after which a new file begins; `null` for no bound. */
  readonly size: number | null
  readonly daily: boolean
  readonly keep: { readonly files: number; readonly age: Duration.Duration | undefined }
  readonly delay: Duration.Duration
  readonly buffer: number
}

export interface Effective {
  readonly enabled: boolean
  readonly service: {
    readonly name: string | undefined
    readonly version: string | undefined
    readonly namespace: string | undefined
  }
  readonly attributes: { readonly [name: string]: string | number | boolean }
  readonly traces: {
    readonly exporters: ReadonlyArray<Exporter>
    readonly sampler: Sampler
    readonly processor: "batch" | "simple"
    readonly queue: Queue
  }
  readonly metrics: {
    readonly exporters: ReadonlyArray<Exporter>
    readonly interval: Duration.Duration
    readonly timeout: Duration.Duration
    readonly temporality: "cumulative" | "delta"
  }
  readonly logs: {
    readonly exporters: ReadonlyArray<OtlpExporter>
    readonly level: Level | undefined
    readonly console: LogConsole | undefined
    readonly files: ReadonlyArray<LogFile>
    readonly queue: Queue
  }
  readonly diagnostics: "none" | "error" | "warn" | "info" | "debug" | "verbose"
  readonly shutdownTimeout: Duration.Duration
}

/** Objects of the SDK that are used beside what the configuration names. */
export interface Beside {
  readonly spanProcessors?: ReadonlyArray<unknown> | undefined
  readonly metricReaders?: ReadonlyArray<unknown> | undefined
  readonly logRecordProcessors?: ReadonlyArray<unknown> | undefined
}

/** Whether anything listens at all. */
export const isAsked = ({ enabled, logs, metrics, traces }: Effective, beside: Beside): boolean =>
  enabled && [
    traces.exporters,
    metrics.exporters,
    logs.exporters,
    logs.files,
    logs.console === undefined ? [] : [logs.console],
    beside.spanProcessors ?? [],
    beside.metricReaders ?? [],
    beside.logRecordProcessors ?? []
  ].some((all) => all.length > 0)
