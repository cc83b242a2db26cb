import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Fiber, Layer, Schema, SchemaGetter, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Control, Disposition, type Failure, Memory, Reason, Task, Transaction } from "./index.ts"
import { Faults } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)

const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>, time: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

const now = Effect.clockWith((clock) => clock.currentTimeMillis)

// A program that tells when it was interrupted.
const interruptible = (interrupted: Array<number>) =>
  Effect.onInterrupt(Effect.never, () => Effect.map(now, (at) => void interrupted.push(at)))

describe("a deadline while a schema is still at work", () => {
  const Slow = Schema.String.pipe(
    Schema.decode({
      decode: SchemaGetter.transformEffect((text: string) => text === "quick" ? Effect.succeed(text) : Effect.never),
      encode: SchemaGetter.transform((text: string) => text)
    })
  )
  class Slowly extends Connector.Source<Slowly>()("slowly", Slow) {}

  it.effect("is a timeout of the decode step, and no invalid payload", () =>
    Effect.gen(function*() {
      const task = Task.consumer("slow", Slowly, () => Effect.void).pipe(
        Task.deadLetter(Dead),
        Task.policy({ transaction: { timeout: "1 second" } })
      )
      const [outcome] = yield* outcomes(task)
      assert.strictEqual(outcome?._tag, "timeout")
      assert.deepInclude(outcome?.failure, { step: "decode", category: "timeout" })
      const [letter] = yield* Memory.letters(Dead)
      assert.match(letter?.reason ?? "", /^decode failed: .*1000 ms/)
    }).pipe(Effect.provide([
      Memory.sourceEncoded(Slowly, [Transaction.make("1", "one")]),
      Memory.deadLetters(Dead)
    ])))

  const ordered = Task.consumer("ordered", Slowly, () => Effect.void).pipe(
    Task.orderBy(({ payload }) => payload),
    Task.policy({ loop: { concurrency: 3 }, transaction: { timeout: "1 second" } })
  )
  const three = Memory.sourceEncoded(Slowly, [
    Transaction.make("1", "quick"),
    Transaction.make("2", "slow"),
    Transaction.make("3", "quick")
  ])

  it.effect("is the same where the order depends on the payload: the others of its fetch go on", () =>
    Effect.gen(function*() {
      const ended = yield* outcomes(ordered)
      assert.deepStrictEqual(ended.map(({ _tag, failure }) => [_tag, failure?.step, failure?.category]), [
        ["succeeded", undefined, undefined],
        ["timeout", "decode", "timeout"],
        ["succeeded", undefined, undefined]
      ])
    }).pipe(Effect.provide(three)))

  it.effect("a drain releases what was being decoded for its order", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Task.run(ordered))
      yield* TestClock.adjust("500 millis")
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust(0)
      assert.isDefined(fiber.pollUnsafe())
      const { inFlight, ready } = yield* Memory.contents(Slowly)
      assert.deepStrictEqual([inFlight.length, ready.map(({ id }) => id)], [0, ["1", "2", "3"]])
    }).pipe(Effect.provide(three)))
})

