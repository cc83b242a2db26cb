import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Hold } from "./hold.ts"
import { Watcher } from "./watcher.ts"

/** A hold of texts, and what it has let go so far. */
const holding = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const watcher = new Watcher(clock, Effect.runForkWith(yield* Effect.context<never>()))
  yield* Effect.addFinalizer(() => Effect.sync(() => watcher.close()))
  const ready: Array<string> = []
  return {
    hold: new Hold<string>(watcher, (values) => ready.push(...values.map((value) => `${value} at ${watcher.now()}`))),
    ready,
    watcher
  }
})

describe("Hold", () => {
  it.effect("lets go when the time has come, in the order of the times", () =>
    Effect.gen(function*() {
      const { hold, ready } = yield* holding
      hold.until(30, "c")
      hold.until(10, "a")
      hold.until(20, "b")
      assert.strictEqual(hold.size, 3)
      yield* TestClock.adjust(9)
      assert.deepStrictEqual(ready, [])
      for (const millis of [1, 10, 10]) yield* TestClock.adjust(millis)
      assert.deepStrictEqual(ready, ["a at 10", "b at 20", "c at 30"])
      assert.strictEqual(hold.size, 0)
    }))

  it.effect("of one time, whoever came first goes first", () =>
    Effect.gen(function*() {
      const { hold, ready } = yield* holding
      for (const value of ["a", "b", "c"]) hold.until(10, value)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(ready, ["a at 10", "b at 10", "c at 10"])
    }))

  it.effect("what is due together is let go together", () =>
    Effect.gen(function*() {
      const { watcher } = yield* holding
      const batches: Array<ReadonlyArray<string>> = []
      const hold: Hold<string> = new Hold(watcher, (values) => {
        assert.strictEqual(hold.size, 0)
        batches.push(values)
      })
      for (const value of ["a", "b", "c"]) hold.until(10, value)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(batches, [["a", "b", "c"]])
    }))

  it.effect("what is due already goes without a wait", () =>
    Effect.gen(function*() {
      const { hold, ready } = yield* holding
      hold.until(0, "now")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(ready, ["now at 0"])
    }))

  it.effect("drained, it hands everything out and lets nothing go any more", () =>
    Effect.gen(function*() {
      const { hold, ready } = yield* holding
      hold.until(20, "b")
      hold.until(10, "a")
      assert.deepStrictEqual(hold.drain(), ["a", "b"])
      assert.strictEqual(hold.size, 0)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(ready, [])
      assert.deepStrictEqual(hold.drain(), [])
    }))

  it.effect("what was let go may be held again from there", () =>
    Effect.gen(function*() {
      const { watcher } = yield* holding
      const times: Array<number> = []
      const hold: Hold<number> = new Hold(watcher, ([round = 0]) => {
        times.push(watcher.now())
        if (round < 3) hold.until(watcher.now() + 10, round + 1)
      })
      hold.until(10, 1)
      for (const _ of [1, 2, 3, 4]) yield* TestClock.adjust(10)
      assert.deepStrictEqual(times, [10, 20, 30])
    }))

  it.effect.prop(
    "everything is let go once, at its own time",
    { times: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 }))) },
    ({ times }) =>
      Effect.scoped(Effect.gen(function*() {
        const { hold, ready, watcher } = yield* holding
        const from = watcher.now()
        times.forEach((at, n) => hold.until(from + at, `${n}`))
        for (let i = 0; i < 10; i++) yield* TestClock.adjust(1)
        const expected = times.map((at, n) => ({ at, n })).sort((a, b) => a.at - b.at || a.n - b.n)
        assert.deepStrictEqual(ready, expected.map(({ at, n }) => `${n} at ${from + at}`))
      }))
  )
})
