import { describe, expect, it } from "@effect/vitest"
import { type Change, Collectors } from "./collector.ts"

const setUp = () => {
  const changes: Array<Change> = []
  const clock = { now: 0 }
  const collectors = new Collectors((change) => changes.push(change), () => clock.now)
  return { changes, clock, collectors, collector: collectors.at("http://host:4318/v1/traces") }
}

describe("Collector", () => {
  it("tells a failure once, and once that it is back", () => {
    const { changes, collector } = setUp()
    collector.succeeded("traces")
    collector.failed("traces", "ECONNREFUSED")
    collector.failed("traces", "ECONNREFUSED")
    expect(changes).toEqual([
      { type: "down", collector: "http://host:4318", signal: "traces", reason: "ECONNREFUSED" }
    ])
    collector.succeeded("traces")
    collector.succeeded("traces")
    expect(changes.slice(1)).toEqual([{ type: "up", collector: "http://host:4318", failures: 2 }])
  })

  it("is one for all signals, and back when all that failed succeed", () => {
    const { changes, collector, collectors } = setUp()
    expect(collectors.at("http://host:4318/v1/logs")).toBe(collector)
    expect(collectors.at("http://host:4319/v1/logs")).not.toBe(collector)
    collector.failed("traces", "x")
    collector.failed("logs", "x")
    collector.succeeded("metrics")
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down"])
    collector.succeeded("logs")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up"])
  })

  it("does not tell the ups and downs of one minute", () => {
    const { changes, clock, collector } = setUp()
    collector.failed("traces", "x")
    collector.succeeded("traces")
    clock.now = 59_999
    collector.failed("traces", "x")
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up"])
  })

  it("tells a failure that began in that minute and outlasts it", () => {
    const { changes, clock, collector } = setUp()
    collector.failed("traces", "x")
    collector.succeeded("traces")
    clock.now = 30_000
    collector.failed("traces", "x")
    clock.now = 60_000
    collector.failed("traces", "x")
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up", "down", "up"])
  })

  it("does not tell a password in the endpoint", () => {
    const { changes, collectors } = setUp()
    collectors.at("http://me:geheim@host/v1/logs?token=geheim").failed("logs", "x")
    expect(JSON.stringify(changes)).not.toContain("geheim")
  })
})
