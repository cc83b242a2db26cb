import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Console, Effect, Layer, Logger, Metric, Redacted, Tracer } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Observability from "./Observability.ts"
import * as Recorder from "./Recorder.ts"
import { Children } from "./test/children.ts"
import { receive, type Receiver } from "./test/receiver.ts"

const children = new Children()
const receivers = new Set<Receiver>()
const folders = new Set<string>()

const receiver = async () => {
  const one = await receive()
  receivers.add(one)
  return one
}

const folder = () => {
  const one = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-telemetry-"))
  folders.add(one)
  return one
}

/** What is written to stderr while a test runs. */
let written = ""
const original = process.stderr.write

beforeEach(() => {
  written = ""
  process.stderr.write = ((chunk: string | Uint8Array) => {
    written += chunk.toString()
    return true
  }) as typeof process.stderr.write
})

afterEach(async () => {
  process.stderr.write = original
  await children.end()
  await Promise.all([...receivers].map((one) => one.close()))
  receivers.clear()
  for (const one of folders) fs.rmSync(one, { recursive: true, force: true })
  folders.clear()
})

class Broken extends Error {
  override readonly name = "Broken"
}

const producer = Tracer.externalSpan({
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  sampled: true
})

const step = Effect.gen(function*() {
  yield* Effect.annotateCurrentSpan({ "ergon.attempt": 2 })
  yield* Effect.logWarning("about to break", { n: 1 })
  return yield* Effect.fail(new Broken("no luck"))
}).pipe(Effect.withSpan("process"))

const lag = Metric.histogram("lag", { boundaries: [1, 10] })

const program = Effect.gen(function*() {
  yield* step.pipe(
    Effect.ignore,
    Effect.annotateLogs({ task: "orders", transaction: "t-1" }),
    Effect.withSpan("transaction", { kind: "consumer", links: [{ span: producer, attributes: {} }] })
  )
  yield* Effect.logInfo("outside")
  yield* Metric.update(Metric.withAttributes(Metric.counter("ergon.transactions"), { outcome: "failed" }), 3)
  yield* Metric.update(Metric.withAttributes(lag, { unit: "ms" }), 5)
})

const fresh = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(fresh(effect), Logger.layer([]))

describe.each(["http/json", "http/protobuf"] as const)("over %s", (protocol) => {
  it.each(["none", "gzip"] as const)(
    "spans, metrics and logs arrive with all that is theirs, compression %s",
    async (compression) => {
      const collector = await receiver()
      const telemetry = Observability.layer({
        otlp: { endpoint: collector.url, protocol, compression },
        service: { version: "1.2.3" },
        attributes: { "deployment.environment.name": "test" }
      }, { task: "orders", execution: "e-1", worker: 2 })
      await Effect.runPromise(program.pipe(Effect.provide(telemetry), quiet))

      const resource = {
        "service.name": "orders",
        "service.version": "1.2.3",
        "service.instance.id": "e-1/2",
        "ergon.execution": "e-1",
        "ergon.worker": 2,
        "process.pid": process.pid,
        "host.name": os.hostname(),
        "deployment.environment.name": "test"
      }
      const everything = [...collector.spans, ...collector.metrics, ...collector.logs]
      for (const one of everything) expect(one.resource).toMatchObject(resource)

      const [process_, transaction] = ["process", "transaction"].map((name) =>
        collector.spans.find((span) => span.name === name)
      )
      expect(transaction).toMatchObject({ kind: 5, parentSpanId: "", links: [producerLink] })
      expect(process_).toMatchObject({
        parentSpanId: transaction?.spanId,
        traceId: transaction?.traceId,
        status: 2,
        attributes: { "ergon.attempt": 2 },
        events: [{ name: "exception", attributes: { "exception.type": "Broken", "exception.message": "no luck" } }]
      })
      expect(process_?.events[0]?.attributes["exception.stacktrace"]).toContain("Broken: no luck")

      const metric = (name: string) => collector.metrics.find((one) => one.name === name)
      expect(metric("ergon.transactions")).toMatchObject({
        unit: "{transaction}",
        points: [{ attributes: { outcome: "failed" }, value: 3 }]
      })
      expect(metric("lag")).toMatchObject({ unit: "ms", points: [{ attributes: {}, value: 1 }] })
      expect(metric("lag")?.points[0]?.buckets).toHaveLength(3)

      const log = (start: string) => collector.logs.find(({ body }) => String(body).startsWith(start))
      expect(log("about to break")).toMatchObject({
        severity: "Warn",
        traceId: process_?.traceId,
        spanId: process_?.spanId,
        attributes: { task: "orders", transaction: "t-1" }
      })
      expect(log("outside")).toMatchObject({ severity: "Info", traceId: "", spanId: "" })

      for (const { headers } of collector.requests) {
        expect(headers["content-encoding"]).toBe(compression === "gzip" ? "gzip" : undefined)
        expect(headers["content-type"]).toBe(protocol === "http/json" ? "application/json" : "application/x-protobuf")
      }
    }
  )
})

