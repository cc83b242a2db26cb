import { assert, describe, it } from "@effect/vitest"
import { Control, Policy } from "@ergon/core"
import { Effect, Exit } from "effect"
import { afterEach, beforeEach, vi } from "vitest"
import type { Entry } from "../../Runs.ts"
import * as Bound from "./bound.ts"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const entry = (phase: Entry["phase"], shutdown: { grace?: number; close?: number } = {}): Entry => ({
  run: {
    task: "orders",
    kind: "consumer",
    policy: Policy.make({ shutdown }),
    control: Effect.runSync(Control.make),
    connectors: Effect.succeed([]),
    workers: Effect.succeed([])
  },
  phase,
  startedAt: 0,
  exit: undefined
})

/** A bound whose runs and closing resources are what a test says; writes down what it does, and when. */
const watching = () => {
  const said: Array<string> = []
  const state = { entries: Array.of<Entry>(), closing: Array.of<Exit.Exit<unknown, unknown>>() }
  const startedAt = performance.now()
  const at = (): string => `${Math.round((performance.now() - startedAt) / 100) / 10} s`
  const bound = Bound.make({
    entries: () => state.entries,
    closing: () => state.closing,
    slow: () => said.push(`slow after ${at()}`),
    force: (after, exits) => {
      said.push(`out after ${at()}, of ${after / 1000} s, ${exits.map(({ _tag }) => _tag).join()}`)
      bound.ended()
    }
  })
  const runs = (...entries: Array<Entry>) => {
    state.entries = entries
    bound.changed()
  }
  bound.changed()
  return { bound, runs, said, state }
}

describe("after a signal", () => {
  it("before a run has begun, the defaults are the most: 30 and 10 seconds", () => {
    const { bound, said } = watching()
    bound.requested()
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["out after 40 s, of 40 s, "])
  })

  it("grace and close of the runs are the most, the largest of each", () => {
    const { bound, runs, said } = watching()
    runs(entry("running", { grace: 5000, close: 1000 }), entry("running", { grace: 2000, close: 3000 }))
    bound.requested()
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["out after 8 s, of 8 s, "])
  })

  it("once all runs have finished, only close is left; half of it is slow", () => {
    const { bound, runs, said } = watching()
    runs(entry("running", { close: 4000 }))
    bound.requested()
    vi.advanceTimersByTime(1000)
    runs(entry("closing", { close: 4000 }))
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["slow after 3 s", "out after 5 s, of 5 s, "])
  })

  it("the second one leaves close, and never gives more time than there was", () => {
    const { bound, runs, said } = watching()
    runs(entry("running", { grace: 5000, close: 2000 }))
    bound.requested()
    vi.advanceTimersByTime(1000)
    bound.stopping()
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["out after 3 s, of 3 s, "])

    const late = watching()
    late.runs(entry("running", { grace: 1000, close: 2000 }))
    late.bound.requested()
    vi.advanceTimersByTime(2500)
    late.bound.stopping()
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(late.said, ["out after 3 s, of 3 s, "])
  })

  it("nothing happens when the program ends in time", () => {
    const { bound, runs, said } = watching()
    runs(entry("running"))
    bound.requested()
    runs(entry("closed"))
    bound.ended()
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, [])
  })
})

describe("without a signal", () => {
  it("what is closing while nothing runs has close, and says what it was closed with", () => {
    const { runs, said, state } = watching()
    runs(entry("closing", { close: 4000 }))
    state.closing = [Exit.void, Exit.fail("no")]
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["slow after 2.2 s", "out after 4.2 s, of 4 s, Success,Failure"])
  })

  it("a program that goes on is left alone, and so is what closes while a run is running", () => {
    const { runs, said, state } = watching()
    runs(entry("closed", { close: 1000 }))
    vi.advanceTimersByTime(60_000)
    state.closing = [Exit.void]
    runs(entry("running", { close: 1000 }))
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, [])
  })

  it("each closing has its own time", () => {
    const { runs, said, state } = watching()
    runs(entry("closed", { close: 1000 }))
    for (let n = 0; n < 5; n++) {
      state.closing = [Exit.void]
      vi.advanceTimersByTime(400)
      state.closing = []
      vi.advanceTimersByTime(400)
    }
    assert.deepStrictEqual(said, [])
  })

  it("a Layer that closes before a run has begun has the default of 10 seconds", () => {
    const { said, state } = watching()
    state.closing = [Exit.fail("no")]
    vi.advanceTimersByTime(60_000)
    assert.deepStrictEqual(said, ["slow after 5.5 s", "out after 10.5 s, of 10 s, Failure"])
  })
})
