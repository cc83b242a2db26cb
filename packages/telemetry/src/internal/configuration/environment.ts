/**
 * The standard OTEL_* variables, and ours for what the standard has no variable for, read through the `ConfigProvider`: each
 * with the option it sets and what is valid.
 *
 * Blank is the same as not set. Durations are milliseconds, as the specification says.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { withoutUser } from "./check.ts"
import { merge } from "./merge.ts"
import type { Input } from "./schema.ts"

/** A value that was understood, as the input that it stands for; `undefined` in its place is one that was not. */
type Read = (text: string) => Input | undefined

export interface Variable {
  readonly name: string
  /** The option that it sets. */
  readonly path: string
  /** What is valid, as an error says it. */
  readonly expected: string
  readonly read: Read
  readonly secret: boolean
}

const at = (path: string, value: unknown): Input =>
  path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Input

const variable = (
  name: string,
  path: string,
  expected: string,
  read: (text: string) => unknown,
  secret = false
): Variable => ({
  name,
  path,
  expected,
  secret,
  read: (text) => {
    const value = read(text)
    return value === undefined ? undefined : at(path, value)
  }
})

const oneOf = (words: { readonly [word: string]: unknown }) => (text: string): unknown =>
  Object.hasOwn(words, text.toLowerCase()) ? words[text.toLowerCase()] : undefined

const words = (names: ReadonlyArray<string>) => names.join(", ")

const number = (text: string): number | undefined =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined

const whole = (text: string): number | undefined => {
  const value = number(text)
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 1_000_000 ? value : undefined
}

const millis = (text: string): Duration.Duration | undefined => {
  const value = number(text)
  return value !== undefined && value > 0 && Number.isFinite(value) ? Duration.millis(value) : undefined
}

const url = (text: string): string | undefined => {
  const parsed = URL.parse(text)
  return parsed !== null && (parsed.protocol === "http:" || parsed.protocol === "https:") ? text : undefined
}

/** `key=value` pairs between commas, percent-encoded; `undefined` when one of them is not. */
const pairs = (text: string): ReadonlyArray<readonly [key: string, value: string]> | undefined => {
  const read = text.split(",").map((part) => part.trim()).filter((part) => part !== "").map((part) => {
    const [, key, value] = /^([^=\s]+)\s*=\s*(.*)$/.exec(part) ?? []
    if (key === undefined || value === undefined) return undefined
    try {
      return [decodeURIComponent(key), decodeURIComponent(value)] as const
    } catch {
      return undefined
    }
  })
  return read.every((pair) => pair !== undefined) ? read : undefined
}

const headers = (text: string): unknown => {
  const read = pairs(text)
  const valid = read?.every(([name, value]) =>
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
  )
  return valid === true
    ? Object.fromEntries(read!.map(([name, value]) => [name, Redacted.make(value, { label: "header" })]))
    : undefined
}

const boolean = oneOf({ true: true, false: false })

const exporterNames = (allowed: ReadonlyArray<string>) => (text: string): ReadonlyArray<string> | undefined => {
  const names = text.toLowerCase().split(",").map((name) => name.trim()).filter((name) => name !== "")
  return names.length > 0 && names.every((name) => allowed.includes(name)) &&
      !(names.includes("none") && names.length > 1)
    ? [...new Set(names)]
    : undefined
}

// Prometheus needs no exporter: the runner serves its metrics on request.
const exporters = (path: string, allowed: ReadonlyArray<string>): Read => (text) => {
  const names = exporterNames(allowed)(text)
  return names === undefined
    ? undefined
    : at(`${path}.exporters`, names.filter((name) => name === "otlp" || name === "console"))
}

// On the console, log records are lines of JSON.
const logExporters: Read = (text) => {
  const names = exporterNames(["otlp", "console", "none"])(text)
  if (names === undefined) return undefined
  const console = names.includes("console") ? { console: { format: "json" as const } } : {}
  return { logs: { exporters: names.includes("otlp") ? ["otlp"] : [], ...console } }
}

const resourceAttributes: Read = (text) => {
  const read = pairs(text)
  if (read === undefined) return undefined
  const { "service.name": name, "service.namespace": namespace, "service.version": version, ...attributes } = Object
    .fromEntries(read)
  return merge(
    { attributes },
    name === undefined || name === "" ? {} : { service: { name } },
    version === undefined || version === "" ? {} : { service: { version } },
    namespace === undefined || namespace === "" ? {} : { service: { namespace } }
  )
}

const samplers = {
  always_on: { kind: "always", parentBased: false },
  always_off: { kind: "never", parentBased: false },
  traceidratio: { kind: "ratio", parentBased: false },
  parentbased_always_on: { kind: "always", parentBased: true },
  parentbased_always_off: { kind: "never", parentBased: true },
  parentbased_traceidratio: { kind: "ratio", parentBased: true }
}

const ratio = (text: string): number | undefined => {
  const value = number(text)
  return value !== undefined && value >= 0 && value <= 1 ? value : undefined
}

const milliseconds = "a number of milliseconds above 0"
const positive = "a whole number from 1 to 1000000"
const listed = "key=value pairs between commas, percent-encoded"