const producerLink = { traceId: producer.traceId, spanId: producer.spanId }

describe("what is sent", () => {
  it("has the headers, which are printed nowhere, not even when they are refused", async () => {
    const collector = await receiver()
    collector.answer((response) => {
      response.statusCode = 401
      response.end("you sent geheim")
    })
    const telemetry = Observability.layer({
      otlp: { endpoint: collector.url.replace("//", "//me:geheim@"), headers: { "x-key": Redacted.make("geheim") } },
      logs: { console: { format: "json" }, files: [{ path: path.join(folder(), "all.log") }], level: "Trace" },
      diagnostics: "verbose"
    })
    const lines: Array<string> = []
    const keep = (...all: ReadonlyArray<unknown>) => void lines.push(all.map(String).join(" "))
    await Effect.runPromise(program.pipe(
      Effect.provide(telemetry),
      Effect.provideService(Console.Console, { ...globalThis.console, error: keep, log: keep })
    ))
    expect(collector.requests.length).toBeGreaterThanOrEqual(3)
    for (const { headers } of collector.requests) expect(headers["x-key"]).toBe("geheim")
    const [file] = [...folders].map((one) => fs.readFileSync(path.join(one, "all.log"), "utf8"))
    const all = `${written}${lines.join("\n")}${file}`
    expect(all).toContain("it answers 401")
    expect(all.split("does not take").length - 1).toBe(2) // once in the console, once in the file
    expect(all).not.toContain("geheim")
  })

  it("goes to several collectors and the console at once, each with its own headers", async () => {
    const [one, two] = [await receiver(), await receiver()]
    const telemetry = Observability.layer({
      otlp: { endpoint: one.url, headers: { "x-key": "one" } },
      traces: { exporters: ["otlp", "console", { endpoint: `${two.url}/v1/traces`, headers: { "x-other": "two" } }] },
      metrics: { exporters: ["console"] },
      logs: { exporters: [{ endpoint: `${two.url}/v1/logs` }, "otlp"] }
    })
    await Effect.runPromise(program.pipe(Effect.provide(telemetry), quiet))
    for (const collector of [one, two]) {
      expect(collector.spans.map(({ name }) => name).toSorted()).toEqual(["process", "transaction"])
      expect(collector.logs).toHaveLength(2)
      expect(collector.metrics).toEqual([])
    }
    for (const { headers } of one.requests) expect(headers).toMatchObject({ "x-key": "one" })
    for (const { headers } of two.requests) expect(headers).not.toHaveProperty("x-key")
    const lines = written.trim().split("\n").map((line): unknown => JSON.parse(line))
    expect(lines).toContainEqual(expect.objectContaining({ span: "process", status: "error" }))
    expect(lines).toContainEqual(expect.objectContaining({ metric: "ergon.transactions", value: 3 }))
  })

  it("is each task's own when two run in one process", async () => {
    const collector = await receiver()
    const run = (task: string) =>
      Effect.gen(function*() {
        yield* Effect.logInfo(task).pipe(Effect.withSpan(task))
        yield* Metric.update(Metric.withAttributes(Metric.counter("two.tasks"), { task }), 1)
      }).pipe(Effect.provide(Observability.layer({ otlp: { endpoint: collector.url } }, { task })))
    await Effect.runPromise(Effect.all([run("a"), run("b")], { concurrency: 2 }).pipe(quiet))
    for (const task of ["a", "b"]) {
      const own = <Item extends { readonly resource: Record<string, unknown> }>(items: ReadonlyArray<Item>) =>
        items.filter(({ resource }) => resource["service.name"] === task)
      expect(own(collector.spans).map(({ name }) => name)).toEqual([task])
      expect(own(collector.logs).map(({ body }) => body)).toEqual([task])
      expect(own(collector.metrics).flatMap(({ points }) => points.map(({ attributes }) => attributes["task"])))
        .toEqual([
          task
        ])
    }
  })

  it("has a line as an event of its span only where it is no log record", async () => {
    const [with_, without] = [await receiver(), await receiver()]
    const line = Effect.logInfo("hello").pipe(Effect.withSpan("work"))
    const runWith = (collector: Receiver, logs: Observability.Input["logs"]) =>
      Effect.runPromise(
        line.pipe(
          Effect.provide(Observability.layer({ otlp: { endpoint: collector.url }, metrics: { exporters: [] }, logs })),
          Effect.provideService(Console.Console, { ...globalThis.console, log: () => {}, error: () => {} }),
          fresh
        )
      )
    await runWith(with_, {})
    await runWith(without, { exporters: [] })
    expect([with_.logs.length, with_.spans[0]?.events.length]).toEqual([1, 0])
    expect(without.logs).toEqual([])
    expect(without.spans[0]?.events.map(({ name }) => name)).toEqual(["hello"])
  })

  it("has no log record with the ids of a span that is none", async () => {
    const collector = await receiver()
    const recorder = Recorder.make()
    const telemetry = Observability.layer(
      { otlp: { endpoint: collector.url }, metrics: { exporters: [] } },
      { logRecordProcessors: [recorder.logRecordProcessor] }
    )
    const inner = Effect.logInfo("untraced").pipe(Effect.withSpan("inner"), Effect.withTracerEnabled(false))
    await Effect.runPromise(
      inner.pipe(Effect.withSpan("outer"), Effect.andThen(inner), Effect.provide(telemetry), quiet)
    )
    const [outer] = collector.spans
    expect(collector.logs.map(({ spanId, traceId }) => ({ spanId, traceId }))).toEqual([
      { spanId: outer?.spanId, traceId: outer?.traceId },
      { spanId: "", traceId: "" }
    ])
    expect(recorder.logs).toHaveLength(2)
    expect(JSON.stringify(collector.requests.map(({ body }) => body))).not.toContain("noop")
  })

  it("is nothing when it is disabled", async () => {
    const collector = await receiver()
    await Effect.runPromise(program.pipe(
      Effect.provide(Observability.layerConfig({ otlp: { endpoint: collector.url } })),
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromEnv({ env: { OTEL_SDK_DISABLED: "true" } })
      ),
      quiet
    ))
    expect(collector.requests).toEqual([])
  })

  it("is what the sampler takes, under both protocols the whole trace or nothing", async () => {
    const collector = await receiver()
    const telemetry = Observability.layer({
      otlp: { endpoint: collector.url },
      traces: { sampler: { kind: "ratio", ratio: 0.5 } },
      metrics: { exporters: [] },
      logs: { exporters: [] }
    })
    const traces = Effect.forEach(
      Array.from({ length: 200 }),
      () => Effect.void.pipe(Effect.withSpan("child"), Effect.withSpan("root"))
    )
    await Effect.runPromise(Effect.provide(traces, telemetry))
    const byTrace = Map.groupBy(collector.spans, ({ traceId }) => traceId)
    expect(byTrace.size).toBeGreaterThan(60)
    expect(byTrace.size).toBeLessThan(140)
    for (const spans of byTrace.values()) expect(spans).toHaveLength(2)
  })
})

