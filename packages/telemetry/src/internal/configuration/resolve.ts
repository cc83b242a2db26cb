/**
 * Decides what a configuration leaves open.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { consoleDefaults, defaults, fileDefaults } from "./defaults.ts"
import type { Effective, Exporter, LogFile, OtlpExporter, Queue } from "./effective.ts"
import type { CollectorInput, FileInput, Input, OtlpInput } from "./schema.ts"

/** What a bare number of a duration counts: milliseconds in code, seconds in JSON. */
export type Dialect = "code" | "json"

export type Signal = "traces" | "metrics" | "logs"

export interface Options {
  readonly dialect: Dialect
  /** Whether a signal for which nothing is given is exported to the default endpoint. */
  readonly eager: boolean
}

const durations = (dialect: Dialect) => (input: Duration.Input): Duration.Duration =>
  typeof input === "number" && dialect === "json" ? Duration.seconds(input) : Duration.fromInputUnsafe(input)

type ReadDuration = ReturnType<typeof durations>

const secret = (value: string | Redacted.Redacted<string>): Redacted.Redacted<string> =>
  Redacted.isRedacted(value) ? value : Redacted.make(value, { label: "header" })

const headersOf = (...inputs: ReadonlyArray<OtlpInput | undefined>): OtlpExporter["headers"] =>
  Object.fromEntries(
    inputs.flatMap((input) => Object.entries(input?.headers ?? {})).map(([name, value]) => [name, secret(value)])
  )