const otlp = (prefix: string, path: string): ReadonlyArray<Variable> => [
  variable(`${prefix}_ENDPOINT`, `${path}.endpoint`, "a URL that begins with http:// or https://", url),
  variable(`${prefix}_HEADERS`, `${path}.headers`, listed, headers, true),
  variable(
    `${prefix}_PROTOCOL`,
    `${path}.protocol`,
    "http/json or http/protobuf",
    oneOf({ "http/json": "http/json", "http/protobuf": "http/protobuf" })
  ),
  variable(`${prefix}_COMPRESSION`, `${path}.compression`, "gzip or none", oneOf({ gzip: "gzip", none: "none" })),
  variable(`${prefix}_TIMEOUT`, `${path}.timeout`, milliseconds, millis),
  variable(`${prefix}_CERTIFICATE`, `${path}.certificate`, "a path", (text) => text),
  variable(`${prefix}_CLIENT_KEY`, `${path}.clientKey`, "a path", (text) => text),
  variable(`${prefix}_CLIENT_CERTIFICATE`, `${path}.clientCertificate`, "a path", (text) => text)
]

const queue = (prefix: string, path: string): ReadonlyArray<Variable> => [
  variable(`${prefix}_SCHEDULE_DELAY`, `${path}.delay`, milliseconds, millis),
  variable(`${prefix}_EXPORT_TIMEOUT`, `${path}.timeout`, milliseconds, millis),
  variable(`${prefix}_MAX_QUEUE_SIZE`, `${path}.size`, positive, whole),
  variable(`${prefix}_MAX_EXPORT_BATCH_SIZE`, `${path}.batch`, positive, whole)
]

/** In the order in which they are laid over each other: later ones win. */
export const variables: ReadonlyArray<Variable> = [
  variable("OTEL_SDK_DISABLED", "enabled", "true or false", (text) => {
    const disabled = boolean(text)
    return disabled === undefined ? undefined : disabled === false
  }),
  { name: "OTEL_RESOURCE_ATTRIBUTES", path: "attributes", expected: listed, read: resourceAttributes, secret: false },
  variable("OTEL_SERVICE_NAME", "service.name", "a name", (text) => text),
  {
    name: "OTEL_TRACES_EXPORTER",
    path: "traces.exporters",
    expected: "otlp, console or both with a comma between them, or none",
    read: exporters("traces", ["otlp", "console", "none"]),
    secret: false
  },
  {
    name: "OTEL_METRICS_EXPORTER",
    path: "metrics.exporters",
    expected: "otlp, console, prometheus or several with commas between them, or none",
    read: exporters("metrics", ["otlp", "console", "prometheus", "none"]),
    secret: false
  },
  {
    name: "OTEL_LOGS_EXPORTER",
    path: "logs.exporters",
    expected: "otlp, console or both with a comma between them, or none",
    read: logExporters,
    secret: false
  },
  ...otlp("OTEL_EXPORTER_OTLP", "otlp"),
  ...otlp("OTEL_EXPORTER_OTLP_TRACES", "traces.otlp"),
  ...otlp("OTEL_EXPORTER_OTLP_METRICS", "metrics.otlp"),
  ...otlp("OTEL_EXPORTER_OTLP_LOGS", "logs.otlp"),
  variable(
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "metrics.temporality",
    "cumulative or delta",
    oneOf({ cumulative: "cumulative", delta: "delta" })
  ),
  variable("OTEL_TRACES_SAMPLER", "traces.sampler", words(Object.keys(samplers)), oneOf(samplers)),
  variable("OTEL_TRACES_SAMPLER_ARG", "traces.sampler.ratio", "a number from 0 to 1", ratio),
  ...queue("OTEL_BSP", "traces.queue"),
  ...queue("OTEL_BLRP", "logs.queue"),
  variable("OTEL_METRIC_EXPORT_INTERVAL", "metrics.interval", milliseconds, millis),
  variable("OTEL_METRIC_EXPORT_TIMEOUT", "metrics.timeout", milliseconds, millis),
  variable(
    "ERGON_LOG_FORMAT",
    "logs.console.format",
    "pretty, json or logfmt",
    oneOf({ pretty: "pretty", json: "json", logfmt: "logfmt" })
  ),
  variable("ERGON_LOG_FILE", "logs.files", "a path", (text) => [{ path: text }]),
  variable(
    "OTEL_LOG_LEVEL",
    "diagnostics",
    "none, error, warn, info, debug or verbose",
    oneOf({
      none: "none",
      error: "error",
      warn: "warn",
      info: "info",
      debug: "debug",
      verbose: "verbose",
      all: "verbose"
    })
  )
]

export interface FromEnvironment {
  readonly input: Input
  /** The variables that were set, by the option that each sets. */
  readonly names: ReadonlyMap<string, string>
  readonly problems: ReadonlyArray<string>
}

/** What the environment says, and what in it is wrong. */
export const fromEnvironment: Effect.Effect<FromEnvironment, ConfigProvider.SourceError> = Effect.gen(function*() {
  const provider = yield* ConfigProvider.ConfigProvider
  const names = new Map<string, string>()
  const problems: Array<string> = []
  let input: Input = {}
  for (const { expected, name, path, read, secret } of variables) {
    const node = yield* provider.load([name])
    const text = node?.value?.trim() ?? ""
    if (text === "") continue
    const value = read(text)
    if (value === undefined) {
      problems.push(`${name} is ${secret ? "not shown" : JSON.stringify(withoutUser(text))}: expected ${expected}`)
      continue
    }
    names.set(path, name)
    input = merge(input, value)
  }
  // Where it is switched off nothing else is looked at: the variables may be meant for others.
  return input.enabled === false ? { input: { enabled: false }, names, problems: [] } : { input, names, problems }
})
