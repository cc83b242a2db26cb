import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Watched, Watcher } from "./watcher.ts"

/** A watcher, and how many sleeps it has begun. */
const started = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let sleeps = 0
  const watcher = new Watcher(clock, (effect) => {
    sleeps++
    return fork(effect)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => watcher.close()))
  return { watcher, sleeps: () => sleeps }
})

describe("Watcher", () => {
  it.effect("calls an entry once, when it is due, and not before", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<number> = []
      const entry = watcher.entry((now) => calls.push(now))
      watcher.set(entry, 100)
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(calls, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(calls, [100])
      assert.strictEqual(entry.dueAt, Infinity)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(calls, [100])
    }))

  it.effect("wakes for the earliest, whatever the order of asking", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<string> = []
      for (const at of [300, 100, 200]) watcher.set(watcher.entry((now) => calls.push(`${at} at ${now}`)), at)
      for (const _ of [1, 2, 3, 4]) yield* TestClock.adjust(100)
      assert.deepStrictEqual(calls, ["100 at 100", "200 at 200", "300 at 300"])
    }))

  it.effect("an entry that moves later needs no call and no other sleep", () =>
    Effect.gen(function*() {
      const { sleeps, watcher } = yield* started
      const calls: Array<number> = []
      const entry = watcher.entry((now) => calls.push(now))
      watcher.set(entry, 100)
      assert.strictEqual(sleeps(), 1)
      entry.dueAt = 250
      watcher.arm(250)
      assert.strictEqual(sleeps(), 1)
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(calls, [])
      yield* TestClock.adjust(150)
      assert.deepStrictEqual(calls, [250])
    }))

  it.effect("an entry that moves earlier is due earlier", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<number> = []
      const entry = watcher.entry((now) => calls.push(now))
      watcher.set(entry, 1000)
      watcher.set(entry, 10)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(calls, [10])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(calls, [10])
    }))

  it.effect("what is removed or put off is not called", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<string> = []
      const removed = watcher.entry(() => calls.push("removed"))
      const putOff = watcher.entry(() => calls.push("put off"))
      watcher.set(removed, 10)
      watcher.set(putOff, 10)
      watcher.remove(removed)
      putOff.dueAt = Infinity
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(calls, [])
    }))

  it.effect("an entry may be set again from its own call, also to be due at once", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<number> = []
      const entry: Watched = watcher.entry((now) => {
        calls.push(now)
        if (calls.length < 4) watcher.set(entry, calls.length === 1 ? now : now + 5)
      })
      watcher.set(entry, 10)
      yield* TestClock.adjust(10)
      yield* TestClock.adjust(5)
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(calls, [10, 10, 15, 20])
    }))

  it.effect("an entry that is added with its time is watched", () =>
    Effect.gen(function*() {
      const { watcher } = yield* started
      const calls: Array<number> = []
      watcher.add({ dueAt: 20, onDue: (now) => calls.push(now) })
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(calls, [20])
    }))

  it.effect("a time that has passed is due at once; Infinity never is, and costs no sleep", () =>
    Effect.gen(function*() {
      const { sleeps, watcher } = yield* started
      yield* TestClock.adjust(500)
      const calls: Array<number> = []
      watcher.set(watcher.entry(() => calls.push(-1)), Infinity)
      assert.strictEqual(sleeps(), 0)
      watcher.set(watcher.entry((now) => calls.push(now)), 100)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(calls, [500])
    }))

  it.effect("a sleep that is longer than a timer can be is slept in parts", () =>
    Effect.gen(function*() {
      const { sleeps, watcher } = yield* started
      const calls: Array<number> = []
      const longest = 2 ** 31 - 1
      watcher.set(watcher.entry((now) => calls.push(now)), longest + 1000)
      yield* TestClock.adjust(longest)
      assert.deepStrictEqual(calls, [])
      assert.strictEqual(sleeps(), 2)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(calls, [longest + 1000])
    }))

  it.effect("closed, it calls nobody and begins no sleep", () =>
    Effect.gen(function*() {
      const { sleeps, watcher } = yield* started
      const calls: Array<number> = []
      const entry = watcher.entry((now) => calls.push(now))
      watcher.set(entry, 10)
      watcher.close()
      watcher.set(entry, 5)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(calls, [])
      assert.strictEqual(sleeps(), 1)
    }))

  const Change = Schema.Struct({
    entry: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
    in: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
    advance: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8 }))
  })

  it.effect.prop(
    "every entry is called at the last time that it was given, however they move",
    { changes: Schema.Array(Change) },
    ({ changes }) =>
      Effect.scoped(Effect.gen(function*() {
        const { watcher } = yield* started
        const calls: Array<string> = []
        const entries = [0, 1, 2, 3].map((n) => watcher.entry((now) => calls.push(`${n} at ${now}`)))
        const due = [Infinity, Infinity, Infinity, Infinity]
        const expected: Array<string> = []
        const tick = Effect.gen(function*() {
          yield* TestClock.adjust(1)
          const now = watcher.now()
          due.forEach((at, n) => {
            if (at > now) return
            due[n] = Infinity
            expected.push(`${n} at ${now}`)
          })
          assert.deepStrictEqual(calls, expected)
        })
        for (const { advance, entry, in: delay } of changes) {
          due[entry] = watcher.now() + delay
          watcher.set(entries[entry]!, due[entry])
          for (let i = 0; i < advance; i++) yield* tick
        }
        for (let i = 0; i < 20; i++) yield* tick
        assert.isTrue(due.every((at) => at === Infinity))
      }))
  )
})
