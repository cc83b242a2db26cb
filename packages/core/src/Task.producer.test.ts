import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Decision, Disposition, Memory, Task, TaskError, Transaction } from "./index.ts"

class Numbers extends Connector.Sink<Numbers>()("numbers", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Odd extends Schema.TaggedError<Odd>()("Odd", { n: Schema.Int }) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, n))

// Fails for odd numbers, and sends the even ones.
const evens = (count: number) =>
  Task.producer(
    "evens",
    numbers(count),
    ({ payload }) => payload % 2 === 0 ? Effect.succeed(payload) : Effect.fail(new Odd({ n: payload }))
  ).pipe(Task.dispatch(Numbers, ({ id }, n) => Transaction.make(id, n)))

describe("a producer", () => {
  it.effect("fails and names the ids when something is given up and nothing keeps it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(evens(4)))
      assert.instanceOf(error, TaskError.ProducerFailed)
      assert.deepStrictEqual([error.task, error.failed, error.ids], ["evens", 2, ["n-1", "n-3"]])
      assert.strictEqual(error.reason, "process failed: Odd")
      // Everything else was done before.
      assert.deepStrictEqual((yield* Memory.received(Numbers)).map(({ id }) => id), ["n-0", "n-2"])
    }).pipe(Effect.provide(Memory.sink(Numbers))))

  it.effect("names 100 ids at most, and tells how many there are", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(evens(300)))
      assert.instanceOf(error, TaskError.ProducerFailed)
      assert.deepStrictEqual([error.failed, error.ids.length], [150, 100])
      assert.include(error.message, "gave up 150 transactions (n-1, ")
      assert.include(error.message, "and 50 more")
    }).pipe(Effect.provide(Memory.sink(Numbers))))

  it.effect("says of a single one what it is and why", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(evens(2)))
      assert.strictEqual(error.message, "producer \"evens\" gave up 1 transaction (n-1): process failed: Odd")
    }).pipe(Effect.provide(Memory.sink(Numbers))))

  it.effect("keeps what it gives up in its dead letters, and ends well", () =>
    Effect.gen(function*() {
      const summary = yield* Task.run(evens(4).pipe(Task.deadLetter(Dead)))
      assert.deepStrictEqual([summary.succeeded, summary.deadLettered], [2, 2])
      assert.deepStrictEqual((yield* Memory.letters(Dead)).map(({ id }) => id), ["n-1", "n-3"])
    }).pipe(Effect.provide([Memory.sink(Numbers), Memory.deadLetters(Dead)])))

  for (
    const [how, task] of [
      ["discardFailures", evens(4).pipe(Task.discardFailures)],
      ["Decision.discard", evens(4).pipe(Task.decide({ Odd: Decision.discard }))],
      ["Disposition.ack", evens(4).pipe(Task.onFailure(() => Effect.succeed(Disposition.ack)))]
    ] as const
  ) {
    it.effect(`may drop on purpose with ${how}`, () =>
      Effect.gen(function*() {
        const summary = yield* Task.run(task)
        assert.deepStrictEqual([summary.succeeded, summary.failed, summary.discarded], [2, 2, 2])
      }).pipe(Effect.provide(Memory.sink(Numbers))))
  }

  it.effect("tells of a single transaction that it failed", () =>
    Effect.gen(function*() {
      const outcome = yield* Task.runTransaction(evens(0), Transaction.make("one", 1))
      assert.strictEqual(outcome._tag, "failed")
    }).pipe(Effect.provide(Memory.sink(Numbers))))

  it.effect("finishes a batch before it takes the next, in order", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.producer("ordered", numbers(4), ({ payload }) =>
        Effect.gen(function*() {
          log.push(`+${payload}`)
          yield* Effect.sleep(payload % 2 === 0 ? "3 seconds" : "1 second")
          log.push(`-${payload}`)
        })).pipe(Task.policy({ loop: { concurrency: 2 } }))
      const fiber = yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(log, ["+0", "+1", "-1", "-0", "+2", "+3", "-3", "-2"])
    }))

  it.effect("takes a requeued transaction again, from memory", () =>
    Effect.gen(function*() {
      const tries: Array<number> = []
      const task = Task.producer("again", numbers(2), ({ payload }) =>
        Effect.suspend(() => {
          tries.push(payload)
          return payload === 0 && tries.length < 3 ? Effect.fail(new Odd({ n: 0 })) : Effect.void
        })).pipe(Task.decide({ Odd: () => Decision.requeue("5 seconds") }))
      const fiber = yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(tries, [0])
      yield* TestClock.adjust("10 seconds")
      const summary = yield* Fiber.join(fiber)
      assert.deepStrictEqual(tries, [0, 0, 0, 1])
      assert.deepStrictEqual([summary.fetched, summary.succeeded], [2, 2])
    }))

  it.effect("fails with the stream's own error", () =>
    Effect.gen(function*() {
      const stream = Stream.concat(Stream.fromIterable(numbers(1)), Stream.fail(new Odd({ n: 9 })))
      const error = yield* Effect.flip(Task.run(Task.producer("broken", stream, () => Effect.void)))
      assert.deepStrictEqual(error, new Odd({ n: 9 }))
    }))

  it.effect("waits for a stream that takes its time", () =>
    Effect.gen(function*() {
      const slow = Stream.fromIterable(numbers(3)).pipe(Stream.rechunk(1), Stream.tap(() => Effect.sleep("1 minute")))
      const fiber = yield* Effect.forkChild(Effect.exit(Task.run(Task.producer("slow", slow, () => Effect.void))))
      yield* TestClock.adjust("5 minutes")
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit), String(exit))
    }))

  it.effect("bounds a stream by fetch.timeout when that is set", () =>
    Effect.gen(function*() {
      const task = Task.producer("slow", Stream.never, () => Effect.void).pipe(
        Task.policy({ fetch: { timeout: "1 minute" } })
      )
      const fiber = yield* Effect.forkChild(Effect.flip(Task.run(task)))
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.strictEqual(error.reason._tag, "Timeout")
    }))

  it.effect("ends at once when it is interrupted while its stream gives nothing, and closes the stream", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const stream = Stream.ensuring(
        Stream.concat(Stream.fromIterable(numbers(1)), Stream.never),
        Effect.sync(() => void log.push("closed"))
      )
      const fiber = yield* Effect.forkChild(
        Task.run(Task.producer("waiting", stream, ({ id }) => Effect.sync(() => void log.push(id))))
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["n-0", "closed"])
    }))

  it.effect("does what its stream gave before it failed", () =>
    Effect.gen(function*() {
      const done: Array<string> = []
      const stream = Stream.concat(Stream.fromIterable(numbers(3)), Stream.fail(new Odd({ n: 9 })))
      const task = Task.producer("broken", stream, ({ id }) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          Effect.sync(() => void done.push(id))
        )).pipe(
          Task.policy({ loop: { concurrency: 4, mode: "continuous" } })
        )
      const fiber = yield* Effect.forkChild(Effect.flip(Task.run(task)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(fiber), new Odd({ n: 9 }))
      assert.deepStrictEqual(done, ["n-0", "n-1", "n-2"])
    }))

  it.effect("can be aborted", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(evens(4).pipe(Task.decide({ Odd: Decision.abort }))))
      assert.instanceOf(error, TaskError.Aborted)
      assert.deepStrictEqual([error.transaction, error.cause], ["n-1", new Odd({ n: 1 })])
    }).pipe(Effect.provide(Memory.sink(Numbers))))

  it.effect("runs again what its exception step releases", () =>
    Effect.gen(function*() {
      let tries = 0
      const task = Task.producer("again", numbers(1), () =>
        Effect.suspend(() =>
          ++tries < 3 ? Effect.fail(new Odd({ n: 0 })) : Effect.void
        )).pipe(
          Task.onFailure(() => Effect.succeed(Disposition.release))
        )
      const summary = yield* Task.run(task)
      assert.deepStrictEqual([tries, summary.succeeded], [3, 1])
    }))
})
