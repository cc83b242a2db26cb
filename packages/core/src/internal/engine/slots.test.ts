import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Delivery from "../../Delivery.ts"
import * as Transaction from "../../Transaction.ts"
import * as Item from "./item.ts"
import type { Slot } from "./slot.ts"
import { Slots } from "./slots.ts"
import { Watcher } from "./watcher.ts"

const item = (id: string): Item.Item => Item.make(Delivery.make(Transaction.make(id, 0)), 0, undefined, 0)

const started = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const watcher = new Watcher(yield* Clock.Clock, Effect.runForkWith(context))
  yield* Effect.addFinalizer(() => Effect.sync(() => watcher.close()))
  const due: Array<{ readonly slot: Slot; readonly now: number }> = []
  return { slots: new Slots(context, watcher, (slot, now) => due.push({ slot, now })), watcher, due }
})

describe("Slots", () => {
  it.effect("takes as many as are asked for, and uses vacated ones again", () =>
    Effect.gen(function*() {
      const { slots } = yield* started
      const first = slots.take(item("1"))
      const second = slots.take(item("2"))
      assert.notStrictEqual(first, second)
      assert.strictEqual(slots.active, 2)
      slots.vacate(first)
      assert.strictEqual(slots.active, 1)
      assert.deepStrictEqual(slots.taken(), [second])
      const third = item("3")
      assert.strictEqual(slots.take(third), first)
      assert.strictEqual(first.item, third)
      assert.strictEqual(slots.active, 2)
    }))

  it.effect("a vacated slot keeps nothing of its last transaction", () =>
    Effect.gen(function*() {
      const { slots } = yield* started
      const slot = slots.take(item("1"))
      slot.step = "settle"
      slot.cut = "deadline"
      slot.retrying = true
      slot.deadline = 20
      slot.attemptDueAt = 10
      slot.schedule()
      slots.vacate(slot)
      assert.isUndefined(slot.item)
      slots.take(item("2"))
      assert.deepStrictEqual(
        [slot.step, slot.cut, slot.retrying, slot.deadline, slot.attemptDueAt, slot.dueAt],
        ["decode", "nothing", false, Infinity, Infinity, Infinity]
      )
    }))

  it.effect("the watcher tells when a slot is due, at the earlier of its two times", () =>
    Effect.gen(function*() {
      const { due, slots, watcher } = yield* started
      const slot = slots.take(item("1"))
      slot.deadline = 20
      slot.attemptDueAt = 10
      slot.schedule()
      watcher.arm(slot.dueAt)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(due, [{ slot, now: 10 }])
      slot.attemptDueAt = Infinity
      slot.schedule()
      watcher.arm(slot.dueAt)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(due, [{ slot, now: 10 }, { slot, now: 20 }])
    }))

  it.effect("a vacated slot is not due any more", () =>
    Effect.gen(function*() {
      const { due, slots, watcher } = yield* started
      const slot = slots.take(item("1"))
      slot.deadline = 10
      slot.schedule()
      watcher.arm(slot.dueAt)
      slots.vacate(slot)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(due, [])
    }))

  it.effect("a slot that is left behind gives its item up, and is never used again", () =>
    Effect.gen(function*() {
      const { slots } = yield* started
      const one = item("1")
      const slot = slots.take(one)
      slot.cut = "stop"
      assert.strictEqual(slots.resisting, 1)
      assert.strictEqual(slots.leaveBehind(slot), one)
      assert.strictEqual(slots.active, 0)
      assert.deepStrictEqual(slots.taken(), [])
      assert.strictEqual(slots.resisting, 1)
      assert.notStrictEqual(slots.take(item("2")), slot)
    }))

  it.effect("a slot forks with the context of the run and a scope of its own, which can be renewed", () =>
    Effect.gen(function*() {
      class Greeting extends Context.Service<Greeting, { readonly text: string }>()("Greeting") {}
      const { watcher } = yield* started
      const context = Context.make(Greeting, { text: "hello" }) as Context.Context<never>
      const slots = new Slots(context, watcher, () => {})
      const slot = slots.take(item("1"))
      const other = slots.take(item("2"))
      const program = Effect.map(
        Effect.all([Greeting, Scope.Scope]),
        ([{ text }, scope]) => ({ text, scope })
      ) as Effect.Effect<{ readonly text: string; readonly scope: Scope.Scope }>
      const first = slot.scope
      assert.notStrictEqual(first, other.scope)
      assert.deepStrictEqual(slot.fork(program).pollUnsafe(), Exit.succeed({ text: "hello", scope: first }))
      slot.renewScope()
      assert.notStrictEqual(slot.scope, first)
      assert.deepStrictEqual(slot.fork(program).pollUnsafe(), Exit.succeed({ text: "hello", scope: slot.scope }))
    }))
})