describe("an attempt's timeout", () => {
  it.effect("interrupts the attempt, is tried again, and fails for good as a timeout that is no timeout of the transaction", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const task = Task.consumer("hanging", Numbers, () => interruptible(interrupted)).pipe(
        Task.policy({ process: { timeout: "2 seconds", retry: { maxAttempts: 3, backoff: "1 second" } } }),
        Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual(interrupted, [2000, 5000, 8000])
      assert.deepStrictEqual([outcome?._tag, told.length], ["failed", 1])
      assert.deepInclude(told[0], { step: "process", category: "timeout", attempts: 3 })
      if (told[0]?.step === "process") {
        const error = Cause.squash(told[0].cause)
        assert.instanceOf(error, Cause.TimeoutError)
        assert.include(error.message, "exceeded its timeout of 2000 ms")
      }
    }).pipe(Effect.provide(source(1))))

  it.effect("is not asked of the task's decisions: it is not one of its errors", () =>
    Effect.gen(function*() {
      let asked = 0
      const task = Task.consumer("hanging", Numbers, () => Effect.never as Effect.Effect<never, Refused>).pipe(
        Task.policy({ process: { timeout: "1 second", retry: { maxAttempts: 2 } } }),
        Task.decide(() => {
          asked++
          throw new Error("asked")
        })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts, asked], ["failed", 2, 0])
    }).pipe(Effect.provide(source(1))))

  it.effect("of the success step does not run the program again", () =>
    Effect.gen(function*() {
      let ran = 0
      const task = Task.consumer("telling", Numbers, () => Effect.sync(() => void ran++)).pipe(
        Task.onSuccess(() => Effect.never),
        Task.policy({ success: { timeout: "1 second", retry: { maxAttempts: 2 } } })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([ran, outcome?._tag], [1, "failed"])
      assert.deepInclude(outcome?.failure, { step: "success", category: "timeout", attempts: 2 })
    }).pipe(Effect.provide(source(1))))

  it.effect("of the dispatch step makes a sink that hangs a reason to try again", () =>
    Effect.gen(function*() {
      const task = Task.consumer("sending", Numbers, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
        Task.policy({ dispatch: { timeout: "5 seconds" } })
      )
      const [outcome] = yield* outcomes(task)
      assert.strictEqual(outcome?._tag, "succeeded")
      assert.strictEqual((yield* Memory.received(Results)).length, 1)
    }).pipe(
      Effect.provide([
        source(1),
        Memory.sink(Results).pipe(Faults.sink(Results, { dispatch: Faults.first(2, Faults.hang()) }))
      ])
    ))
})

