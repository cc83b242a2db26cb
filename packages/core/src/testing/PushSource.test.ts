import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Disposition, Transaction } from "../index.ts"
import { PushSource } from "./index.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`t-${n + 1}`, n + 1))
const request = (max: number, wait: Duration.Input = 0) => ({ max, wait: Duration.fromInputUnsafe(wait) })

describe("a push source", () => {
  it.effect("buffers up to its prefetch, and more only as deliveries are settled", () =>
    Effect.gen(function*() {
      const broker = yield* PushSource.make({ prefetch: 3 })
      yield* broker.publish(numbers(5))
      const source = yield* broker.connect
      const held = Effect.map(broker.contents, ({ inFlight }) => inFlight.map(({ id }) => id))
      assert.deepStrictEqual(yield* held, ["t-1", "t-2", "t-3"])
      const [first] = yield* source.fetch(request(1))
      assert.deepStrictEqual(yield* held, ["t-1", "t-2", "t-3"])
      yield* source.settle(first === undefined ? [] : [Disposition.settlement(first, Disposition.ack)])
      assert.deepStrictEqual(yield* held, ["t-2", "t-3", "t-4"])
    }))

  it.effect("is without a channel for as long as reconnecting takes", () =>
    Effect.gen(function*() {
      const broker = yield* PushSource.make({ prefetch: 3, reconnect: "10 seconds" })
      yield* broker.publish(numbers(1))
      const source = yield* broker.connect
      yield* broker.cut
      const error = yield* Effect.flip(source.fetch(request(1)))
      assert.deepInclude(error, { _tag: "FetchError" })
      const waiting = yield* Effect.forkChild(source.fetch(request(1, "1 minute")))
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(({ deliveries }) => deliveries), [1])
    }))

  it.effect("drops what it had buffered when its channel is lost", () =>
    Effect.gen(function*() {
      const broker = yield* PushSource.make({ prefetch: 3, reconnect: 0 })
      yield* broker.publish(numbers(3))
      const source = yield* broker.connect
      const before = yield* source.fetch(request(1))
      yield* broker.cut
      const after = yield* source.fetch(request(3, "1 second"))
      assert.deepStrictEqual(after.map(({ transaction }) => transaction.id), ["t-1", "t-2", "t-3"])
      assert.deepStrictEqual(after.map(({ deliveries }) => deliveries), [1, 1, 1])
      assert.deepStrictEqual([...before, ...after].map((delivery) => source.isHeld?.(delivery)), [
        false,
        true,
        true,
        true
      ])
    }))

  it.effect("shares a queue with other connectors, and inherits what they leave", () =>
    Effect.gen(function*() {
      const broker = yield* PushSource.make({ prefetch: 2 })
      const left = yield* broker.connect
      yield* Effect.scoped(Effect.gen(function*() {
        yield* broker.connect
        yield* broker.publish(numbers(4))
        assert.strictEqual((yield* broker.contents).inFlight.length, 4)
      }))
      const mine = yield* left.fetch(request(2))
      yield* left.settle(mine.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      const inherited = yield* left.fetch(request(2))
      assert.deepStrictEqual(inherited.map(({ deliveries, transaction }) => [transaction.id, deliveries]), [
        ["t-3", 1],
        ["t-4", 1]
      ])
    }))
})
