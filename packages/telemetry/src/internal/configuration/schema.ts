/**
 * The configuration as code and JSON write it: every option once, with what is valid.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const isDuration = (u: unknown): u is Duration.Input => {
  if (typeof u !== "number" && typeof u !== "string" && !Duration.isDuration(u)) return false
  const duration = Option.getOrUndefined(Duration.fromInput(u as Duration.Input))
  return duration !== undefined && Duration.isFinite(duration) && Duration.toMillis(duration) > 0
}

const duration = Schema.declare(isDuration, { expected: "a duration above 0, such as \"5 seconds\"" })

const isEndpoint = (text: string): boolean => {
  const url = URL.parse(text)
  return url !== null && (url.protocol === "http:" || url.protocol === "https:")
}

const endpoint = Schema.String.check(
  Schema.makeFilter(isEndpoint, { expected: "a URL that begins with http:// or https://" })
)

const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// A line break in a value would begin another header.
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/

const isHeaders = (u: unknown): u is { readonly [name: string]: string | Redacted.Redacted<string> } =>
  typeof u === "object" && u !== null && !Array.isArray(u) &&
  Object.entries(u).every(([name, value]) => {
    const text: unknown = Redacted.isRedacted(value) ? Redacted.value(value) : value
    return headerName.test(name) && typeof text === "string" && headerValue.test(text)
  })

const headers = Schema.declare(isHeaders, { expected: "names of HTTP headers with their values as text" })

const nonEmpty = Schema.NonEmptyString.annotate({ expected: "text that is not empty" })
const count = (minimum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum: 1_000_000 }, { expected: `a whole number from ${minimum} on` }))
const bytes = Schema.Int.check(
  Schema.isBetween({ minimum: 1024, maximum: 2 ** 40 }, { expected: "a whole number of bytes from 1024 on" })
)
const level = Schema.Literals(["Trace", "Debug", "Info", "Warn", "Error", "Fatal", "None"])

export const Otlp = Schema.Struct({
  endpoint: Schema.optional(endpoint),
  headers: Schema.optional(headers),
  protocol: Schema.optional(Schema.Literals(["http/json", "http/protobuf"])),
  compression: Schema.optional(Schema.Literals(["none", "gzip"])),
  timeout: Schema.optional(duration),
  certificate: Schema.optional(nonEmpty),
  clientKey: Schema.optional(nonEmpty),
  clientCertificate: Schema.optional(nonEmpty)
})

/** A collector beside the one of `otlp`. */
export const Collector = Schema.Struct({ ...Otlp.fields, endpoint })

export const Queue = Schema.Struct({
  size: Schema.optional(count(1)),
  batch: Schema.optional(count(1)),
  delay: Schema.optional(duration),
  timeout: Schema.optional(duration)
})

export const Sampler = Schema.Struct({
  kind: Schema.optional(Schema.Literals(["always", "never", "ratio"])),
  ratio: Schema.optional(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: "a number from 0 to 1" }))
  ),
  parentBased: Schema.optional(Schema.Boolean)
})

const exporters = Schema.optional(Schema.Array(Schema.Union([Schema.Literals(["otlp", "console"]), Collector])))

export const Traces = Schema.Struct({
  exporters,
  otlp: Schema.optional(Otlp),
  sampler: Schema.optional(Sampler),
  processor: Schema.optional(Schema.Literals(["batch", "simple"])),
  queue: Schema.optional(Queue)
})

export const Metrics = Schema.Struct({
  exporters,
  otlp: Schema.optional(Otlp),
  interval: Schema.optional(duration),
  timeout: Schema.optional(duration),
  temporality: Schema.optional(Schema.Literals(["cumulative", "delta"]))
})

const format = Schema.Literals(["pretty", "json", "logfmt"])

export const Console = Schema.Struct({
  format: Schema.optional(format),
  level: Schema.optional(level),
  stream: Schema.optional(Schema.Literals(["stderr", "stdout"]))
})

export const Keep = Schema.Struct({
  files: Schema.optional(count(0)),
  age: Schema.optional(duration)
})

export const File = Schema.Struct({
  path: nonEmpty,
  format: Schema.optional(Schema.Literals(["json", "logfmt"])),
  level: Schema.optional(level),
  size: Schema.optional(Schema.NullOr(bytes)),
  daily: Schema.optional(Schema.Boolean),
  keep: Schema.optional(Keep),
  delay: Schema.optional(duration),
  buffer: Schema.optional(bytes)
})

export const Logs = Schema.Struct({
  exporters: Schema.optional(Schema.Array(Schema.Union([Schema.Literals(["otlp"]), Collector]))),
  otlp: Schema.optional(Otlp),
  level: Schema.optional(level),
  console: Schema.optional(Schema.NullOr(Console)),
  files: Schema.optional(Schema.Array(File)),
  queue: Schema.optional(Queue)
})

export const Service = Schema.Struct({
  name: Schema.optional(nonEmpty),
  version: Schema.optional(nonEmpty),
  namespace: Schema.optional(nonEmpty)
})

export const Input = Schema.Struct({
  enabled: Schema.optional(Schema.Boolean),
  service: Schema.optional(Service),
  attributes: Schema.optional(
    Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))
  ),
  otlp: Schema.optional(Otlp),
  traces: Schema.optional(Traces),
  metrics: Schema.optional(Metrics),
  logs: Schema.optional(Logs),
  diagnostics: Schema.optional(Schema.Literals(["none", "error", "warn", "info", "debug", "verbose"])),
  shutdownTimeout: Schema.optional(duration)
})

export type Input = typeof Input.Type
export type OtlpInput = typeof Otlp.Type
export type CollectorInput = typeof Collector.Type
export type FileInput = typeof File.Type
export type Level = typeof level.Type
export type Format = typeof format.Type

/** The options of each part, for the text of an error about one that does not exist. */
export const parts: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  Object.entries({
    "": Input,
    service: Service,
    otlp: Otlp,
    traces: Traces,
    "traces.exporters.*": Collector,
    "traces.otlp": Otlp,
    "traces.sampler": Sampler,
    "traces.queue": Queue,
    metrics: Metrics,
    "metrics.exporters.*": Collector,
    "metrics.otlp": Otlp,
    logs: Logs,
    "logs.exporters.*": Collector,
    "logs.otlp": Otlp,
    "logs.console": Console,
    "logs.files.*": File,
    "logs.files.*.keep": Keep,
    "logs.queue": Queue
  }).map(([path, part]) => [path, Object.keys(part.fields)])
)
