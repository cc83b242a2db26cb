import { Context, Option, Tracer } from "effect"
import { describe, expect, it } from "vitest"
import { decidesAtHeads, decidingAtHeads } from "./heads.ts"

/** A tracer that takes everything, and what it was asked for. */
const recording = () => {
  const asked: Array<string> = []
  const tracer = Tracer.make({
    span: (options) => {
      asked.push(options.name)
      return new Tracer.NativeSpan(options)
    },
    context: (primitive, fiber) => {
      asked.push("context")
      return primitive["~effect/Effect/evaluate"](fiber)
    }
  })
  return { asked, tracer }
}

const options = (name: string, parent?: Tracer.AnySpan) => ({
  name,
  parent: parent === undefined ? Option.none<Tracer.AnySpan>() : Option.some(parent),
  annotations: Context.empty(),
  links: [],
  startTime: 0n,
  kind: "internal" as const,
  root: parent === undefined,
  sampled: true
})

describe("deciding at heads", () => {
  it("is for a ratio that follows parents, and leaves something out", () => {
    expect(decidesAtHeads({ kind: "ratio", ratio: 0.5, parentBased: true })).toBe(true)
    expect(decidesAtHeads({ kind: "ratio", ratio: 0.5, parentBased: false })).toBe(false)
    expect(decidesAtHeads({ kind: "ratio", ratio: 1, parentBased: true })).toBe(false)
    expect(decidesAtHeads({ kind: "always", ratio: 0.5, parentBased: true })).toBe(false)
  })

  it("takes the ratio of new traces, and only those reach the tracer below", () => {
    const { asked, tracer } = recording()
    const deciding = decidingAtHeads(tracer, 0.25, Math.random)
    const taken = Array.from({ length: 10_000 }, () => deciding.span(options("root"))).filter(({ sampled }) => sampled)
    expect(asked.length).toBe(taken.length)
    // Ten standard deviations.
    expect(Math.abs(taken.length - 2500)).toBeLessThan(433)
    expect(decidingAtHeads(tracer, 0, Math.random).span(options("root")).sampled).toBe(false)
  })

  it("does what the parent does, here or elsewhere", () => {
    const { asked, tracer } = recording()
    const none = decidingAtHeads(tracer, 0, Math.random)
    const root = none.span(options("root"))
    expect(none.span(options("child", root)).sampled).toBe(false)
    expect(none.span(options("child", root)).traceId).toBe(root.traceId)
    const remote = (sampled: boolean) => Tracer.externalSpan({ spanId: "b7ad6b7169203331", traceId: "0af7", sampled })
    expect(none.span(options("of a trace that is taken", remote(true))).sampled).toBe(true)
    expect(none.span(options("of one that is not", remote(false))).sampled).toBe(false)
    expect(asked).toEqual(["of a trace that is taken"])
  })
})
