import { ROOT_CONTEXT, SpanKind, trace, TraceFlags } from "@opentelemetry/api"
import { RandomIdGenerator, SamplingDecision } from "@opentelemetry/sdk-trace-base"
import { describe, expect, it } from "@effect/vitest"
import type { Sampler } from "../configuration/effective.ts"
import { samplerOf } from "./sampler.ts"

const ids = new RandomIdGenerator()

const decide = (sampler: Sampler, parent: "none" | "sampled" | "dropped" = "none", traceId = ids.generateTraceId()) => {
  const context = parent === "none" ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId: ids.generateSpanId(),
    traceFlags: parent === "sampled" ? TraceFlags.SAMPLED : TraceFlags.NONE
  })
  const { decision } = samplerOf(sampler).shouldSample(context, traceId, "span", SpanKind.INTERNAL, {}, [])
  return decision === SamplingDecision.RECORD_AND_SAMPLED
}

describe("samplerOf", () => {
  it("asks nobody when it is not based on the parent", () => {
    for (const parent of ["none", "sampled", "dropped"] as const) {
      expect(decide({ kind: "always", ratio: 1, parentBased: false }, parent)).toBe(true)
      expect(decide({ kind: "never", ratio: 1, parentBased: false }, parent)).toBe(false)
    }
  })

  it("follows the parent, and decides at the root", () => {
    for (const kind of ["always", "never"] as const) {
      const sampler = { kind, ratio: 1, parentBased: true }
      expect(decide(sampler, "sampled")).toBe(true)
      expect(decide(sampler, "dropped")).toBe(false)
      expect(decide(sampler)).toBe(kind === "always")
    }
  })

  it("keeps the ratio, and decides the same for the same trace", () => {
    const sampler: Sampler = { kind: "ratio", ratio: 0.25, parentBased: false }
    const traces = Array.from({ length: 4000 }, () => ids.generateTraceId())
    const kept = traces.filter((traceId) => decide(sampler, "none", traceId))
    // Four standard deviations around 1,000.
    expect(Math.abs(kept.length - 1000)).toBeLessThan(110)
    expect(kept.every((traceId) => decide(sampler, "none", traceId))).toBe(true)
    // One that follows parents is decided before the SDK is asked.
    expect(decide({ ...sampler, parentBased: true })).toBe(true)
    expect(decide({ ...sampler, ratio: 0 })).toBe(false)
    expect(decide({ ...sampler, ratio: 1 })).toBe(true)
  })
})
