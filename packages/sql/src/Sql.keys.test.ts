import { Disposition, type Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { filename, idOf, inMemory, item, open, openClosable } from "./test/queues.ts"

/** `a-1` is of key `a`. */
const key = ({ id }: Transaction.Transaction<unknown>) => id.split("-")[0]

describe("a queue ordered by key", () => {
  it.effect("hands over one of each key at a time, in the order of their arrival", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key, priority: ({ id }) => id === "a-2" ? 9 : 0 })
      yield* queue.send(item("a-1"), item("a-2"), item("b-1"), item("b-2"))
      const [a, b] = yield* queue.fetch(9)
      assert.deepStrictEqual([a, b].map((one) => [idOf(one!), one?.key]), [["a-1", "a"], ["b-1", "b"]])
      yield* queue.settle(b!, Disposition.ack)
      assert.deepStrictEqual(yield* queue.ids(9), ["b-2"])
      yield* queue.settle(a!, Disposition.deadLetter("no stock"))
      assert.deepStrictEqual(yield* queue.ids(9), ["a-2"])
    }))

  it.effect("those without a key do not wait for each other", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key: () => undefined })
      yield* queue.send(item("1"), item("2"))
      assert.deepStrictEqual(yield* queue.ids(9), ["1", "2"])
    }))

  it.effect("a requeue holds the key, with a delay and without", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key })
      yield* queue.send(item("a-1"), item("a-2"))
      yield* queue.settle(yield* queue.one, Disposition.requeue())
      yield* queue.settle(yield* queue.one, Disposition.requeue("5 seconds"))
      assert.deepStrictEqual(yield* queue.ids(9), [])
      yield* queue.send(item("a-3"))
      assert.deepStrictEqual(yield* queue.ids(9), [])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* queue.ids(9), ["a-1"])
    }))

  it.effect("a delay at enqueue holds the key too", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key, delay: ({ id }) => id === "a-1" ? "5 seconds" : undefined })
      yield* queue.send(item("a-1"), item("a-2"))
      assert.deepStrictEqual(yield* queue.ids(9), [])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* queue.ids(9), ["a-1"])
    }))

  it.effect("the order outlives an expired lease and a close", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const first = yield* openClosable(file, { key, lease: "10 seconds" })
      const second = yield* open(file, { key, lease: "10 seconds" })
      yield* first.send(item("a-1"), item("a-2"))
      yield* first.one
      yield* TestClock.adjust("10 seconds")
      const again = yield* second.one
      assert.strictEqual(idOf(again), "a-1")
      assert.deepStrictEqual(yield* first.ids(9), [])
      yield* second.settle(again, Disposition.release)
      yield* first.one
      assert.deepStrictEqual(yield* second.ids(9), [])
      yield* Scope.close(first.scope, Exit.void)
      assert.deepStrictEqual(yield* second.ids(9), ["a-1"])
    }))

  it.effect("two processes take turns at a key", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queues = [yield* open(file, { key }), yield* open(file, { key })]
      yield* queues[0]!.send(...Array.from({ length: 10 }, (_, n) => item(`a-${n}`)))
      for (let n = 0; n < 10; n++) {
        const delivery = yield* queues[n % 2]!.one
        assert.strictEqual(idOf(delivery), `a-${n}`)
        assert.deepStrictEqual(yield* queues[(n + 1) % 2]!.ids(9), [])
        yield* queues[n % 2]!.settle(delivery, Disposition.ack)
      }
    }))

  it.effect("a consumer that was opened without `key` does not leave the others of a key waiting", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const producer = yield* open(file, { key })
      const consumer = yield* open(file)
      yield* producer.send(item("a-1"), item("a-2"))
      yield* consumer.settle(yield* consumer.one, Disposition.ack)
      assert.deepStrictEqual(yield* consumer.ids(9), ["a-2"])
    }))

  it.effect("an id whose retention is over arrives anew, behind those that came since", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key, retention: "1 minute" })
      yield* queue.send(item("a-1"))
      yield* queue.settle(yield* queue.one, Disposition.ack)
      yield* queue.send(item("a-2"), item("a-3"))
      yield* TestClock.adjust("1 minute")
      yield* queue.send(item("a-1"))
      for (const id of ["a-2", "a-3", "a-1"]) {
        const delivery = yield* queue.one
        assert.strictEqual(idOf(delivery), id)
        yield* queue.settle(delivery, Disposition.ack)
      }
    }))

  it.effect("settling a delivery that somebody else has by now leaves its key to them", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key })
      yield* queue.send(item("a-1"), item("a-2"))
      const delivery = yield* queue.one
      yield* queue.sql`UPDATE items SET claim = claim + 1 WHERE id = 'a-1'`
      for (const disposition of [Disposition.ack, Disposition.deadLetter("no stock")]) {
        const error = yield* Effect.flip(queue.settle(delivery, disposition))
        assert.strictEqual(error.reason._tag, "LeaseLost")
        assert.deepStrictEqual(yield* queue.ids(9), [])
      }
    }))

  it.effect("what is claimed by id goes ahead of its key, and stays alone", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key })
      yield* queue.send(item("a-1"), item("a-2"), item("a-3"))
      const second = yield* queue.source.resolve!("a-2")
      assert.deepStrictEqual(yield* queue.ids(9), [])
      const error = yield* Effect.flip(queue.source.resolve!("a-3"))
      assert.include(error.message, "another one of its key is in flight")
      yield* queue.settle(second, Disposition.requeue())
      const again = yield* queue.fetch(9)
      assert.deepStrictEqual(again.map(idOf), ["a-2"])
      yield* queue.settle(again[0]!, Disposition.ack)
      assert.deepStrictEqual(yield* queue.ids(9), ["a-1"])
    }))
})