describe("the transaction's deadline", () => {
  it.effect("really interrupts the work: category and outcome timeout, one exception step", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const task = Task.consumer("hanging", Numbers, () => interruptible(interrupted)).pipe(
        Task.policy({ transaction: { timeout: "5 seconds" }, process: { retry: { maxAttempts: 9 } } }),
        Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual(interrupted, [5000])
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["timeout", "DeadLetter"])
      assert.strictEqual(told.length, 1)
      assert.deepInclude(told[0], { step: "process", category: "timeout", attempts: 1 })
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.include(deadLetters[0]?.reason, "the transaction's deadline of 5000 ms passed")
    }).pipe(Effect.provide(source(1))))

  it.effect("is 60 seconds unless set, and none when there is none", () =>
    Effect.gen(function*() {
      const log: Array<number> = []
      const slow = Task.consumer("slow", Numbers, () => interruptible(log))
      yield* outcomes(slow).pipe(Effect.provide(source(1)))
      assert.deepStrictEqual(log, [60_000])
      const patient = Task.consumer("slow", Numbers, () => Effect.sleep("1 hour")).pipe(
        Task.policy({ transaction: { timeout: Duration.infinity } })
      )
      const [outcome] = yield* outcomes(patient, "2 hours").pipe(Effect.provide(source(1)))
      assert.strictEqual(outcome?._tag, "succeeded")
    }))

  it.effect("covers all steps together, and all waits", () =>
    Effect.gen(function*() {
      const steps: Array<[string, Task.Any<unknown, Numbers>]> = []
      const telling = (name: string) =>
        Task.onFailure((failure: Failure.Failure<{ readonly n: number }, Refused>) =>
          Effect.sync(() => void log.push(`${name}: ${failure.step} ${failure.category}`))
        )
      const log: Array<string> = []
      const policy = Task.policy({
        transaction: { timeout: "10 seconds" },
        process: { retry: { maxAttempts: 9, backoff: "4 seconds" } }
      })
      steps.push([
        "process",
        Task.consumer("process", Numbers, () => Effect.andThen(Effect.sleep("4 seconds"), Effect.fail(new Refused())))
          .pipe(policy, telling("process"))
      ])
      steps.push([
        "success",
        Task.consumer("success", Numbers, () => Effect.sleep("6 seconds") as Effect.Effect<void, Refused>)
          .pipe(policy, Task.onSuccess(() => Effect.sleep("6 seconds")), telling("success"))
      ])
      for (const [, task] of steps) {
        const fiber = yield* Effect.forkChild(Task.run(task).pipe(Effect.provide(source(1))))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      }
      assert.deepStrictEqual(log, ["process: process timeout", "success: success timeout"])
    }))

  it.effect("gives up a dispatch that never answers", () =>
    Effect.gen(function*() {
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const task = Task.consumer("sending", Numbers, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
        Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
      )
      const told2 = yield* outcomes(task)
      assert.deepStrictEqual(told2.map(({ _tag }) => _tag), ["timeout", "succeeded"])
      assert.deepInclude(told[0], { step: "dispatch", category: "timeout" })
    }).pipe(
      Effect.provide([
        source(2),
        Memory.sink(Results).pipe(Faults.sink(Results, { dispatch: Faults.at(1, Faults.hang()) }))
      ])
    ))

  it.effect("does not cut the exception step, nor the dead letter, nor the settlement", () =>
    Effect.gen(function*() {
      const task = Task.consumer("hanging", Numbers, () => Effect.never).pipe(
        Task.policy({ transaction: { timeout: "1 second" } }),
        Task.onFailure(() => Effect.sleep("20 seconds")),
        Task.deadLetter(Dead)
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["timeout", "Ack"])
      assert.strictEqual((yield* Memory.letters(Dead)).length, 1)
    }).pipe(
      Effect.provide([
        source(1).pipe(Faults.source(Numbers, { settle: Faults.at(1, Faults.late("20 seconds")) })),
        Memory.deadLetters(Dead).pipe(Faults.deadLetters(Dead, { dispatch: Faults.at(1, Faults.late("20 seconds")) }))
      ])
    ))

  it.effect("ends with the start of the exception step, also before it has passed", () =>
    Effect.gen(function*() {
      const hooks: Array<string> = []
      const task = Task.consumer("failing", Numbers, () => Effect.fail(new Refused())).pipe(
        Task.policy({ transaction: { timeout: "1 second" } }),
        Task.onFailure(({ category }) => Effect.delay(Effect.sync(() => void hooks.push(category)), "20 seconds"))
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, hooks], ["failed", ["business"]])
    }).pipe(Effect.provide(source(1))))

  it.effect("an exception step that runs out of its own budget ends in a requeue, not in a second exception step", () =>
    Effect.gen(function*() {
      let hooks = 0
      const task = Task.consumer("hanging", Numbers, () => Effect.never).pipe(
        Task.policy({ transaction: { timeout: "1 second" }, loop: { limit: 1 } }),
        Task.onFailure(() => Effect.suspend(() => (hooks++, Effect.never)))
      )
      const [outcome] = yield* outcomes(task, "31 seconds")
      assert.deepStrictEqual([outcome?._tag, hooks], ["requeued", 1])
    }).pipe(Effect.provide(source(1))))
})