describe("log files", () => {
  it("have lines of JSON from their level on, with trace, task and transaction", async () => {
    const where = folder()
    const telemetry = Observability.layer({
      traces: { exporters: [] },
      metrics: { exporters: [] },
      logs: {
        exporters: [],
        files: [
          { path: path.join(where, "{service}-{worker}.log"), level: "Debug" },
          { path: path.join(where, "warnings.log"), level: "Warn", format: "logfmt" }
        ]
      }
    }, { task: "orders", spanProcessors: [Recorder.make().spanProcessor] })
    const before: Array<unknown> = []
    const existing = Logger.make(({ message }) => void before.push(message))
    await Effect.runPromise(program.pipe(
      Effect.andThen(Effect.logDebug("detail", { secret: Redacted.make("geheim") })),
      Effect.provide(Layer.provide(telemetry, Logger.layer([existing])))
    ))
    const linesOf = (name: string) => fs.readFileSync(path.join(where, name), "utf8").trim().split("\n")
    const lines = linesOf("orders-main.log").map((line): unknown => JSON.parse(line))
    expect(lines).toEqual([
      expect.objectContaining({
        level: "WARN",
        trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
        annotations: { task: "orders", transaction: "t-1" }
      }),
      expect.not.objectContaining({ trace_id: expect.anything() }),
      expect.objectContaining({ level: "DEBUG" })
    ])
    expect(JSON.stringify(lines)).not.toContain("geheim")
    expect(linesOf("warnings.log")).toEqual([expect.stringMatching(/level=Warn .* trace_id=[0-9a-f]{32} span_id=/i)])
    // What was there before says no more than it did.
    expect(before).toHaveLength(2)
  })
})

