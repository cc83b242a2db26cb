/**
 * No benchmark but a proof, where all packages are at hand: programs in processes of their own tell a collector on loopback
 * what they do, and it is all there: one trace from the producer through the broker to the consumer, every attempt, and why.
 */
import { Services } from "@ergon/lab"
import { Database, Postgres } from "@ergon/sql"
import { Children } from "@ergon/telemetry/test/children"
import { type Log, type Metric, receive, type Receiver, type Span } from "@ergon/telemetry/test/receiver"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Connection } from "rabbitmq-client"
import { createClient } from "redis"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

const program = new URL("./program.ts", import.meta.url).href
const children = new Children()
let collector: Receiver
let folder = ""

beforeEach(async () => {
  collector = await receive()
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-tracing-"))
})

afterEach(async () => {
  await children.end()
  await collector.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const begin = (args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  children.run(program, args, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_BLRP_SCHEDULE_DELAY: "100",
    ...env
  })

const run = async (args: ReadonlyArray<string>, env?: Record<string, string>): Promise<void> => {
  const { code, stderr } = await begin(args, env).ended
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${stderr}`)
}

const one = <A>(items: ReadonlyArray<A>): A => {
  expect(items).toHaveLength(1)
  return items[0]!
}

const of = <Item extends Span | Log | Metric>(service: string, items: ReadonlyArray<Item>) =>
  items.filter(({ resource }) => resource["service.name"] === service)

const below = (parent: Span) => collector.spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId)

// What the client of a database does stands below them, and is not ours.
const isOurs = ({ attributes }: Span): boolean => !("db.system.name" in attributes)

const namesBelow = (parent: Span) =>
  below(parent).filter(isOurs).map(({ name }) => name).toSorted((a, b) => a < b ? -1 : 1)

const transactions = (service: string, id: string) =>
  of(service, collector.spans).filter(({ attributes, name }) =>
    name.startsWith("transaction ") && attributes["messaging.message.id"] === id
  )

/** The span that sent an order into the queue. */
const sentBy = (id: string) =>
  one(below(one(transactions("shop", id))).filter(({ name }) => name === "dispatch orders"))

const refer = ({ spanId, traceId }: Span) => ({ spanId, traceId })

const attempts = (transaction: Span) =>
  below(transaction).filter(({ name }) => name === "process").toSorted((a, b) =>
    Number(a.attributes["ergon.attempt"]) - Number(b.attributes["ergon.attempt"])
  )

describe.each(["http/json", "http/protobuf"])(
  "retries, a timeout, dead letters and a redelivery, over %s",
  (protocol) => {
    it("are all there: names, hierarchy, links, attributes, metrics and logs", async () => {
      const place = path.join(folder, "orders.db")
      const orders = "ok,retry,slow,fail,again"
      const env = { OTEL_EXPORTER_OTLP_PROTOCOL: protocol }
      await run(["shop", "sqlite", place, "link", orders], env)
      await run(["clerk", "sqlite", place, "link", orders], env)

      for (const { headers } of collector.requests) {
        expect(headers["content-type"]).toBe(protocol === "http/json" ? "application/json" : "application/x-protobuf")
      }
      const runs = ["shop", "clerk"].map((name) => one(collector.spans.filter((span) => span.name === `run ${name}`)))
      expect(new Set(runs.map(({ resource }) => resource["process.pid"])).size).toBe(2)
      for (const service of ["shop", "clerk"]) {
        const [first, ...others] = [
          ...of(service, collector.spans),
          ...of(service, collector.logs),
          ...of(service, collector.metrics)
        ].map(({ resource }) => resource)
        expect(first).toMatchObject({ "service.version": "1.2.3", "host.name": os.hostname() })
        expect(first?.["ergon.execution"]).toBe(first?.["service.instance.id"])
        for (const other of others) expect(other).toEqual(first)
      }

      const [ok, retry, slow, fail] = [0, 1, 2, 3].map((index) => one(transactions("clerk", `order-${index}`)))
      const again = transactions("clerk", "order-4").toSorted((a, b) =>
        Number(a.attributes["ergon.deliveries"]) - Number(b.attributes["ergon.deliveries"])
      )
      expect(again).toHaveLength(2)
      const all = [ok!, retry!, slow!, fail!, ...again]
      expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(6)
      for (const transaction of all) {
        expect(transaction).toMatchObject({ name: "transaction orders", kind: 5, parentSpanId: "" })
        const id = String(transaction.attributes["messaging.message.id"])
        expect(transaction.links).toEqual([refer(runs[1]!), refer(sentBy(id))])
        expect(transaction.attributes).toMatchObject({
          "ergon.task": "clerk",
          "ergon.lease": 1000,
          "messaging.operation.name": "process",
          "messaging.destination.name": "orders"
        })
      }

      expect(namesBelow(ok!)).toEqual(["dispatch receipts", "process", "settle orders"])
      expect(namesBelow(retry!)).toEqual(["dispatch receipts", "process", "process", "settle orders"])
      expect(namesBelow(slow!)).toEqual(["dispatch dead-orders", "process", "process", "settle orders"])
      expect(namesBelow(fail!)).toEqual(["dispatch dead-orders", "process", "settle orders"])
      expect(again.map(namesBelow)).toEqual([["process", "settle orders"], [
        "dispatch receipts",
        "process",
        "settle orders"
      ]])

      const succeeded = { "ergon.outcome": "succeeded", "ergon.disposition": "Ack" }
      expect(ok).toMatchObject({ status: 1, attributes: { ...succeeded, "ergon.attempts": 1, "ergon.deliveries": 0 } })
      expect(retry).toMatchObject({ status: 1, attributes: { ...succeeded, "ergon.attempts": 2 } })
      expect(attempts(retry!).map(({ attributes }) => attributes)).toEqual([
        { "ergon.attempt": 1, "ergon.category": "business", "error.type": "Broken" },
        { "ergon.attempt": 2, "ergon.delay": 50 }
      ])
      expect(slow).toMatchObject({
        status: 2,
        attributes: {
          "ergon.outcome": "failed",
          "ergon.category": "timeout",
          "ergon.step": "process",
          "error.type": "timeout"
        }
      })
      for (const attempt of attempts(slow!)) {
        expect(attempt).toMatchObject({
          status: 2,
          attributes: { "ergon.cut": "attempt", "ergon.category": "timeout", "error.type": "timeout" }
        })
        expect(attempt.events[0]?.attributes["exception.message"]).toMatch(/exceeded its timeout of 500 ms/)
      }
      expect(fail).toMatchObject({
        status: 2,
        attributes: {
          "ergon.outcome": "failed",
          "ergon.category": "business",
          "error.type": "Broken",
          "ergon.attempts": 1
        }
      })
      const exception = one(attempts(fail!)[0]!.events)
      expect(exception).toMatchObject({
        name: "exception",
        attributes: { "exception.type": "Broken", "exception.message": "it is broken for good" }
      })
      expect(exception.attributes["exception.stacktrace"]).toMatch(/Broken: it is broken for good\n\s+at .*program\.ts/)
      expect(again.map(({ attributes }) => attributes)).toMatchObject([
        { "ergon.outcome": "requeued", "ergon.disposition": "Requeue", "ergon.delay": 100, "ergon.deliveries": 0 },
        { ...succeeded, "ergon.deliveries": 1 }
      ])

      for (const transaction of all) {
        const id = transaction.attributes["messaging.message.id"]
        const lines = of("clerk", collector.logs).filter(({ body, traceId }) =>
          body === `works on ${String(id)}` && traceId === transaction.traceId
        )
        expect(lines.map(({ spanId }) => spanId).toSorted()).toEqual(
          attempts(transaction).map(({ spanId }) => spanId).toSorted()
        )
        for (const line of lines) {
          expect(line).toMatchObject({ severity: "Info", attributes: { task: "clerk", transaction: id } })
        }
      }
      // A line is a log record, and no event of its span as well.
      expect(
        collector.spans.flatMap(({ events }) => events.map(({ name }) => name)).filter((name) => /works/.test(name))
      )
        .toEqual([])

      const values = (name: string, ...keys: ReadonlyArray<string>) =>
        Object.fromEntries(
          one(of("clerk", collector.metrics).filter((metric) => metric.name === name)).points.map((point) => {
            expect(point.attributes["ergon.task"]).toBe("clerk")
            return [keys.map((key) => point.attributes[key]).join(" "), point.value]
          })
        )
      expect(values("ergon.transactions", "ergon.outcome")).toEqual({ succeeded: 3, failed: 2, requeued: 1 })
      expect(values("ergon.transaction.duration", "ergon.outcome")).toEqual({ succeeded: 3, failed: 2, requeued: 1 })
      expect(values("ergon.retries")).toEqual({ "": 2 })
      expect(values("ergon.dead_letters")).toEqual({ "": 2 })
      expect(values("ergon.in_flight")).toEqual({ "": 0 })
      expect(values("ergon.step.duration", "ergon.step", "ergon.result")).toMatchObject({
        "process ok": 3,
        "process error": 3,
        "process timeout": 2
      })
      expect(JSON.stringify(collector.requests.map(({ body }) => body))).not.toContain("noop")
    })
  }
)

/** A place that nobody else uses, and what removes it. */
const places = {
  sqlite: () => Promise.resolve({ place: path.join(folder, "orders.db"), remove: () => Promise.resolve() }),
  postgres: async () => {
    const schema = `zz_${randomUUID().replaceAll("-", "")}`
    const statement = (text: string) =>
      Effect.runPromise(
        Effect.flatMap(Database.Database, ({ sql }) => sql.unsafe(text)).pipe(
          Effect.provide(Postgres.layer({ host: "127.0.0.1", username: "postgres", database: "test" }))
        )
      )
    await statement(`CREATE SCHEMA ${schema}`)
    return { place: schema, remove: () => statement(`DROP SCHEMA ${schema} CASCADE`) }
  },
  redis: () => {
    const stream = `ergon-test-${randomUUID()}`
    return Promise.resolve({
      place: stream,
      remove: async () => {
        const client = createClient()
        await client.connect()
        const keys = await client.keys(`*${stream}*`)
        if (keys.length > 0) await client.del(keys)
        await client.close()
      }
    })
  },
  rabbitmq: () => {
    const queue = `ergon-test-${randomUUID()}`
    return Promise.resolve({
      place: queue,
      remove: async () => {
        const connection = new Connection({ hostname: "127.0.0.1" })
        await connection.queueDelete({ queue })
        await connection.close()
      }
    })
  }
} as const

const brokers = [
  ["sqlite", []],
  ["postgres", [Services.postgres]],
  ["rabbitmq", [Services.rabbitmq]],
  ["redis", [Services.redis]]
] as const

for (const [broker, needs] of brokers) {
  await Services.describe(needs, `one trace through ${broker}`, () => {
    it.each(["link", "parent"])("from the producer's process to the consumer's: %s", async (trace) => {
      const { place, remove } = await places[broker]()
      try {
        await run(["shop", broker, place, trace, "ok,ok"])
        await run(["clerk", broker, place, trace, "ok,ok"])
      } finally {
        await remove()
      }
      const clerkRun = one(collector.spans.filter(({ name }) => name === "run clerk"))
      for (const id of ["order-0", "order-1"]) {
        const sent = sentBy(id)
        const transaction = one(transactions("clerk", id))
        const joins = trace === "parent"
        expect(transaction.parentSpanId).toBe(joins ? sent.spanId : "")
        expect(transaction.traceId === sent.traceId).toBe(joins)
        expect(transaction.links).toEqual(joins ? [refer(clerkRun)] : [refer(clerkRun), refer(sent)])
        // What came with the order has travelled through two processes; what vendors say is of one trace alone.
        const line = one(
          of("clerk", collector.logs).filter(({ traceId, body }) =>
            traceId === transaction.traceId && body === `works on ${id}`
          )
        )
        expect(line.attributes).toMatchObject({ baggage: "customer=7" })
        expect(line.attributes["tracestate"]).toBe(joins ? "vendor=1" : undefined)
        expect(transaction.traceId === "0af7651916cd43dd8448eb211c80319c").toBe(joins)
        expect(namesBelow(transaction)).toEqual(["dispatch receipts", "process", "settle orders"])
        for (const child of below(transaction)) expect(child.traceId).toBe(transaction.traceId)
        expect(sent.resource["process.pid"]).not.toBe(transaction.resource["process.pid"])
      }
    })
  })
}

describe("two worker processes, of which one is killed", () => {
  it("are one execution and one trace; what was in the one comes again in a trace that says so", async () => {
    const place = path.join(folder, "orders.db")
    const orders = "ok,kill,ok,ok"
    await run(["shop", "sqlite", place, "link", orders])
    const host = begin(["clerks", "sqlite", place, "link", orders], {
      OTEL_METRIC_EXPORT_INTERVAL: "200",
      OTEL_METRIC_EXPORT_TIMEOUT: "200"
    })
    const isDone = (id: string) =>
      transactions("clerk", id).some(({ attributes }) => attributes["ergon.outcome"] === "succeeded")
    // The host says what became of the worker.
    const warnings = () =>
      of("clerk", collector.logs).filter(({ body }) => String(body).startsWith("a worker ended; it is started again"))
    const isBack = () =>
      warnings().some(({ attributes: { pid, worker } }) =>
        of("clerk", collector.metrics).some(({ resource }) =>
          resource["ergon.worker"] === worker && resource["process.pid"] !== pid
        )
      )
    await collector.until(() => [0, 1, 2, 3].every((index) => isDone(`order-${index}`)) && isBack())
    host.process.kill("SIGTERM")
    expect(await host.ended).toMatchObject({ code: 143 })

    const runs = collector.spans.filter(({ name }) => name === "run clerk")
    const above = one(runs.filter(({ resource }) => resource["ergon.worker"] === undefined))
    const workers = runs.filter((span) => span !== above)
    expect(new Set(workers.map(({ resource }) => resource["ergon.worker"]))).toEqual(new Set([0, 1]))
    for (const worker of workers) {
      expect(worker).toMatchObject({ traceId: above.traceId, parentSpanId: above.spanId })
      expect(worker.resource["ergon.execution"]).toBe(above.resource["ergon.execution"])
      expect(worker.resource["service.instance.id"]).toBe(
        `${String(above.resource["ergon.execution"])}/${String(worker.resource["ergon.worker"])}`
      )
    }
    const again = one(transactions("clerk", "order-1"))
    expect(again.attributes).toMatchObject({ "ergon.deliveries": 1, "ergon.outcome": "succeeded" })
    expect(again.links).toContainEqual(refer(sentBy("order-1")))
    const warning = one(warnings())
    expect(warning).toMatchObject({
      severity: "Warn",
      traceId: above.traceId,
      attributes: { task: "clerk", exit: "killed by SIGKILL" }
    })
  })
})

describe("a step in a thread", () => {
  it("goes on below the attempt that called it, with the same resource and its own thread", async () => {
    await run(["cruncher", "sqlite", "none", "link", "ok"])
    const transaction = one(transactions("cruncher", "one"))
    const attempt = one(attempts(transaction))
    const crunch = one(collector.spans.filter(({ name }) => name === "crunch"))
    expect(crunch).toMatchObject({ traceId: transaction.traceId, parentSpanId: attempt.spanId })
    expect(crunch.resource).toMatchObject({
      "service.name": "cruncher",
      "process.pid": attempt.resource["process.pid"],
      "ergon.execution": attempt.resource["ergon.execution"],
      "thread.id": expect.any(Number)
    })
    expect(crunch.resource["service.instance.id"]).not.toBe(attempt.resource["service.instance.id"])
    const line = one(collector.logs.filter(({ body }) => body === "crunches 1"))
    expect(line).toMatchObject({
      traceId: crunch.traceId,
      spanId: crunch.spanId,
      attributes: { task: "cruncher", transaction: "one" }
    })
  })
})
