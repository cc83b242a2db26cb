import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Fiber, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Control, Decision, Disposition, Memory, Reason, Task, TaskError, Transaction } from "./index.ts"
import { Faults } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)
const now = Effect.clockWith((clock) => clock.currentTimeMillis)

// Starts a run, and interrupts it at this time. Answers with its exit and the time of its end.
const interruptedAt = <X, R>(at: Duration.Input, task: Task.Any<X, R>, control?: Control.Control) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(Effect.exit(Task.run(task, { control })), (exit) => Effect.map(now, (at) => [exit, at] as const))
    )
    const ended: Array<number> = []
    fiber.addObserver(() => ended.push(0))
    yield* TestClock.adjust(at)
    const interrupting = yield* Effect.forkChild(Effect.andThen(Fiber.interrupt(fiber), now))
    return { fiber, interrupting }
  })

const ids = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) => transactions.map(({ id }) => id)

describe("interrupting a run", () => {
  // n-0 takes 5 seconds, n-1 takes an hour, the rest is buffered behind them.
  const log: Array<string> = []
  const working = Task.consumer("working", Numbers, ({ id, payload }) =>
    Effect.gen(function*() {
      log.push(`+${id}`)
      yield* Effect.sleep(payload.n === 0 ? "5 seconds" : "1 hour")
      log.push(`-${id}`)
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => void log.push(`!${id}`))))).pipe(
      Task.onFailure(() => Effect.sync(() => void log.push("exception"))),
      Task.policy({
        loop: { concurrency: 2, streaming: true },
        fetch: { prefetch: 2 },
        transaction: { timeout: "2 hours" }
      })
    )

  it.effect("drains: no new start, what runs may finish within the grace, the rest is released; no exception step", () =>
    Effect.gen(function*() {
      log.length = 0
      const { fiber, interrupting } = yield* interruptedAt("1 second", working)
      yield* TestClock.adjust(0)
      // What was buffered is released at once.
      const soon = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([ids(soon.inFlight), ids(soon.ready)], [["n-0", "n-1"], ["n-2", "n-3", "n-4", "n-5"]])
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).acked, ["n-0"])
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(interrupting), 31_000)
      const exit = fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(log, ["+n-0", "+n-1", "-n-0", "!n-1"])
      const { acked, deadLetters, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, deadLetters, inFlight], [["n-0"], [], []])
      assert.sameMembers(ids(ready), ["n-1", "n-2", "n-3", "n-4", "n-5"])
    }).pipe(Effect.provide(source(6))))

  it.effect("a release does not raise the count", () =>
    Effect.gen(function*() {
      const first = yield* interruptedAt("1 second", working)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first.interrupting)
      const counting = Task.consumer("counting", Numbers, () => Effect.void)
      const told = yield* Stream.runCollect(Task.outcomes(counting))
      assert.deepStrictEqual(told.map(({ deliveries }) => deliveries), [0, 0, 0, 0, 0])
    }).pipe(Effect.provide(source(6))))

  it.effect("ends at once when nothing runs, a waiting fetch interrupted", () =>
    Effect.gen(function*() {
      const { interrupting } = yield* interruptedAt("500 millis", working)
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* Fiber.join(interrupting), 500)
    }).pipe(Effect.provide(source(0))))

  it.effect("loses nothing that a fetch brings while it is interrupted", () =>
    Effect.gen(function*() {
      const { interrupting } = yield* interruptedAt("500 millis", working)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(interrupting)
      const { inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([ids(inFlight), ready.length], [[], 3])
    }).pipe(Effect.provide(source(3).pipe(Faults.source(Numbers, { fetch: Faults.always(Faults.late("1 second")) })))))

  it.effect("gives up the waits between attempts when the grace is over, and what is held for later at once", () =>
    Effect.gen(function*() {
      let tries = 0
      const task = Task.consumer("waiting", Numbers, ({ payload }) =>
        Effect.suspend(() => {
          tries++
          return Effect.fail(payload.n === 0 ? "later" : "again")
        })).pipe(
          Task.decide((error: string) => error === "later" ? Decision.requeue("1 hour") : Decision.retry),
          Task.policy({
            loop: { concurrency: 2, streaming: true },
            process: { retry: { maxAttempts: 2, backoff: "50 seconds" } }
          })
        )
      const { interrupting } = yield* interruptedAt("1 second", task)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(ids((yield* Memory.contents(Numbers)).ready), ["n-0"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(interrupting), 31_000)
      assert.deepStrictEqual([tries, (yield* Memory.contents(Numbers)).ready.length], [2, 2])
    }).pipe(Effect.provide(source(2, { requeueDelay: "engine" }))))

  it.effect("gives up a dispatch that is being tried again when the grace is over", () =>
    Effect.gen(function*() {
      const task = Task.consumer("sending", Numbers, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
        Task.policy({ loop: { concurrency: 4 }, transaction: { timeout: "1 hour" } })
      )
      const { interrupting } = yield* interruptedAt("1 second", task)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(interrupting), 31_000)
      assert.deepStrictEqual(ids((yield* Memory.contents(Numbers)).ready), ["n-0", "n-1", "n-2", "n-3"])
    }).pipe(
      Effect.provide([
        source(4),
        Memory.sink(Results).pipe(Faults.sink(Results, { dispatch: Faults.always(Faults.hang()) }))
      ])
    ))
})

