import { assert, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Redacted } from "effect"
import { check } from "./internal/configuration/check.ts"
import { consoleDefaults, defaults, fileDefaults } from "./internal/configuration/defaults.ts"
import * as Observability from "./Observability.ts"

const from = (env: Record<string, string>) =>
  Effect.provideService(Observability.fromConfig, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

const at = (path: string, value: unknown) =>
  path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)

/** For each variable a value, and what code writes for the same. */
const agreement: Record<string, readonly [text: string, value: unknown]> = {
  OTEL_SDK_DISABLED: ["true", false],
  OTEL_RESOURCE_ATTRIBUTES: ["a=b", { a: "b" }],
  OTEL_SERVICE_NAME: ["orders", "orders"],
  OTEL_TRACES_EXPORTER: ["otlp,console", ["otlp", "console"]],
  OTEL_METRICS_EXPORTER: ["console,prometheus", ["console"]],
  OTEL_LOGS_EXPORTER: ["none", []],
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: ["Delta", "delta"],
  OTEL_TRACES_SAMPLER: ["traceidratio", { kind: "ratio", parentBased: false }],
  OTEL_TRACES_SAMPLER_ARG: ["0.25", 0.25],
  OTEL_METRIC_EXPORT_INTERVAL: ["5000", Duration.seconds(5)],
  OTEL_METRIC_EXPORT_TIMEOUT: ["1500", Duration.millis(1500)],
  OTEL_LOG_LEVEL: ["warn", "warn"],
  ERGON_LOG_FORMAT: ["JSON", "json"],
  ERGON_LOG_FILE: ["/log/{service}.log", [{ path: "/log/{service}.log" }]]
}
const bySuffix: ReadonlyArray<readonly [suffix: string, text: string, value: unknown]> = [
  ["_ENDPOINT", "http://collector:4318", "http://collector:4318"],
  ["_HEADERS", "x-key=a%20b", { "x-key": Redacted.make("a b", { label: "header" }) }],
  ["_PROTOCOL", "http/protobuf", "http/protobuf"],
  ["_COMPRESSION", "GZIP", "gzip"],
  ["_CLIENT_CERTIFICATE", "/c.pem", "/c.pem"],
  ["_CERTIFICATE", "/c.pem", "/c.pem"],
  ["_CLIENT_KEY", "/k.pem", "/k.pem"],
  ["_TIMEOUT", "250", Duration.millis(250)],
  ["_SCHEDULE_DELAY", "250", Duration.millis(250)],
  ["_MAX_QUEUE_SIZE", "77", 77],
  ["_MAX_EXPORT_BATCH_SIZE", "7", 7]
]

const sample = (name: string): readonly [text: string, value: unknown] => {
  const exact = agreement[name]
  if (exact !== undefined) return exact
  const found = bySuffix.find(([suffix]) => name.endsWith(suffix))
  if (found === undefined) throw new Error(`no sample for ${name}`)
  return [found[1], found[2]]
}

describe("defaults", () => {
  it("fit their own schema", () => {
    expect(check(defaults)).toMatchObject({ _tag: "Success" })
    expect(check({ logs: { console: consoleDefaults, files: [{ path: "a", ...fileDefaults }] } })).toMatchObject({
      _tag: "Success"
    })
  })

  it("are what is decided when nothing is said", () => {
    // What is given twice is the same: headers are wrapped anew each time.
    expect(JSON.stringify(Observability.make(defaults))).toBe(JSON.stringify(Observability.make()))
  })

  it("decode from JSON to the same", () =>
    Effect.runPromise(Effect.map(Observability.decode(defaults), (decoded) => {
      expect(JSON.stringify(decoded)).toBe(JSON.stringify(Observability.make(defaults)))
    })))
})

describe("environment and code agree", () => {
  it.effect.each(Observability.variables.map(({ name, path }) => ({ name, path })))(
    "$name is $path",
    ({ name, path }) =>
      Effect.gen(function*() {
        const [text, value] = sample(name)
        const input = yield* from({ [name]: `  ${text} ` })
        assert.deepStrictEqual(input, at(path, value))
        assert.deepInclude(check(input), { _tag: "Success" })
      })
  )

  it.effect.each(Observability.variables.map(({ name }) => ({ name })))(
    "$name alone is told when it is wrong",
    ({ name }) =>
      Effect.gen(function*() {
        // Names and paths may be anything.
        const free = /SERVICE_NAME|CERTIFICATE|CLIENT_KEY|LOG_FILE/.test(name)
        const outcome = yield* Effect.result(from({ [name]: "§" }))
        assert.strictEqual(outcome._tag, free ? "Success" : "Failure")
        if (outcome._tag === "Failure") assert.include(outcome.failure.message, `${name} is `)
      })
  )
})

describe("merge", () => {
  it("keeps what the other leaves open, and replaces lists", () => {
    const under: Observability.Input = {
      traces: { exporters: ["otlp", "console"], queue: { size: 10, batch: 5 } },
      attributes: { a: "1", b: "2" }
    }
    const over: Observability.Input = {
      traces: { exporters: [], queue: { size: undefined, batch: 7 } },
      attributes: { b: "3" }
    }
    expect(Observability.merge(under, over)).toEqual({
      traces: { exporters: [], queue: { size: 10, batch: 7 } },
      attributes: { a: "1", b: "3" }
    })
    expect(Observability.merge(under, {})).toEqual(under)
    expect(Observability.merge({}, under)).toEqual(under)
  })
})
