import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DispatchError, SettleError } from "../../ConnectorError.ts"
import * as Delivery from "../../Delivery.ts"
import * as Reason from "../../Reason.ts"
import * as Transaction from "../../Transaction.ts"
import { Gatherer, isLeaseLost, type Parcel } from "./gather.ts"
import * as Item from "./item.ts"
import { Watcher } from "./watcher.ts"

type Send = (ids: ReadonlyArray<string>) => Effect.Effect<void, DispatchError | SettleError>

const refused = new Reason.InvalidRequest({ message: "refused" })
const cut = new Reason.ConnectionLost({ message: "cut" })

/** A gatherer over a scripted route; `sent` is what reached it, by ids, and `tick` ends the tick of `soon`. */
const gathering = (send: Send, options: { atomic?: boolean; timeout?: number; alone?: boolean } = {}) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const watcher = new Watcher(clock, fork)
    yield* Effect.addFinalizer(() => Effect.sync(() => watcher.close()))
    const sent: Array<ReadonlyArray<string>> = []
    const done: Array<string> = []
    let tasks: Array<() => void> = []
    const route = {
      atomic: options.atomic === true,
      send: (parcels: ReadonlyArray<Parcel>) => {
        const ids = parcels.flatMap(({ transactions }) => transactions.map(({ id }) => id))
        sent.push(ids)
        return send(ids)
      }
    }
    const soon = options.alone === true ? undefined : (task: () => void): void => {
      tasks.push(task)
    }
    const gatherer = new Gatherer(route, options.timeout ?? Infinity, watcher, fork, soon)
    const push = (...ids: ReadonlyArray<string>): Parcel => {
      const transactions = ids.map((id) => Transaction.make(id, 0))
      const parcel: Parcel = {
        sink: 0,
        item: Item.make(Delivery.make(transactions[0]!), 0, undefined, 0),
        transactions,
        reason: undefined,
        alone: false,
        abandoned: false,
        span: undefined,
        done: () => done.push(ids[0]!)
      }
      gatherer.push(parcel)
      return parcel
    }
    const tick = (): void => {
      const now = tasks
      tasks = []
      for (const task of now) task()
    }
    return { gatherer, push, tick, sent, done }
  })

const left = (parcel: Parcel): ReadonlyArray<string> => parcel.transactions.map(({ id }) => id)