// Drops what is logged.
const quietly = Effect.provide(Logger.layer([]))

describe("work that resists the end of a run", () => {
  const resisting = (seconds: number) =>
    Task.consumer("resisting", Numbers, () => Effect.uninterruptible(Effect.sleep(`${seconds} seconds`)))

  it.effect("is waited for within shutdown.close, then released and left behind", () =>
    Effect.gen(function*() {
      const { fiber, interrupting } = yield* interruptedAt("1 second", resisting(600))
      yield* TestClock.adjust("2 minutes")
      assert.isAtMost(yield* Fiber.join(interrupting), 41_000)
      assert.isDefined(fiber.pollUnsafe())
      // It went back to the source before the run ended.
      assert.deepStrictEqual(ids((yield* Memory.contents(Numbers)).ready), ["n-0"])
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).inFlight, [])
    }).pipe(quietly, Effect.provide(source(1))))

  it.effect("its late end changes nothing", () =>
    Effect.gen(function*() {
      const { interrupting } = yield* interruptedAt("1 second", resisting(100))
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(interrupting)
      const { acked, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, ids(ready)], [[], ["n-0"]])
    }).pipe(quietly, Effect.provide(source(1))))

  it.effect("is released, neither timed out nor tried again, when deadline and timeout pass meanwhile", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("resisting", Numbers, () =>
        Effect.suspend(() => {
          log.push("start")
          return Effect.uninterruptible(Effect.sleep("37 seconds"))
        })).pipe(
          Task.onFailure(() => Effect.sync(() => void log.push("exception"))),
          Task.policy({
            transaction: { timeout: "35 seconds" },
            process: { timeout: "34 seconds", retry: { maxAttempts: 3 } },
            shutdown: { close: "20 seconds" }
          })
        )
      const { interrupting } = yield* interruptedAt("1 second", task)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* Fiber.join(interrupting), 37_000)
      assert.deepStrictEqual(log, ["start"])
      assert.deepStrictEqual(ids((yield* Memory.contents(Numbers)).ready), ["n-0"])
    }).pipe(Effect.provide(source(1))))

  it.effect("a sink that cannot be interrupted does not hold the run up for longer either", () =>
    Effect.gen(function*() {
      const task = Task.consumer("sending", Numbers, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n))
      )
      const { fiber, interrupting } = yield* interruptedAt("1 second", task)
      yield* TestClock.adjust("2 minutes")
      assert.isDefined(fiber.pollUnsafe())
      assert.isAtMost(yield* Fiber.join(interrupting), 41_000)
      assert.deepStrictEqual(ids((yield* Memory.contents(Numbers)).ready), ["n-0"])
    }).pipe(
      quietly,
      Effect.provide([
        source(1),
        Connector.layerSink(
          Results,
          Effect.succeed({
            format: "json" as const,
            dispatch: () => Effect.uninterruptible(Effect.sleep("1 hour"))
          })
        )
      ])
    ))

  it.effect("a source that does not answer does not hold the run up for longer than shutdown.close", () =>
    Effect.gen(function*() {
      const task = Task.consumer("settling", Numbers, () => Effect.void).pipe(
        Task.policy({ loop: { streaming: true } })
      )
      const { interrupting } = yield* interruptedAt("1 second", task)
      yield* TestClock.adjust("2 minutes")
      assert.isAtMost(yield* Fiber.join(interrupting), 41_000)
    }).pipe(
      quietly,
      Effect.provide(
        source(1).pipe(Faults.source(Numbers, {
          settle: Faults.always(Faults.failBefore(new Reason.ConnectionLost({ message: "down" })))
        }))
      )
    ))
})

