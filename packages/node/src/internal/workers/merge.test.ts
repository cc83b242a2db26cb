import { Duration } from "effect"
import { describe, expect, it } from "vitest"
import * as Merge from "./merge.ts"

const summary = { ...Merge.nothing, fetched: 3, succeeded: 2, failed: 1, deadLettered: 1, reasons: { Broken: 1 } }

describe("summaries", () => {
  it("add up, and their reasons with them", () => {
    const merged = Merge.summaries(
      [summary, { ...summary, delayed: 4, retries: 2, reasons: { Broken: 2, Late: 1 } }, { ...summary, delayed: 3 }],
      Duration.seconds(9)
    )
    expect(merged).toMatchObject({ fetched: 9, succeeded: 6, failed: 3, deadLettered: 3, retries: 2, released: 0 })
    expect(merged.reasons).toEqual({ Broken: 4, Late: 1 })
    expect(Duration.toSeconds(merged.duration)).toBe(9)
  })

  it("count what the source holds for later once, however many asked", () => {
    expect(Merge.summaries([{ ...summary, delayed: 4 }, { ...summary, delayed: 5 }], Duration.zero).delayed).toBe(5)
    expect(Merge.nothing.delayed).toBe(0)
  })

  it("keep at most 100 different reasons", () => {
    const of = (prefix: string) => ({
      ...summary,
      reasons: Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`${prefix}${n}`, 1]))
    })
    const { reasons } = Merge.summaries([of("a"), of("b")], Duration.zero)
    expect(Object.keys(reasons)).toHaveLength(101)
    expect(reasons["other"]).toBe(60)
  })
})

it("statuses: numbers add up, the oldest is the oldest of all", () => {
  const status = {
    phase: "running" as const,
    fetched: 3,
    inFlight: 2,
    buffered: 1,
    held: 0,
    settling: 1,
    resisting: 0,
    concurrency: 4,
    fetchingSince: undefined,
    oldestSince: 50,
    fetchFailures: 0,
    summary
  }
  const merged = Merge.statuses(
    [status, { ...status, oldestSince: undefined, fetchingSince: 70, fetchFailures: 3 }, {
      ...status,
      oldestSince: 20
    }],
    { phase: "draining", summary: { ...summary, fetched: 11 } }
  )
  expect(merged).toMatchObject({
    phase: "draining",
    fetched: 11,
    inFlight: 6,
    buffered: 3,
    settling: 3,
    concurrency: 12,
    fetchingSince: 70,
    oldestSince: 20,
    fetchFailures: 3
  })
})

it.each([[10, 3, [4, 3, 3]], [2, 3, [1, 1, 0]], [0, 2, [0, 0]], [Infinity, 2, [Infinity, Infinity]]])(
  "a limit of %d over %d workers",
  (limit, count, shares) => {
    expect(Merge.shares(limit, count)).toEqual(shares)
  }
)
