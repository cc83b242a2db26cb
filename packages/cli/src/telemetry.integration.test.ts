import { type Log, receive, type Receiver, type Span } from "@ergon/telemetry/test/receiver"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { begin, cleanUp, ergon } from "./test/shell.ts"

let collector: Receiver

beforeEach(async () => {
  collector = await receive()
})

afterEach(async () => {
  cleanUp()
  await collector.close()
})

const env = () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "200" })

const sentBy = (task: string) => {
  const own = <Item extends Span | Log>(items: ReadonlyArray<Item>) =>
    items.filter(({ resource }) => resource["service.name"] === task)
  return {
    spans: own(collector.spans),
    names: own(collector.spans).map(({ name }) => name),
    logs: own(collector.logs),
    metrics: collector.metrics.filter(({ resource }) => resource["service.name"] === task)
  }
}

const one = <A>(items: ReadonlyArray<A>): A => {
  expect(items).toHaveLength(1)
  return items[0]!
}

describe("ergon run", () => {
  it("sends what a run tells when a variable asks for it, each task with its own resource", async () => {
    const end = await ergon("run orders numbers --no-progress", { env: { ...env(), ERGON_EXECUTION: "night-7" } })
    expect(end.code).toBe(0)
    const [orders, numbers] = [sentBy("orders"), sentBy("numbers")]
    expect(orders.names.filter((name) => name === "transaction orders")).toHaveLength(3)
    expect(numbers.names.filter((name) => name === "transaction numbers")).toHaveLength(2)
    for (const { resource } of [...collector.spans, ...collector.logs, ...collector.metrics]) {
      expect(resource).toMatchObject({ "service.instance.id": "night-7", "ergon.execution": "night-7" })
    }
    for (const { metrics } of [orders, numbers]) {
      const { points, resource } = one(metrics.filter(({ name }) => name === "ergon.transactions"))
      expect(new Set(points.map(({ attributes }) => attributes["ergon.task"]))).toEqual(
        new Set([resource["service.name"]])
      )
      expect(metrics.map(({ name }) => name)).toContain("ergon.transaction.duration")
    }
    // The summary that the runner logs is one of the lines of the run.
    expect(one(orders.logs.map(({ body }) => String(body)))).toMatch(/^orders: .*3 succeeded/)
    expect(one(numbers.logs.map(({ body }) => String(body)))).toMatch(/^numbers: /)
  })

  it("sends all of it after a failure, and after a signal", async () => {
    const failed = await ergon("run orders --no-progress --loop-timeout 0.3", { env: { ...env(), WORK: "5 seconds" } })
    expect(failed.code).toBe(1)
    const run = one(sentBy("orders").spans.filter(({ name }) => name === "run orders"))
    expect(run.status).toBe(2)
    expect(run.events[0]?.attributes["exception.type"]).toBe("LoopTimeout")
    expect(sentBy("orders").names).toContain("transaction orders")

    const running = begin(["run", "orders", "--no-progress"], { env: { ...env(), WORK: "300 millis", TELLS: "true" } })
    await running.until(/order-0 begins/)
    running.process.kill("SIGTERM")
    expect((await running.ended).code).toBe(143)
    const [, drained] = sentBy("orders").spans.filter(({ name }) => name === "run orders")
    const below = sentBy("orders").spans.filter(({ traceId }) => traceId === drained?.traceId)
    expect(below.filter(({ name }) => name === "settle orders").length).toBeGreaterThanOrEqual(2)
    expect(sentBy("orders").logs.map(({ body }) => String(body)).join("\n")).toMatch(/SIGTERM: draining/)
  })

  it("has one trace over its workers, each with its id and its process", async () => {
    const end = await ergon("run orders --workers 2 --no-progress", { env: { ...env(), TELLS: "true" } })
    expect(end.code).toBe(0)
    const { logs, spans } = sentBy("orders")
    const runs = spans.filter(({ name }) => name === "run orders")
    const host = one(runs.filter(({ resource }) => resource["ergon.worker"] === undefined))
    expect(host.attributes).toMatchObject({ "ergon.task": "orders", "ergon.workers": 2 })
    const workers = runs.filter((run) => run !== host)
    expect(new Set(workers.map(({ resource }) => resource["ergon.worker"]))).toEqual(new Set([0, 1]))
    expect(workers).toHaveLength(2)
    for (const worker of workers) expect(worker).toMatchObject({ traceId: host.traceId, parentSpanId: host.spanId })
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([host.traceId]))
    const all = [host, ...workers].map(({ resource }) => resource)
    expect(new Set(all.map((resource) => resource["ergon.execution"])).size).toBe(1)
    expect(new Set(all.map((resource) => resource["service.instance.id"])).size).toBe(3)
    expect(new Set(all.map((resource) => resource["process.pid"])).size).toBe(3)
    for (const log of logs.filter(({ body }) => String(body).endsWith("begins"))) {
      const attempt = one(spans.filter(({ spanId }) => spanId === log.spanId))
      expect(attempt.name).toBe("process")
      expect(attempt.resource["process.pid"]).toBe(log.resource["process.pid"])
      expect(log.attributes).toMatchObject({ task: "orders", worker: log.resource["ergon.worker"] })
    }
  })

  it("serves the durations that its workers keep, without a collector", async () => {
    const running = begin(["run", "orders", "--workers", "2", "--http-port", "0", "--no-progress"], {
      env: { WORK: "300 millis", ORDER_COUNT: "100" }
    })
    await running.until(/health and metrics on http:\/\/[\d.]+:\d+/)
    const url = /http:\/\/[\d.]+:\d+/.exec(running.text())?.[0]
    const counted = async (pattern: RegExp): Promise<number> => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const count = Number(pattern.exec(text)?.[1] ?? 0)
      return count > 2 ? count : counted(pattern)
    }
    expect(await counted(/^ergon_transaction_duration_seconds_count\{.*ergon_outcome="succeeded".*\} (\d+)$/m))
      .toBeGreaterThan(2)
    expect(await counted(/^ergon_fetches_total\{.*ergon_result="deliveries".*\} (\d+)$/m)).toBeGreaterThan(2)
    running.process.kill("SIGTERM")
    expect((await running.ended).code).toBe(143)
  })

  it("sends nothing when no variable asks, and says what is wrong in one before anything runs", async () => {
    const preloaded = new URL("./test/loaded.ts", import.meta.url).href
    const off = await ergon("run orders --no-progress", {
      env: { NODE_OPTIONS: `--conditions=@ergon/source --import=${preloaded}` }
    })
    expect(off.code).toBe(0)
    expect(off.stderr).toContain("loaded 0")
    expect(collector.requests).toEqual([])
    const wrong = await ergon("run orders --no-progress", {
      env: { ...env(), OTEL_TRACES_SAMPLER: "sometimes", OTEL_EXPORTER_OTLP_HEADERS: "geheim" }
    })
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/^ergon: 2 problems:\n- OTEL_.* is/)
    expect(wrong.stderr).not.toContain("geheim")
    expect(wrong.stderr).not.toContain("succeeded")
    expect(collector.requests).toEqual([])
  })
})

describe("ergon process-transaction", () => {
  it("is traced as well, and its lines go where they are told to go", async () => {
    const end = await ergon(["process-transaction", "orders", "--payload-json", "{\"id\":\"x\",\"quantity\":2}"], {
      env: { ...env(), TELLS: "true", ERGON_LOG_FORMAT: "json" }
    })
    expect(end.code).toBe(0)
    expect(sentBy("orders").names).toContain("transaction orders")
    const line: unknown = JSON.parse(one(end.stderr.trim().split("\n")))
    const attempt = one(sentBy("orders").spans.filter(({ name }) => name === "process"))
    expect(line).toMatchObject({ trace_id: attempt.traceId, span_id: attempt.spanId, annotations: { task: "orders" } })
  })
})