describe("Gatherer", () => {
  it.effect("gathers what is pushed in one tick, and confirms all of it", () =>
    Effect.gen(function*() {
      const { done, gatherer, push, sent, tick } = yield* gathering(() => Effect.void)
      push("a1", "a2")
      push("b")
      assert.deepStrictEqual(sent, [])
      assert.isFalse(gatherer.idle)
      tick()
      assert.deepStrictEqual(sent, [["a1", "a2", "b"]])
      assert.deepStrictEqual(done, ["a1", "b"])
      assert.isTrue(gatherer.idle)
    }))

  it.effect("sends at once where there is nobody to gather with", () =>
    Effect.gen(function*() {
      const { done, push, sent } = yield* gathering(() => Effect.void, { alone: true })
      push("a")
      push("b")
      assert.deepStrictEqual(sent, [["a"], ["b"]])
      assert.deepStrictEqual(done, ["a", "b"])
    }))

  it.effect("what piles up while one dispatch is in flight is the next", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { done, push, sent, tick } = yield* gathering((ids) => ids[0] === "a" ? Deferred.await(gate) : Effect.void)
      push("a")
      tick()
      push("b")
      push("c")
      tick()
      assert.deepStrictEqual(sent, [["a"]])
      assert.deepStrictEqual(done, [])
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(sent, [["a"], ["b", "c"]])
      assert.deepStrictEqual(done, ["a", "b", "c"])
    }))

  it.effect("a batch has at most 1000 transactions; a parcel is never split", () =>
    Effect.gen(function*() {
      const { push, sent, tick } = yield* gathering(() => Effect.void)
      const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)
      push(...ids("a", 600))
      push(...ids("b", 400))
      push("c")
      push(...ids("d", 1500))
      push("e")
      tick()
      assert.deepStrictEqual(sent.map(({ length }) => length), [1000, 1, 1500, 1])
    }))

  it.effect("a retryable failure of the whole batch is every parcel's", () =>
    Effect.gen(function*() {
      const { done, push, sent, tick } = yield* gathering(() => Effect.fail(new DispatchError({ reason: cut })))
      const parcels = [push("a"), push("b")]
      tick()
      assert.strictEqual(sent.length, 1)
      assert.deepStrictEqual(parcels.map(({ reason }) => reason), [cut, cut])
      assert.deepStrictEqual(done, ["a", "b"])
    }))

  it.effect("a batch that is refused for good is sent parcel by parcel: the bad one fails alone", () =>
    Effect.gen(function*() {
      const { done, gatherer, push, sent, tick } = yield* gathering((ids) =>
        ids.includes("bad") ? Effect.fail(new DispatchError({ reason: refused })) : Effect.void
      )
      const parcels = [push("a"), push("bad"), push("b")]
      tick()
      assert.deepStrictEqual(sent, [["a", "bad", "b"], ["a"], ["bad"], ["b"]])
      assert.deepStrictEqual(parcels.map(({ reason }) => reason), [undefined, refused, undefined])
      assert.deepStrictEqual(done, ["a", "bad", "b"])
      assert.isTrue(gatherer.idle)
    }))

  it.effect("a single parcel that is refused is not sent again", () =>
    Effect.gen(function*() {
      const { done, push, sent, tick } = yield* gathering(() => Effect.fail(new DispatchError({ reason: refused })))
      const parcel = push("a")
      tick()
      assert.deepStrictEqual(sent, [["a"]])
      assert.strictEqual(parcel.reason, refused)
      assert.deepStrictEqual(done, ["a"])
    }))

  it.effect("named failures: the others are confirmed, and what is left is what was named", () =>
    Effect.gen(function*() {
      const failed = [{ index: 1, reason: cut }, { index: 2, reason: refused }, { index: 3, reason: cut }, {
        index: 9,
        reason: cut
      }]
      const { push, sent, tick } = yield* gathering(() => Effect.fail(new DispatchError({ reason: refused, failed })))
      const parcels = [push("a"), push("b1", "b2", "b3"), push("c")]
      tick()
      assert.strictEqual(sent.length, 1)
      assert.deepStrictEqual(parcels.map(left), [[], ["b1", "b2", "b3"], []])
      // the reason that does not pass by itself decides
      assert.deepStrictEqual(parcels.map(({ reason }) => reason), [undefined, refused, undefined])
    }))

  it.effect("when every parcel is named, none of them is sent again", () =>
    Effect.gen(function*() {
      const failed = [{ index: 0, reason: refused }, { index: 1, reason: refused }]
      const { done, push, sent, tick } = yield* gathering(() =>
        Effect.fail(new DispatchError({ reason: refused, failed }))
      )
      push("a")
      push("b")
      tick()
      assert.deepStrictEqual(sent, [["a", "b"]])
      assert.deepStrictEqual(done, ["a", "b"])
    }))

  it.effect("a sink that joins the settlement confirms nothing unless all", () =>
    Effect.gen(function*() {
      const failed = [{ index: 0, reason: cut }]
      const { push, tick } = yield* gathering(
        () => Effect.fail(new DispatchError({ reason: cut, failed })),
        { atomic: true }
      )
      const parcels = [push("a"), push("b")]
      tick()
      assert.deepStrictEqual(parcels.map(({ reason }) => reason), [cut, cut])
      assert.deepStrictEqual(parcels.map(left), [["a"], ["b"]])
    }))

  it.effect("of a joined settlement the lost ones are named by parcel", () =>
    Effect.gen(function*() {
      const lost = new Reason.LeaseLost({ message: "gone" })
      const { push, tick } = yield* gathering(
        () => Effect.fail(new SettleError({ reason: lost, failed: [{ index: 1, reason: lost }] })),
        { atomic: true }
      )
      const parcels = [push("a1", "a2"), push("b"), push("c")]
      tick()
      assert.deepStrictEqual(parcels.map(({ reason }) => reason), [undefined, lost, undefined])
      assert.isTrue(isLeaseLost(lost))
      assert.isFalse(isLeaseLost(cut))
    }))

  it.effect("a defect of the sink is an unknown reason that keeps it", () =>
    Effect.gen(function*() {
      const defect = new TypeError("broken")
      const { done, push, tick } = yield* gathering(() => Effect.die(defect))
      const parcel = push("a")
      tick()
      assert.isTrue(parcel.reason instanceof Reason.Unknown && parcel.reason.cause === defect)
      assert.deepStrictEqual(done, ["a"])
    }))

  it.effect("a dispatch that does not end in time is interrupted, and the next one goes", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const { done, push, sent, tick } = yield* gathering((ids) => ids[0] === "a" ? never : Effect.void, {
        timeout: 100
      })
      const slow = push("a")
      tick()
      const next = push("b")
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(done, [])
      yield* TestClock.adjust(1)
      assert.strictEqual(interrupted, 1)
      assert.isTrue(slow.reason instanceof Reason.Timeout)
      assert.isUndefined(next.reason)
      assert.deepStrictEqual(sent, [["a"], ["b"]])
      assert.deepStrictEqual(done, ["a", "b"])
    }))

  it.effect("a dispatch that ends in time leaves no timeout to the next one", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { push, tick } = yield* gathering((ids) => ids[0] === "a" ? Effect.void : Deferred.await(gate), {
        timeout: 100
      })
      push("a")
      tick()
      yield* TestClock.adjust(60)
      const parcel = push("b")
      tick()
      yield* TestClock.adjust(60)
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow
      assert.isUndefined(parcel.reason)
    }))

  it.effect("a parcel that is given up before it is sent is not sent", () =>
    Effect.gen(function*() {
      const { done, gatherer, push, sent, tick } = yield* gathering(() => Effect.void)
      const given = push("a")
      push("b")
      gatherer.abandon(given)
      tick()
      assert.deepStrictEqual(sent, [["b"]])
      assert.deepStrictEqual(done, ["b"])
    }))

  it.effect("a dispatch goes on for those that still wait, and is interrupted when none does", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const { done, gatherer, push, tick } = yield* gathering(() =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      )
      const [a, b] = [push("a"), push("b")]
      tick()
      gatherer.abandon(a)
      yield* Effect.yieldNow
      assert.strictEqual(interrupted, 0)
      gatherer.abandon(b)
      yield* Effect.yieldNow
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(done, [])
      assert.isTrue(gatherer.idle)
    }))

  it.effect("given up while the batch is refused, it is not sent alone", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void, DispatchError>()
      const { done, gatherer, push, sent, tick } = yield* gathering((ids) =>
        ids.length > 1 ? Deferred.await(gate) : Effect.void
      )
      const [a] = [push("a"), push("b")]
      tick()
      gatherer.abandon(a)
      yield* Deferred.fail(gate, new DispatchError({ reason: refused }))
      yield* Effect.yieldNow
      assert.deepStrictEqual(sent, [["a", "b"], ["b"]])
      assert.deepStrictEqual(done, ["b"])
    }))

  const Fate = Schema.Literals(["fine", "fine", "bad", "cut"])

  it.effect.prop(
    "every parcel is answered once, and with its own fate when the sink names what failed",
    { ticks: Schema.Array(Schema.Array(Schema.Array(Fate).check(Schema.isMinLength(1), Schema.isMaxLength(3)))) },
    ({ ticks }) =>
      Effect.scoped(Effect.gen(function*() {
        const reasonOf = (id: string) => id.endsWith("bad") ? refused : id.endsWith("cut") ? cut : undefined
        const { done, gatherer, push, tick } = yield* gathering((ids) => {
          const failed = ids.flatMap((id, index) => {
            const reason = reasonOf(id)
            return reason === undefined ? [] : [{ index, reason }]
          })
          return Effect.andThen(
            Effect.yieldNow,
            failed.length === 0 ? Effect.void : Effect.fail(new DispatchError({ reason: failed[0]!.reason, failed }))
          )
        })
        const pushed: Array<{ readonly parcel: Parcel; readonly ids: ReadonlyArray<string> }> = []
        for (const parcels of ticks) {
          for (const fates of parcels) {
            const ids = fates.map((fate, n) => `${pushed.length}.${n} ${fate}`)
            pushed.push({ parcel: push(...ids), ids })
          }
          tick()
          yield* Effect.yieldNow
        }
        while (!gatherer.idle) yield* Effect.yieldNow
        assert.deepStrictEqual(done, pushed.map(({ ids }) => ids[0]))
        for (const { ids, parcel } of pushed) {
          const failed = ids.filter((id) => reasonOf(id) !== undefined)
          if (failed.length > 0) assert.deepStrictEqual(left(parcel), failed)
          const worst = failed.some((id) => id.endsWith("bad")) ? refused : failed.length > 0 ? cut : undefined
          assert.strictEqual(parcel.reason, worst)
        }
      }))
  )
})
