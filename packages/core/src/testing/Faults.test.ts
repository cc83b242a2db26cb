import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Disposition, Memory, Reason, Transaction } from "../index.ts"
import { Faults } from "./index.ts"

class Orders extends Connector.Source<Orders>()("orders", Schema.Int) {}
class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Int) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const timeout = new Reason.Timeout({ message: "no answer" })
const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`t-${n + 1}`, n + 1))
const request = (max: number) => ({ max, wait: Duration.zero })
const orders = (plans: Faults.SourcePlans) => Memory.source(Orders, numbers(4)).pipe(Faults.source(Orders, plans))

const fetchIds = (max: number) =>
  Effect.gen(function*() {
    const { source } = yield* Orders
    return (yield* source.fetch(request(max))).map(({ transaction }) => transaction.id)
  })

const ackAll = Effect.gen(function*() {
  const { source } = yield* Orders
  const deliveries = yield* source.fetch(request(4))
  yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
})

describe("a plan", () => {
  const fault = Faults.hang()
  const at = (plan: Faults.Plan) => [1, 2, 3, 4].map((call) => plan(call) === fault)

  it("says at which calls something goes wrong", () => {
    assert.deepStrictEqual(at(Faults.always(fault)), [true, true, true, true])
    assert.deepStrictEqual(at(Faults.at(2, fault)), [false, true, false, false])
    assert.deepStrictEqual(at(Faults.first(2, fault)), [true, true, false, false])
    assert.deepStrictEqual(at(Faults.sequence([undefined, fault, undefined, fault])), [false, true, false, true])
  })
})

describe("a fetch", () => {
  it.effect("that fails before takes nothing; one that fails after has taken it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(fetchIds(1))
      assert.deepInclude(error, { _tag: "FetchError", reason: timeout })
      assert.deepStrictEqual((yield* Memory.contents(Orders)).inFlight.length, 0)
      yield* Effect.flip(fetchIds(1))
      assert.deepStrictEqual((yield* Memory.contents(Orders)).inFlight.map(({ id }) => id), ["t-1"])
      assert.deepStrictEqual(yield* fetchIds(1), ["t-2"])
    }).pipe(
      Effect.provide(orders({ fetch: Faults.sequence([Faults.failBefore(timeout), Faults.failAfter(timeout)]) }))
    ))

  it.effect("hands over a surplus, and duplicates", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* fetchIds(1), ["t-1", "t-2", "t-3"])
      assert.deepStrictEqual(yield* fetchIds(1), ["t-4", "t-4"])
    }).pipe(Effect.provide(orders({ fetch: Faults.sequence([Faults.surplus(2), Faults.duplicate]) }))))

  it.effect("hangs until it is interrupted, is late, dies", () =>
    Effect.gen(function*() {
      const hanging = yield* Effect.forkChild(fetchIds(1))
      yield* TestClock.adjust("1 day")
      assert.isUndefined(hanging.pollUnsafe())
      yield* Fiber.interrupt(hanging)
      const late = yield* Effect.forkChild(fetchIds(1))
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(late), ["t-1"])
      assert.deepStrictEqual(yield* Effect.exit(fetchIds(1)), Exit.die("boom"))
    }).pipe(
      Effect.provide(
        orders({ fetch: Faults.sequence([Faults.hang(), Faults.late("1 minute"), Faults.die("boom")]) })
      )
    ))
})

describe("a settlement", () => {
  it.effect("that fails in part settles the others and names the ones that failed", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ackAll)
      assert.deepInclude(error, {
        _tag: "SettleError",
        failed: [{ index: 1, reason: timeout }, { index: 3, reason: timeout }]
      })
      const { acked, inFlight } = yield* Memory.contents(Orders)
      assert.deepStrictEqual(acked, ["t-1", "t-3"])
      assert.deepStrictEqual(inFlight.map(({ id }) => id), ["t-2", "t-4"])
    }).pipe(Effect.provide(orders({ settle: Faults.always(Faults.partly([1, 3, 7], timeout)) }))))

  it.effect("that fails after has taken effect", () =>
    Effect.gen(function*() {
      yield* Effect.flip(ackAll)
      assert.strictEqual((yield* Memory.contents(Orders)).acked.length, 4)
    }).pipe(Effect.provide(orders({ settle: Faults.at(1, Faults.failAfter(timeout)) }))))
})

describe("an extension", () => {
  it.effect("can fail once", () =>
    Effect.gen(function*() {
      const { source } = yield* Orders
      const deliveries = yield* source.fetch(request(1))
      const extend = Effect.suspend(() => source.extend?.(deliveries) ?? Effect.succeed([0]))
      assert.strictEqual((yield* Effect.flip(extend)).reason, timeout)
      assert.deepStrictEqual(yield* extend, [])
    }).pipe(
      Effect.provide(
        Memory.source(Orders, numbers(1), { lease: "1 minute" }).pipe(
          Faults.source(Orders, { extend: Faults.at(1, Faults.failBefore(timeout)) })
        )
      )
    ))
})

describe("a dispatch", () => {
  it.effect("that fails in part sends the others", () =>
    Effect.gen(function*() {
      const { sink } = yield* Receipts
      const error = yield* Effect.flip(sink.dispatch(numbers(3)))
      assert.deepInclude(error, { _tag: "DispatchError", failed: [{ index: 0, reason: timeout }] })
      assert.deepStrictEqual((yield* Memory.received(Receipts)).map(({ id }) => id), ["t-2", "t-3"])
      yield* sink.dispatch(numbers(1))
    }).pipe(
      Effect.provide(
        Memory.sink(Receipts).pipe(Faults.sink(Receipts, { dispatch: Faults.at(1, Faults.partly([0], timeout)) }))
      )
    ))

  it.effect("of a queue can fail while its source works", () =>
    Effect.gen(function*() {
      const { sink, source } = yield* Jobs
      assert.strictEqual((yield* Effect.flip(sink.dispatch(numbers(1)))).reason, timeout)
      assert.strictEqual((yield* source.fetch(request(10))).length, 4)
    }).pipe(
      Effect.provide(
        Memory.queue(Jobs, numbers(4)).pipe(Faults.sink(Jobs, { dispatch: Faults.always(Faults.failBefore(timeout)) }))
      )
    ))

  it.effect("of dead letters can fail", () =>
    Effect.gen(function*() {
      const { deadLetters } = yield* Dead
      assert.strictEqual((yield* Effect.flip(deadLetters.dispatch(numbers(1)))).reason, timeout)
    }).pipe(
      Effect.provide(
        Memory.deadLetters(Dead).pipe(
          Faults.deadLetters(Dead, { dispatch: Faults.always(Faults.failBefore(timeout)) })
        )
      )
    ))
})
