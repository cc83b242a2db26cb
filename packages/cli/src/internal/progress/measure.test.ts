import { describe, expect, it } from "vitest"
import { rateOf, type Sample, sampled, timeLeft, totalOf } from "./measure.ts"
import { moment } from "../../test/moment.ts"

const after = (count: number, every: number, done: (index: number) => number): ReadonlyArray<Sample> =>
  Array.from({ length: count }).reduce<ReadonlyArray<Sample>>(
    (samples, _, index) => sampled(samples, { at: index * every, done: done(index) }),
    []
  )

describe("the rate", () => {
  it("is nothing before there are two samples", () => {
    expect(rateOf([])).toBe(0)
    expect(rateOf([{ at: 0, done: 5 }])).toBe(0)
  })

  it("is taken over the last five seconds", () => {
    // 10 per second for a minute, then 100 per second for 6 seconds.
    const samples = after(264, 250, (index) => index <= 240 ? index * 2.5 : 600 + (index - 240) * 25)
    expect(rateOf(samples)).toBeCloseTo(100, 0)
    expect(samples.length).toBeLessThan(25)
  })

  it("of samples that are far apart is taken over the last two", () => {
    expect(rateOf(after(5, 10_000, (index) => index * index))).toBeCloseTo(0.7)
  })
})

describe("what is to come", () => {
  it("is what the source held and what was fetched by then, up to the limit", () => {
    expect(totalOf(moment({ done: 10, inFlight: 2, known: 100 }))).toBe(100)
    expect(totalOf(moment({ done: 10, inFlight: 2, known: 100, limit: 50 }))).toBe(50)
  })

  it("is at least what is done and in flight: more may have come since", () => {
    expect(totalOf(moment({ done: 100, inFlight: 2, known: 100 }))).toBe(102)
  })

  it("is the limit where the source cannot count, and unknown without one", () => {
    expect(totalOf(moment({ known: undefined, limit: 50 }))).toBe(50)
    expect(totalOf(moment({ known: undefined }))).toBeUndefined()
  })

  it("takes its time at the rate of now", () => {
    expect(timeLeft(moment({ done: 10, inFlight: 0, known: 100, rate: 10 }))).toBe(9000)
    expect(timeLeft(moment({ done: 10, known: 100, rate: 0 }))).toBeUndefined()
    expect(timeLeft(moment({ known: undefined, limit: 50, rate: 10 }))).toBeUndefined()
  })
})
