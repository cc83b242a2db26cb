import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Schema, Stream } from "effect"
import type { SourceService } from "../../Connector.ts"
import { FetchError } from "../../ConnectorError.ts"
import * as Disposition from "../../Disposition.ts"
import * as Reason from "../../Reason.ts"
import * as Transaction from "../../Transaction.ts"
import * as StreamSource from "./streamSource.ts"

const transactions = (...ids: ReadonlyArray<string>) => ids.map((id) => Transaction.make(id, 0))

const fetch = (source: SourceService, max: number) =>
  Effect.map(
    source.fetch({ max, wait: Duration.zero }),
    (deliveries) => deliveries.map(({ transaction }) => transaction.id)
  )

describe("a stream as a source", () => {
  it.effect("hands over in order, at most what is asked for, and keeps the rest of a chunk", () =>
    Effect.gen(function*() {
      const { source } = yield* StreamSource.make(Stream.fromArrays(transactions("1", "2", "3"), transactions("4")))
      assert.deepStrictEqual(yield* fetch(source, 2), ["1", "2"])
      assert.deepStrictEqual(yield* fetch(source, 2), ["3"])
      assert.deepStrictEqual(yield* fetch(source, 2), ["4"])
      assert.isTrue(Cause.isDone(yield* Effect.flip(fetch(source, 2))))
    }))

  it.effect("hands over the transactions themselves, for the first time, with nothing to settle", () =>
    Effect.gen(function*() {
      const [one] = transactions("1")
      const { failure, source } = yield* StreamSource.make(Stream.make(one!))
      const [delivery] = yield* source.fetch({ max: 1, wait: Duration.zero })
      assert.strictEqual(delivery!.transaction, one)
      assert.strictEqual(delivery!.deliveries, 0)
      assert.strictEqual(source.format, "native")
      assert.strictEqual(source.capabilities.settlement, "none")
      yield* source.settle([Disposition.settlement(delivery!, Disposition.ack)])
      assert.isUndefined(failure())
    }))

  it.effect("pulls only when it is asked to", () =>
    Effect.gen(function*() {
      const pulled: Array<number> = []
      const stream = Stream.fromIterable([1, 2, 3], { chunkSize: 1 }).pipe(
        Stream.map((n) => {
          pulled.push(n)
          return Transaction.make(`${n}`, n)
        })
      )
      const { source } = yield* StreamSource.make(stream)
      assert.deepStrictEqual(pulled, [])
      yield* fetch(source, 1)
      assert.deepStrictEqual(pulled, [1])
    }))

  it.effect("keeps the cause with which the stream failed", () =>
    Effect.gen(function*() {
      const broken = { _tag: "Broken" } as const
      const { failure, source } = yield* StreamSource.make(
        Stream.concat(Stream.fromIterable(transactions("1")), Stream.fail(broken))
      )
      assert.deepStrictEqual(yield* fetch(source, 5), ["1"])
      const error = yield* Effect.flip(fetch(source, 5))
      assert.isTrue(error instanceof FetchError && error.reason instanceof Reason.Unknown)
      assert.strictEqual((error as FetchError).message, "fetch failed: Unknown: Broken")
      assert.deepStrictEqual(failure(), Cause.fail(broken))
    }))

  it.effect("keeps a defect of the stream", () =>
    Effect.gen(function*() {
      const defect = new TypeError("no")
      const { failure, source } = yield* StreamSource.make(Stream.die(defect))
      assert.isTrue((yield* Effect.flip(fetch(source, 5))) instanceof FetchError)
      assert.deepStrictEqual(failure(), Cause.die(defect))
    }))

  it.effect("an interrupted fetch is no failure of the stream, and loses nothing", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { failure, source } = yield* StreamSource.make(
        Stream.concat(
          Stream.fromIterable(transactions("1")),
          Stream.fromIterableEffect(Effect.as(Deferred.await(gate), transactions("2")))
        )
      )
      assert.deepStrictEqual(yield* fetch(source, 1), ["1"])
      const waiting = yield* Effect.forkChild(fetch(source, 1))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      const exit = yield* Fiber.await(waiting)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.isUndefined(failure())
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* fetch(source, 1), ["2"])
    }))

  it.effect("a stream that interrupts itself interrupts the fetch", () =>
    Effect.gen(function*() {
      const { source } = yield* StreamSource.make(Stream.fromEffect(Effect.interrupt))
      const exit = yield* Effect.exit(fetch(source, 1))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }))

  it.effect("closes the stream with its scope", () =>
    Effect.gen(function*() {
      let closed = false
      const stream = Stream.ensuring(
        Stream.fromIterable(transactions("1", "2")),
        Effect.sync(() => {
          closed = true
        })
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const { source } = yield* StreamSource.make(stream)
        yield* fetch(source, 1)
        assert.isFalse(closed)
      }))
      assert.isTrue(closed)
    }))

  it.effect.prop(
    "whatever the chunks and whatever is asked for, each comes once and in order",
    {
      chunks: Schema.Array(Schema.Array(Schema.Int)),
      asks: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))).check(Schema.isMinLength(1))
    },
    ({ asks, chunks }) =>
      Effect.scoped(Effect.gen(function*() {
        let n = 0
        const named = chunks.map((chunk) => chunk.map(() => Transaction.make(`${++n}`, 0)))
        const { source } = yield* StreamSource.make(Stream.fromArrays(...named))
        const got: Array<string> = []
        for (let i = 0;; i++) {
          const max = asks[i % asks.length]!
          const exit = yield* Effect.exit(fetch(source, max))
          if (Exit.isFailure(exit)) break
          assert.isTrue(exit.value.length > 0 && exit.value.length <= max)
          got.push(...exit.value)
        }
        assert.deepStrictEqual(got, named.flat().map(({ id }) => id))
      }))
  )
})