describe("the loop's timeout", () => {
  const task = Task.consumer(
    "slow",
    Numbers,
    ({ payload }) => payload.n === 0 ? Effect.uninterruptible(Effect.sleep("8 seconds")) : Effect.sleep("1 hour")
  ).pipe(
    Task.policy({ loop: { concurrency: 2, timeout: "5 seconds", streaming: true }, fetch: { prefetch: 1 } })
  )

  it.effect("interrupts and releases what is in flight before the error surfaces, resisting work included", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Task.run(task)))
      yield* TestClock.adjust("7 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, TaskError.LoopTimeout)
      assert.deepStrictEqual([error.task, error.timeout], ["slow", 5000])
      const { acked, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, inFlight, ready.length], [[], [], 5])
    }).pipe(Effect.provide(source(5))))

  it.effect("ends a streaming run that has nothing to do", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Task.run(task)))
      yield* TestClock.adjust("5 seconds")
      assert.instanceOf(yield* Fiber.join(fiber), TaskError.LoopTimeout)
    }).pipe(Effect.provide(source(0))))
})

describe("a handle on a run", () => {
  it.effect("drain ends the run well, with its summary", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      const task = Task.consumer("slow", Numbers, () => Effect.sleep("5 seconds")).pipe(
        Task.policy({ loop: { streaming: true, concurrency: 2 }, fetch: { prefetch: 2 } })
      )
      const fiber = yield* Effect.forkChild(Task.run(task, { control }))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* control.status, { phase: "running", fetched: 4, inFlight: 2, buffered: 2 })
      yield* control.drain
      assert.deepInclude(yield* control.status, { phase: "draining", inFlight: 2, buffered: 0 })
      yield* TestClock.adjust("4 seconds")
      const summary = yield* Fiber.join(fiber)
      assert.deepInclude(summary, { fetched: 4, succeeded: 2, released: 2 })
      assert.strictEqual((yield* control.status).phase, "idle")
    }).pipe(Effect.provide(source(6))))

  it.effect("stop interrupts what runs, also from the program that it stops", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      const task = Task.consumer("stopping", Numbers, ({ payload }) =>
        payload.n === 2 ? Effect.andThen(control.stop, Effect.sleep("30 seconds")) : Effect.sleep("1 minute")).pipe(
          Task.policy({ loop: { concurrency: 3 } })
        )
      const fiber = yield* Effect.forkChild(Task.run(task, { control }))
      yield* TestClock.adjust(0)
      const summary = yield* Fiber.join(fiber)
      assert.deepInclude(summary, { fetched: 3, released: 3 })
    }).pipe(Effect.provide(source(3))))

  it.effect("ending a stream of outcomes drains its run", () =>
    Effect.gen(function*() {
      const task = Task.consumer("slow", Numbers, () => Effect.sleep("5 seconds")).pipe(
        Task.policy({ loop: { streaming: true, concurrency: 2 }, fetch: { prefetch: 2 } })
      )
      const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(Task.outcomes(task), 2)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).length, 2)
      const { acked, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([inFlight, acked.length + ready.length], [[], 6])
    }).pipe(Effect.provide(source(6))))
})

describe("an abort", () => {
  it.effect("while others run lets them finish within the grace, and wins over what fails meanwhile", () =>
    Effect.gen(function*() {
      const task = Task.consumer("aborting", Numbers, ({ payload }) =>
        payload.n === 0
          ? Effect.andThen(Effect.sleep("1 second"), Effect.fail(new Refused()))
          : payload.n === 1
          ? Effect.sleep("10 seconds")
          : Effect.andThen(Effect.sleep("2 seconds"), Effect.fail(new Refused()))).pipe(
          Task.decide({ Refused: Decision.abort }),
          Task.policy({ loop: { concurrency: 3, streaming: true } })
        )
      const fiber = yield* Effect.forkChild(Effect.flip(Task.run(task)))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, TaskError.Aborted)
      assert.strictEqual(error.transaction, "n-0")
      const { acked, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, ids(ready)], [["n-1"], ["n-0", "n-2"]])
      assert.deepStrictEqual(Disposition.release._tag, "Release")
    }).pipe(Effect.provide(source(3))))
})