describe("work that resists its interruption", () => {
  it.effect("keeps its slot, is reported, and its late result is ignored", () =>
    Effect.gen(function*() {
      const starts: Array<[number, number]> = []
      const control = yield* Control.make
      const task = Task.consumer("resisting", Numbers, ({ payload }) =>
        Effect.gen(function*() {
          starts.push([payload.n, yield* now])
          if (payload.n === 0) yield* Effect.uninterruptible(Effect.sleep("20 seconds"))
          return payload.n
        })).pipe(
          Task.policy({ transaction: { timeout: "5 seconds" } }),
          Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n))
        )
      const fiber = yield* Effect.forkChild(Task.run(task, { control }))
      yield* TestClock.adjust("10 seconds")
      const status = yield* control.status
      assert.deepInclude(status, { inFlight: 1, resisting: 1 })
      assert.deepStrictEqual(starts, [[0, 0]])
      yield* TestClock.adjust("1 minute")
      const summary = yield* Fiber.join(fiber)
      assert.deepStrictEqual([summary.timeout, summary.succeeded], [1, 1])
      assert.deepStrictEqual(starts, [[0, 0], [1, 20_000]])
      assert.deepStrictEqual((yield* Memory.received(Results)).map(({ id }) => id), ["n-1"])
    }).pipe(Effect.provide([source(2), Memory.sink(Results)])))

  it.effect("an attempt's timeout that is resisted becomes the deadline's, and only one exception step follows", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const task = Task.consumer("resisting", Numbers, () => Effect.uninterruptible(Effect.sleep("20 seconds"))).pipe(
        Task.policy({
          transaction: { timeout: "5 seconds" },
          process: { timeout: "1 second", retry: { maxAttempts: 3 } }
        }),
        Task.onFailure((failure) => Effect.sync(() => void told.push(`${failure.category} ${failure.attempts}`)))
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, told], ["timeout", ["timeout 1"]])
    }).pipe(Effect.provide(source(1))))
})

describe("a deadline within a lease", () => {
  // A lease of 10 seconds that cannot be extended.
  const leased = (count: number) =>
    Layer.effect(
      Numbers,
      Effect.map(Numbers, ({ source }) => {
        const { extend: _, isHeld: __, ...rest } = source
        const lease = { duration: Duration.seconds(10), extend: false }
        return { source: { ...rest, capabilities: { ...source.capabilities, lease } } }
      })
    ).pipe(Layer.provide(source(count, { lease: "10 seconds" })))

  it.effect("is clipped to it, where it cannot be extended", () =>
    Effect.gen(function*() {
      const interrupted: Array<number> = []
      const task = Task.consumer("hanging", Numbers, () => interruptible(interrupted)).pipe(
        Task.policy({ loop: { limit: 1 } })
      )
      yield* outcomes(task)
      assert.deepStrictEqual(interrupted, [10_000])
    }).pipe(Effect.provide(leased(1))))

  it.effect("what waited for longer than its lease is not started", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const task = Task.consumer("slow", Numbers, ({ payload }) =>
        Effect.suspend(() => {
          starts.push(payload.n)
          return Effect.sleep("6 seconds")
        })).pipe(Task.policy({ loop: { limit: 3 }, fetch: { prefetch: 2, batch: { size: 3 } } }))
      const told = yield* outcomes(task)
      assert.deepStrictEqual(starts, [0, 1])
      assert.strictEqual(told.find(({ transaction }) => transaction.id === "n-2")?._tag, "redelivered")
    }).pipe(Effect.provide(leased(3))))

  it.effect("a wait that would outlast it is not begun: requeued with that delay", () =>
    Effect.gen(function*() {
      const task = Task.consumer("failing", Numbers, () => Effect.fail(new Refused())).pipe(
        Task.policy({ loop: { limit: 1 }, process: { retry: { maxAttempts: 3, backoff: "12 seconds" } } })
      )
      const [outcome] = yield* outcomes(task, "1 second")
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts], ["requeued", 1])
      assert.deepStrictEqual(outcome?.disposition, Disposition.requeue("12 seconds"))
    }).pipe(Effect.provide(leased(1))))
})

describe("the time of a settlement", () => {
  const connection = new Reason.ConnectionLost({ message: "restarting" })

  it.effect("is the transaction's timeout once more, from its hand-over; the slot is free meanwhile", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const task = Task.consumer("seen", Numbers, ({ payload }) => Effect.sync(() => void seen.push(payload.n))).pipe(
        Task.policy({ transaction: { timeout: "20 seconds" } })
      )
      const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, [0, 1])
      yield* TestClock.adjust("1 minute")
      const told = yield* Fiber.join(fiber)
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["redelivered", "redelivered"])
    }).pipe(
      Effect.provide(
        source(2).pipe(Faults.source(Numbers, { settle: Faults.always(Faults.failBefore(connection)) }))
      )
    ))
})
