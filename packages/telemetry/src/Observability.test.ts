import { assert, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Redacted } from "effect"
import { inspect } from "node:util"
import * as Observability from "./Observability.ts"

const from = (env: Record<string, string>) =>
  Effect.provideService(
    Observability.fromConfig,
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromEnv({ env })
  )

const problems = (json: unknown) => Effect.map(Effect.flip(Observability.decode(json)), (error) => error.problems)

const urls = ({ logs, metrics, traces }: Observability.Observability) =>
  [traces, metrics, logs].flatMap(({ exporters }) =>
    exporters.map((exporter) => exporter.type === "otlp" ? exporter.url : exporter.type)
  )

describe("Observability.make", () => {
  it("sends all signals to the default endpoint when nothing is said", () => {
    expect(urls(Observability.make())).toEqual([
      "http://localhost:4318/v1/traces",
      "http://localhost:4318/v1/metrics",
      "http://localhost:4318/v1/logs"
    ])
  })

  it("adds the path of a signal to the shared endpoint, and takes the one of a signal as it is", () => {
    const config = Observability.make({
      otlp: { endpoint: "https://all.example/otlp/" },
      metrics: { otlp: { endpoint: "https://metrics.example/push" } },
      logs: { exporters: ["otlp", { endpoint: "http://second.example/logs" }] }
    })
    expect(urls(config)).toEqual([
      "https://all.example/otlp/v1/traces",
      "https://metrics.example/push",
      "https://all.example/otlp/v1/logs",
      "http://second.example/logs"
    ])
  })

  it("gives a further collector the protocol that is shared, and none of the headers", () => {
    const { traces } = Observability.make({
      otlp: { headers: { authorization: "a" }, protocol: "http/protobuf", compression: "gzip" },
      traces: { exporters: ["otlp", { endpoint: "http://b/v1/traces", headers: { "x-b": Redacted.make("b") } }] }
    })
    const shown = traces.exporters.map((exporter) =>
      exporter.type === "otlp"
        ? [
          exporter.protocol,
          exporter.compression,
          Object.entries(exporter.headers).map(([name, value]) => `${name}=${Redacted.value(value)}`)
        ]
        : []
    )
    expect(shown).toEqual([
      ["http/protobuf", "gzip", ["authorization=a"]],
      ["http/protobuf", "gzip", ["x-b=b"]]
    ])
  })

  it("lets a timeout of metrics that nobody gave follow a shorter interval", () => {
    expect(Observability.make({ metrics: { interval: "5 seconds" } }).metrics.timeout).toEqual(Duration.seconds(5))
  })

  it("lets a batch that nobody gave follow a smaller queue", () => {
    expect(Observability.make({ traces: { queue: { size: 10 } } }).traces.queue.batch).toBe(10)
  })

  it("throws what decode fails with", () => {
    expect(() => Observability.make({ metrics: { interval: "1 second", timeout: "2 seconds" } })).toThrow(
      "the telemetry configuration is not valid: metrics.timeout is 2s: expected at most metrics.interval, which is 1s"
    )
  })
})

describe("Observability.decode", () => {
  it.effect("tells everything that is wrong, with the path, the value and what is valid", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* problems({
          traces: {
            sampler: { kind: "half", ratio: 2 },
            exporters: ["otlp", "zipkin", { endpoint: "collector:4318" }],
            sampling: 1
          },
          metrics: { interval: 0 },
          logs: { files: [{ size: 10 }], level: "info" },
          otlp: { compression: "br", endpoint: "ftp://user:geheim@host", headers: { a: 1 } },
          shutdownTimeout: "soon"
        }),
        [
          "otlp.endpoint is \"ftp://<redacted>@host\": expected a URL that begins with http:// or https://",
          "otlp.headers is not shown: expected names of HTTP headers with their values as text",
          "otlp.compression is \"br\": expected \"none\" | \"gzip\"",
          "traces.sampling is no option; valid are exporters, otlp, sampler, processor, queue",
          "traces.exporters.1 is \"zipkin\": expected \"otlp\" | \"console\"",
          "traces.exporters.2.endpoint is \"collector:4318\": expected a URL that begins with http:// or https://",
          "traces.sampler.kind is \"half\": expected \"always\" | \"never\" | \"ratio\"",
          "traces.sampler.ratio is 2: expected a number from 0 to 1",
          "metrics.interval is 0: expected a duration above 0, such as \"5 seconds\"",
          "logs.level is \"info\": expected \"Trace\" | \"Debug\" | \"Info\" | \"Warn\" | \"Error\" | \"Fatal\" | \"None\"",
          "logs.files.0.path is missing",
          "logs.files.0.size is 10: expected a whole number of bytes from 1024 on",
          "shutdownTimeout is \"soon\": expected a duration above 0, such as \"5 seconds\""
        ]
      )
    }))

  it.effect("takes a bare number for seconds, where code takes it for milliseconds", () =>
    Effect.gen(function*() {
      const json = yield* Observability.decode({ otlp: { timeout: 2 }, shutdownTimeout: 1 })
      assert.deepStrictEqual(json.shutdownTimeout, Duration.seconds(1))
      assert.deepStrictEqual(Observability.make({ shutdownTimeout: 1 }).shutdownTimeout, Duration.millis(1))
    }))

  it.effect("tells options that contradict each other", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* problems({
          traces: { queue: { size: 5, batch: 6 }, sampler: { ratio: 0.5 } },
          logs: { files: [{ path: "a" }, { path: "a" }] }
        }),
        [
          "traces.queue.batch is 6: expected at most traces.queue.size, which is 5",
          "traces.sampler.ratio is 0.5, but traces.sampler.kind is always: expected ratio",
          "logs.files names \"a\" twice: expected a path for each"
        ]
      )
    }))

  it.effect("refuses a header that would begin another one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* problems({ otlp: { headers: { a: "x\r\nb: y" } } }), [
        "otlp.headers is not shown: expected names of HTTP headers with their values as text"
      ])
    }))

  it("shows the value of no header, whatever prints the configuration", () => {
    const config = Observability.make({ otlp: { headers: { authorization: "geheim" } } })
    for (const shown of [JSON.stringify(config), inspect(config, { depth: 20 })]) {
      expect(shown).not.toContain("geheim")
    }
  })
})