/** The URL of a signal under the endpoint that all signals share. */
const under = (endpoint: string, signal: Signal): string => {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/${signal}`
  return url.href
}

const exporter = (
  url: string,
  headers: OtlpExporter["headers"],
  own: OtlpInput | undefined,
  shared: OtlpInput | undefined,
  read: ReadDuration
): OtlpExporter => ({
  type: "otlp",
  url,
  headers,
  protocol: own?.protocol ?? shared?.protocol ?? defaults.otlp.protocol,
  compression: own?.compression ?? shared?.compression ?? defaults.otlp.compression,
  timeout: read(own?.timeout ?? shared?.timeout ?? defaults.otlp.timeout),
  certificate: own?.certificate ?? shared?.certificate,
  clientKey: own?.clientKey ?? shared?.clientKey,
  clientCertificate: own?.clientCertificate ?? shared?.clientCertificate
})

/** The collector of `otlp`. */
const common = (input: Input, signal: Signal, read: ReadDuration): OtlpExporter => {
  const own = input[signal]?.otlp
  const url = own?.endpoint ?? under(input.otlp?.endpoint ?? defaults.otlp.endpoint, signal)
  return exporter(url, headersOf(input.otlp, own), own, input.otlp, read)
}

/** A further collector: it shares protocol and limits with `otlp`, but neither its headers nor its certificates. */
const further = (collector: CollectorInput, shared: OtlpInput | undefined, read: ReadDuration): OtlpExporter =>
  exporter(collector.endpoint, headersOf(collector), collector, {
    protocol: shared?.protocol,
    compression: shared?.compression,
    timeout: shared?.timeout
  }, read)

const namesEndpoint = (input: Input, signal: Signal): boolean =>
  input.otlp?.endpoint !== undefined || input[signal]?.otlp?.endpoint !== undefined

const exporters = (input: Input, signal: Signal, options: Options, read: ReadDuration): ReadonlyArray<Exporter> => {
  const given: ReadonlyArray<"otlp" | "console" | CollectorInput> | undefined = input[signal]?.exporters
  const list = given ?? (options.eager || namesEndpoint(input, signal) ? defaults[signal].exporters : [])
  return list.map((one): Exporter => {
    if (one === "console") return { type: "console" }
    return one === "otlp" ? common(input, signal, read) : further(one, input.otlp, read)
  })
}

const queueOf = (
  given: NonNullable<Input["traces"]>["queue"],
  fallback: {
    readonly size: number
    readonly batch: number
    readonly delay: Duration.Input
    readonly timeout: Duration.Input
  },
  read: ReadDuration
): Queue => {
  const size = given?.size ?? fallback.size
  return {
    size,
    batch: given?.batch ?? Math.min(size, fallback.batch),
    delay: read(given?.delay ?? fallback.delay),
    timeout: read(given?.timeout ?? fallback.timeout)
  }
}

const fileOf = (given: FileInput, read: ReadDuration): LogFile => ({
  path: given.path,
  format: given.format ?? fileDefaults.format,
  level: given.level,
  size: given.size === undefined ? fileDefaults.size : given.size,
  daily: given.daily ?? fileDefaults.daily,
  keep: {
    files: given.keep?.files ?? fileDefaults.keep.files,
    age: given.keep?.age === undefined ? undefined : read(given.keep.age)
  },
  delay: read(given.delay ?? fileDefaults.delay),
  buffer: given.buffer ?? fileDefaults.buffer
})

/** What each option allows by itself, but not together. `nameOf` gives the variable where an option came from one. */
const contradictions = (
  effective: Effective,
  nameOf: (path: string) => string
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  for (const signal of ["traces", "logs"] as const) {
    const { batch, size } = effective[signal].queue
    if (batch > size) {
      problems.push(
        `${nameOf(`${signal}.queue.batch`)} is ${batch}: expected at most ${
          nameOf(`${signal}.queue.size`)
        }, which is ${size}`
      )
    }
  }
  const { interval, timeout } = effective.metrics
  if (Duration.isGreaterThan(timeout, interval)) {
    problems.push(
      `${nameOf("metrics.timeout")} is ${Duration.format(timeout)}: expected at most ${
        nameOf("metrics.interval")
      }, which is ${Duration.format(interval)}`
    )
  }
  if (effective.traces.sampler.ratio !== 1 && effective.traces.sampler.kind !== "ratio") {
    problems.push(
      `${nameOf("traces.sampler.ratio")} is ${effective.traces.sampler.ratio}, but ${
        nameOf("traces.sampler.kind")
      } is ${effective.traces.sampler.kind}: expected ratio`
    )
  }
  const paths = effective.logs.files.map(({ path }) => path)
  for (const path of new Set(paths.filter((path, index) => paths.indexOf(path) !== index))) {
    problems.push(`logs.files names "${path}" twice: expected a path for each`)
  }
  return problems
}

/** Every option decided, or what contradicts itself. The input fits the schema. */
export const resolve = (
  input: Input,
  options: Options,
  nameOf: (path: string) => string = (path) => path
): Result.Result<Effective, ReadonlyArray<string>> => {
  const read = durations(options.dialect)
  const interval = read(input.metrics?.interval ?? defaults.metrics.interval)
  const console = input.logs?.console
  const effective: Effective = {
    enabled: input.enabled ?? defaults.enabled,
    service: {
      name: input.service?.name,
      version: input.service?.version,
      namespace: input.service?.namespace
    },
    attributes: input.attributes ?? {},
    traces: {
      exporters: exporters(input, "traces", options, read),
      sampler: {
        kind: input.traces?.sampler?.kind ?? defaults.traces.sampler.kind,
        ratio: input.traces?.sampler?.ratio ?? defaults.traces.sampler.ratio,
        parentBased: input.traces?.sampler?.parentBased ?? defaults.traces.sampler.parentBased
      },
      processor: input.traces?.processor ?? defaults.traces.processor,
      queue: queueOf(input.traces?.queue, defaults.traces.queue, read)
    },
    metrics: {
      exporters: exporters(input, "metrics", options, read),
      interval,
      timeout: input.metrics?.timeout === undefined
        ? Duration.min(interval, read(defaults.metrics.timeout))
        : read(input.metrics.timeout),
      temporality: input.metrics?.temporality ?? defaults.metrics.temporality
    },
    logs: {
      exporters: exporters(input, "logs", options, read).filter((one) => one.type === "otlp"),
      level: input.logs?.level,
      console: console == null ? undefined : {
        format: console.format ?? consoleDefaults.format,
        level: console.level,
        stream: console.stream ?? consoleDefaults.stream
      },
      files: (input.logs?.files ?? []).map((file) => fileOf(file, read)),
      queue: queueOf(input.logs?.queue, defaults.logs.queue, read)
    },
    diagnostics: input.diagnostics ?? defaults.diagnostics,
    shutdownTimeout: read(input.shutdownTimeout ?? defaults.shutdownTimeout)
  }
  const problems = contradictions(effective, nameOf)
  return problems.length === 0 ? Result.succeed(effective) : Result.fail(problems)
}
