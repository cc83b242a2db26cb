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
    collector.failed("traces", "ECONNREFUSED", 1)
    collector.failed("traces", "ECONNREFUSED", 1)
    expect(changes).toEqual([
      { type: "down", collector: "http://host:4318", signal: "traces", reason: "ECONNREFUSED" }
    ])
    collector.succeeded("traces")
    collector.succeeded("traces")
    expect(changes.slice(1)).toEqual([{ type: "up", collector: "http://host:4318", lost: 2 }])
  })

  it("is one for all signals, and back when all that failed succeed", () => {
    const { changes, collector, collectors } = setUp()
    expect(collectors.at("http://host:4318/v1/logs")).toBe(collector)
    expect(collectors.at("http://host:4319/v1/logs")).not.toBe(collector)
    collector.failed("traces", "x", 1)
    collector.failed("logs", "x", 1)
    collector.succeeded("metrics")
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down"])
    collector.succeeded("logs")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up"])
  })

  it("does not tell the ups and downs of one minute", () => {
    const { changes, clock, collector } = setUp()
    collector.failed("traces", "x", 1)
    collector.succeeded("traces")
    clock.now = 59_999
    collector.failed("traces", "x", 1)
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up"])
  })

  it("tells a failure that began in that minute and outlasts it", () => {
    const { changes, clock, collector } = setUp()
    collector.failed("traces", "x", 1)
    collector.succeeded("traces")
    clock.now = 30_000
    collector.failed("traces", "x", 1)
    clock.now = 60_000
    collector.failed("traces", "x", 1)
    collector.succeeded("traces")
    expect(changes.map(({ type }) => type)).toEqual(["down", "up", "down", "up"])
  })

  it("is down while it drops, until it took something and dropped nothing since", () => {
    const { changes, collector } = setUp()
    collector.dropped("traces")
    collector.dropped("traces")
    collector.succeeded("traces")
    collector.dropped("traces")
    collector.succeeded("traces")
    expect(changes).toEqual([
      { type: "down", collector: "http://host:4318", signal: "traces", reason: "it does not keep up with them" }
    ])
    collector.succeeded("traces")
    expect(changes.slice(1)).toEqual([{ type: "up", collector: "http://host:4318", lost: 3 }])
  })

  it("does not tell a password in the endpoint", () => {
    const { changes, collectors } = setUp()
    collectors.at("http://me:geheim@host/v1/logs?token=geheim").failed("logs", "x", 1)
    expect(JSON.stringify(changes)).not.toContain("geheim")
  })
})