describe("Observability.fromConfig", () => {
  it.effect("reads nothing from an empty environment, and takes blank for not set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* from({}), {})
      assert.deepStrictEqual(yield* from({ OTEL_SERVICE_NAME: " ", OTEL_TRACES_SAMPLER: "" }), {})
    }))

  it.effect("prefers OTEL_SERVICE_NAME to the attribute", () =>
    Effect.gen(function*() {
      const attributes = "service.name=a,service.version=1%2C2, deployment.environment.name = prod"
      assert.deepStrictEqual(yield* from({ OTEL_RESOURCE_ATTRIBUTES: attributes }), {
        service: { name: "a", version: "1,2" },
        attributes: { "deployment.environment.name": "prod" }
      })
      const named = yield* from({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: "b" })
      assert.strictEqual(named.service?.name, "b")
    }))

  it.effect("looks at nothing else where it is switched off", () =>
    Effect.gen(function*() {
      const input = yield* from({
        OTEL_SDK_DISABLED: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_METRIC_EXPORT_TIMEOUT: "90000"
      })
      assert.deepStrictEqual(input, { enabled: false })
    }))

  it.effect("tells every variable that is wrong, with its value and what is valid, and no header", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(from({
        OTEL_SDK_DISABLED: "maybe",
        OTEL_RESOURCE_ATTRIBUTES: "a",
        OTEL_TRACES_EXPORTER: "zipkin",
        OTEL_LOGS_EXPORTER: "none,otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: "geheim",
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_COMPRESSION: "br",
        OTEL_EXPORTER_OTLP_TIMEOUT: "10s",
        OTEL_TRACES_SAMPLER: "half",
        OTEL_TRACES_SAMPLER_ARG: "7",
        OTEL_BSP_MAX_QUEUE_SIZE: "0",
        OTEL_LOG_LEVEL: "loud"
      }))
      assert.deepStrictEqual(error._tag === "ObservabilityError" ? error.problems : [], [
        "OTEL_SDK_DISABLED is \"maybe\": expected true or false",
        "OTEL_RESOURCE_ATTRIBUTES is \"a\": expected key=value pairs between commas, percent-encoded",
        "OTEL_TRACES_EXPORTER is \"zipkin\": expected otlp, console or both with a comma between them, or none",
        "OTEL_LOGS_EXPORTER is \"none,otlp\": expected otlp, console or both with a comma between them, or none",
        "OTEL_EXPORTER_OTLP_ENDPOINT is \"collector:4318\": expected a URL that begins with http:// or https://",
        "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\": expected http/json or http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION is \"br\": expected gzip or none",
        "OTEL_EXPORTER_OTLP_TIMEOUT is \"10s\": expected a number of milliseconds above 0",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS is not shown: expected key=value pairs between commas, percent-encoded",
        "OTEL_TRACES_SAMPLER is \"half\": expected always_on, always_off, traceidratio, parentbased_always_on, " +
        "parentbased_always_off, parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG is \"7\": expected a number from 0 to 1",
        "OTEL_BSP_MAX_QUEUE_SIZE is \"0\": expected a whole number from 1 to 1000000",
        "OTEL_LOG_LEVEL is \"loud\": expected none, error, warn, info, debug or verbose"
      ])
    }))
})

describe("Observability.layerConfig", () => {
  const build = (input: Observability.Input, env: Record<string, string>) =>
    Effect.void.pipe(
      Effect.provide(Observability.layerConfig(input)),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
      Effect.flip
    )

  it.effect("tells what is wrong in code and in the environment at once", () =>
    Effect.gen(function*() {
      const error = yield* build({ shutdownTimeout: 0 }, { OTEL_SDK_DISABLED: "x" })
      assert.strictEqual(
        error.message,
        "the telemetry configuration has 2 problems:\n" +
          "- shutdownTimeout is 0: expected a duration above 0, such as \"5 seconds\"\n" +
          "- OTEL_SDK_DISABLED is \"x\": expected true or false"
      )
    }))

  it.effect("names the variable where one contradicts the code", () =>
    Effect.gen(function*() {
      const error = yield* build({ metrics: { interval: "1 second" } }, { OTEL_METRIC_EXPORT_TIMEOUT: "2000" })
      assert.strictEqual(
        error.message,
        "the telemetry configuration is not valid: " +
          "OTEL_METRIC_EXPORT_TIMEOUT is 2s: expected at most metrics.interval, which is 1s"
      )
    }))

  it.effect("names a certificate that cannot be read", () =>
    Effect.gen(function*() {
      const error = yield* build(
        { traces: { exporters: ["otlp"] } },
        { OTEL_EXPORTER_OTLP_CERTIFICATE: "/nowhere/ca.pem" }
      )
      assert.include(error.message, "/nowhere/ca.pem")
    }))
})