describe("at the end of a process", () => {
  const env = (collector: Receiver) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })

  const arrived = (collector: Receiver) => {
    expect(collector.spans.map(({ name }) => name)).toEqual(["work"])
    expect(collector.logs.map(({ body }) => body)).toContain("working")
    expect(collector.metrics.map(({ name }) => name)).toContain("program.done")
    expect(collector.spans[0]?.resource).toMatchObject({ "service.name": "program", "ergon.worker": 1 })
  }

  it.each([["succeed", 0], ["fail", 1], ["die", 1]] as const)("everything is sent: %s", async (how, code) => {
    const collector = await receiver()
    const { code: ended } = await children.run("./program.ts", [how], env(collector)).ended
    expect(ended).toBe(code)
    arrived(collector)
  })

  it("everything is sent after SIGTERM", async () => {
    const collector = await receiver()
    const child = children.run("./program.ts", ["wait"], env(collector))
    await child.printed(/ready/)
    child.process.kill("SIGTERM")
    expect((await child.ended).code).toBe(130)
    arrived(collector)
  })

  it("protobuf and gzip come from the environment alone", async () => {
    const collector = await receiver()
    await children.run("./program.ts", ["succeed"], {
      ...env(collector),
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b",
      OTEL_RESOURCE_ATTRIBUTES: "team=core"
    }).ended
    arrived(collector)
    expect(collector.spans[0]?.resource).toMatchObject({ team: "core" })
    const traces = collector.requests.find(({ path }) => path === "/v1/traces")
    expect(traces?.headers).toMatchObject({
      "content-type": "application/x-protobuf",
      "content-encoding": "gzip",
      "x-key": "a b"
    })
  })

  it("without a variable nothing is sent, and nothing is in the way", async () => {
    const { code, stderr } = await children.run("./program.ts", ["succeed"]).ended
    expect(code).toBe(0)
    expect(stderr.trim().split("\n")).toHaveLength(1)
  })

  it("the SDK is loaded only by who asks for it", async () => {
    const { stdout } = await children.run("./lazy.ts").ended
    const [imported, off, on] = stdout.trim().split("\n")
    expect([imported, off]).toEqual(["imported 0", "off 0"])
    expect(Number(on?.replace("on ", ""))).toBeGreaterThan(10)
  })

  it("wrong variables end it with all of them", async () => {
    const { code, stdout, stderr } = await children.run("./program.ts", ["succeed"], {
      OTEL_TRACES_SAMPLER: "sometimes",
      OTEL_EXPORTER_OTLP_HEADERS: "geheim"
    }).ended
    expect(code).toBe(1)
    expect(stdout + stderr).toContain("OTEL_TRACES_SAMPLER is")
    expect(stdout + stderr).toContain("OTEL_EXPORTER_OTLP_HEADERS is not shown")
    expect(stdout + stderr).not.toContain("geheim")
  })
})
