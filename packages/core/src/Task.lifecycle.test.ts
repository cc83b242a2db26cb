import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  Connector,
  ConnectorError,
  Decision,
  Disposition,
  type Failure,
  Memory,
  Reason,
  Task,
  TaskError,
  Transaction
} from "./index.ts"
import { Faults } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Audit extends Connector.Sink<Audit>()("audit", Schema.String) {}

class Refused extends Schema.TaggedError<Refused>()("Refused", { code: Schema.Int }) {}
class Other extends Schema.TaggedError<Other>()("Other", {}) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)
const connection = new Reason.ConnectionLost({ message: "restarting" })
const invalid = new Reason.InvalidRequest({ message: "too large" })
const unknown = new Reason.Unknown({ message: "?" })

// Runs a task while the time goes by.
const run = <X, R>(task: Task.Any<X, R>, time: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(Task.run(task)))
    yield* TestClock.adjust(time)
    return yield* yield* Fiber.join(fiber)
  })

const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>, time: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

// A task that fails for everything, and keeps what its exception step is told.
const failing = <E>(cause: Cause.Cause<E>, told: Array<Failure.Failure<unknown, unknown>> = []) =>
  Task.consumer("failing", Numbers, () => Effect.failCause(cause)).pipe(
    Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
  )

const doubles = Task.consumer("doubles", Numbers, ({ payload }) => Effect.succeed(payload.n * 2)).pipe(
  Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n))
)

describe("decode", () => {
  const broken = [Transaction.make("broken", { n: "three" }), Transaction.make("fine", { n: 3 })]

  it.effect("a payload that does not fit is invalid: not processed, never retried, dead-lettered with its problems", () =>
    Effect.gen(function*() {
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const seen: Array<number> = []
      const task = Task.consumer("decoding", Numbers, ({ payload }) => Effect.sync(() => void seen.push(payload.n)))
        .pipe(
          Task.policy({ process: { retry: { maxAttempts: 3 } } }),
          Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
        )
      const summary = yield* run(task)
      assert.deepStrictEqual([summary.succeeded, summary.deadLettered, summary.retries], [1, 1, 0])
      assert.deepStrictEqual(seen, [3])
      const [failure] = told
      assert.deepStrictEqual([told.length, failure?.step, failure?.category], [1, "decode", "invalid"])
      assert.deepStrictEqual(failure?.transaction, broken[0])
      if (failure?.step === "decode") assert.include(failure.issue.message, `at ["n"]`)
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual(deadLetters.map(({ transaction }) => transaction.id), ["broken"])
      assert.deepStrictEqual(deadLetters[0]?.letter?.payload, { n: "three" })
      assert.match(deadLetters[0]?.reason ?? "", /^invalid payload: /)
    }).pipe(Effect.provide(Memory.sourceEncoded(Numbers, broken))))

  it.effect("what the source could not even read is invalid, for the source's reason", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(doubles)
      assert.deepStrictEqual([outcome?._tag, outcome?.failure?.category], ["failed", "invalid"])
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.include(deadLetters[0]?.reason, "line 7 is torn")
    }).pipe(Effect.provide([source(1, { malformed: () => "line 7 is torn" }), Memory.sink(Results)])))
})

describe("process", () => {
  it.effect("a failure with attempts left waits and is tried again", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const task = Task.consumer("trying", Numbers, () =>
        Effect.clockWith((clock) =>
          starts.push(clock.currentTimeMillisUnsafe()) < 3 ? Effect.fail(new Other()) : Effect.void
        )).pipe(
          Task.policy({ process: { retry: { maxAttempts: 3, backoff: "1 second", multiplier: 2 } } })
        )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts], ["succeeded", 3])
      assert.deepStrictEqual(starts, [0, 1000, 3000])
    }).pipe(Effect.provide(source(1))))

  it.effect("a failure for good tells step, category, attempts, transaction and the untouched cause", () =>
    Effect.gen(function*() {
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const cause = Cause.combine(Cause.fail(new Refused({ code: 7 })), Cause.die("and a defect"))
      const task = failing(cause, told).pipe(Task.policy({ process: { retry: { maxAttempts: 2 } } }))
      const [outcome] = yield* outcomes(task)
      assert.strictEqual(outcome?._tag, "failed")
      assert.strictEqual(told.length, 1)
      const [failure] = told
      assert.deepInclude(failure, { step: "process", category: "business", attempts: 2, deliveries: 0 })
      assert.strictEqual(failure?.transaction.id, "n-0")
      assert.deepStrictEqual(failure?.transaction.payload, { n: 0 })
      if (failure?.step === "process") assert.deepStrictEqual(failure.cause, cause)
      assert.strictEqual(outcome?.failure, failure)
    }).pipe(Effect.provide(source(1))))

  it.effect("a defect is not retried, and is a failure of the system", () =>
    Effect.gen(function*() {
      const told: Array<Failure.Failure<unknown, unknown>> = []
      const task = failing(Cause.die(new Error("broken")), told).pipe(
        Task.policy({ process: { retry: { maxAttempts: 5 } } })
      )
      yield* run(task)
      assert.deepInclude(told[0], { step: "process", category: "system", attempts: 1 })
    }).pipe(Effect.provide(source(1))))

  it.effect("a function that throws instead of returning an effect is a defect", () =>
    Effect.gen(function*() {
      const task = Task.consumer("throwing", Numbers, (): Effect.Effect<void> => {
        throw new Error("not even an effect")
      })
      const [outcome] = yield* outcomes(task)
      assert.strictEqual(outcome?.failure?.category, "system")
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.strictEqual(deadLetters[0]?.reason, "process failed: Error: not even an effect")
    }).pipe(Effect.provide(source(1))))

  it.effect("a program that interrupts itself has failed, and does not stop the run", () =>
    Effect.gen(function*() {
      const task = Task.consumer(
        "interrupting",
        Numbers,
        ({ payload }) => payload.n === 0 ? Effect.interrupt : Effect.void
      )
      const summary = yield* run(task)
      assert.deepStrictEqual([summary.succeeded, summary.deadLettered], [1, 1])
    }).pipe(Effect.provide(source(2))))

  it.effect("a non-retryable error is not tried again, and nobody decides about it", () =>
    Effect.gen(function*() {
      let tries = 0
      const task = Task.consumer("closed", Numbers, () =>
        Effect.suspend(() => {
          tries++
          return Decision.nonRetryable(new Refused({ code: 1 }))
        })).pipe(
          Task.policy({ process: { retry: { maxAttempts: 5 } } }),
          Task.decide({ Refused: () => Decision.retry })
        )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([tries, outcome?._tag, outcome?.failure?.category], [1, "failed", "business"])
    }).pipe(Effect.provide(source(1))))

  it.effect("what an attempt acquires is released when the attempt ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("acquiring", Numbers, () =>
        Effect.gen(function*() {
          yield* Effect.acquireRelease(Effect.sync(() => log.push("open")), () => Effect.sync(() => log.push("close")))
          if (log.length < 4) return yield* new Other()
          log.push("work")
        })).pipe(
          Task.policy({ process: { retry: { maxAttempts: 3 } } }),
          Task.onSuccess(() => Effect.sync(() => log.push("success")))
        )
      yield* run(task)
      assert.deepStrictEqual(log, ["open", "close", "open", "close", "open", "work", "close", "success"])
    }).pipe(Effect.provide(source(1))))
})

describe("what an attempt starts", () => {
  for (const waits of [false, true]) {
    it.effect(`ends with the attempt that ${waits ? "waits" : "ends at once"}`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const background = (name: string) =>
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push(`${name} interrupted`)))
        const task = Task.consumer("starting", Numbers, () =>
          Effect.gen(function*() {
            yield* Effect.forkChild(background("child"), { startImmediately: true })
            yield* Effect.forkScoped(background("scoped"), { startImmediately: true })
            if (waits) yield* Effect.sleep("1 second")
          })).pipe(Task.onSuccess(() => Effect.sync(() => void log.push("success"))))
        const summary = yield* run(task)
        assert.strictEqual(summary.succeeded, 1)
        assert.sameMembers(log.slice(0, 2), ["child interrupted", "scoped interrupted"])
        assert.deepStrictEqual(log.slice(2), ["success"])
      }).pipe(Effect.provide(source(1))))
  }

  it.effect("is released before the transaction is given back to its source, also at the deadline", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("starting", Numbers, () =>
        Effect.gen(function*() {
          yield* Effect.addFinalizer(() => Effect.delay(Effect.sync(() => void log.push("released")), "3 seconds"))
          return yield* Effect.never
        })).pipe(
          Task.policy({ transaction: { timeout: "1 second" } }),
          Task.onFailure(() => Effect.sync(() => void log.push("exception")))
        )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, log], ["timeout", ["released", "exception"]])
    }).pipe(Effect.provide(source(1))))

  it.effect("a finalizer that fails is a defect of the attempt", () =>
    Effect.gen(function*() {
      const task = Task.consumer("starting", Numbers, () => Effect.addFinalizer(() => Effect.die("cannot close"))).pipe(
        Task.policy({ process: { retry: { maxAttempts: 3 } } })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepInclude(outcome?.failure, { step: "process", category: "system", attempts: 1 })
    }).pipe(Effect.provide(source(1))))
})

describe("decisions", () => {
  const tried: Array<string> = []
  const deciding = (decision: Decision.Decision, fails = 1) =>
    Task.consumer("deciding", Numbers, ({ id, payload }) =>
      Effect.suspend(() => {
        tried.push(id)
        const tries = tried.filter((one) => one === id).length
        return payload.n === 0 && tries <= fails ? Effect.fail(new Refused({ code: 1 })) : Effect.void
      })).pipe(
        Task.policy({ process: { retry: { maxAttempts: 3, backoff: "1 second" } } }),
        Task.decide({ Refused: () => decision })
      )
  const decided = (decision: Decision.Decision, fails?: number) =>
    Effect.suspend(() => {
      tried.length = 0
      return outcomes(deciding(decision, fails))
    })

  it.effect("retryAfter waits for its own delay", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(decided(Decision.retryAfter("40 seconds")))
      yield* TestClock.adjust("39 seconds")
      assert.deepStrictEqual(tried, ["n-0"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tried, ["n-0", "n-0"])
      const [outcome] = yield* Fiber.join(fiber)
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts], ["succeeded", 2])
    }).pipe(Effect.provide(source(1))))

  it.effect("a wait that would outlast the deadline is not begun: requeued with that delay", () =>
    Effect.gen(function*() {
      const [outcome] = yield* decided(Decision.retryAfter("61 seconds"))
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts], ["requeued", 1])
      assert.deepStrictEqual(outcome?.disposition, Disposition.requeue("61 seconds"))
    }).pipe(Effect.provide(source(1))))

  it.effect("requeue gives it back for later, with a higher count and without an exception step", () =>
    Effect.gen(function*() {
      const [first, second] = yield* decided(Decision.requeue())
      assert.deepStrictEqual([first?._tag, first?.deliveries, first?.failure], ["requeued", 0, undefined])
      assert.deepStrictEqual([second?._tag, second?.deliveries], ["succeeded", 1])
    }).pipe(Effect.provide(source(1))))

  it.effect("deadLetter gives it up with attempts left", () =>
    Effect.gen(function*() {
      const [outcome] = yield* decided(Decision.deadLetter)
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "DeadLetter"])
      assert.deepStrictEqual(tried, ["n-0"])
    }).pipe(Effect.provide(source(1))))

  it.effect("discard acknowledges it, and nothing is kept", () =>
    Effect.gen(function*() {
      const [outcome] = yield* decided(Decision.discard)
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "Ack"])
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).deadLetters, [])
    }).pipe(Effect.provide(source(1))))

  it.effect("abort releases it, drains, and fails the run with the task's error", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("aborting", Numbers, ({ id, payload }) =>
        Effect.gen(function*() {
          yield* Effect.sleep(payload.n === 1 ? "1 second" : "5 seconds")
          if (payload.n === 1) return yield* new Refused({ code: 9 })
          log.push(id)
        })).pipe(
          Task.decide({ Refused: Decision.abort }),
          Task.onFailure(() => Effect.sync(() => void log.push("exception"))),
          Task.policy({ loop: { concurrency: 3 }, fetch: { prefetch: 2 } })
        )
      const error = yield* Effect.flip(run(task))
      assert.instanceOf(error, TaskError.Aborted)
      assert.deepStrictEqual(error.cause, new Refused({ code: 9 }))
      assert.deepStrictEqual([error.transaction, error.reason], ["n-1", "Refused"])
      // Those that ran beside it have finished; the others go back untouched.
      assert.deepStrictEqual(log, ["n-0", "n-2"])
      const { acked, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, inFlight], [["n-0", "n-2"], []])
      assert.sameMembers(ready.map(({ id }) => id), ["n-1", "n-3", "n-4", "n-5"])
    }).pipe(Effect.provide(source(6))))

  it.effect("a function decides about errors without tags", () =>
    Effect.gen(function*() {
      const tries: Array<string> = []
      const task = Task.consumer("untagged", Numbers, ({ id, payload }) =>
        Effect.suspend(() => {
          tries.push(id)
          return Effect.fail(payload.n === 0 ? "busy" : 404)
        })).pipe(
          Task.policy({ process: { retry: { maxAttempts: 2 } } }),
          Task.decide((error: string | number) => error === "busy" ? Decision.retry : Decision.discard)
        )
      const summary = yield* run(task)
      assert.deepStrictEqual(tries, ["n-0", "n-0", "n-1"])
      assert.deepStrictEqual([summary.deadLettered, summary.discarded], [1, 1])
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.strictEqual(deadLetters[0]?.reason, "process failed after 2 attempts: busy")
    }).pipe(Effect.provide(source(2))))

  it.effect("a decision that throws, or is none, is a defect of the task", () =>
    Effect.gen(function*() {
      const fails = Task.consumer("deciding badly", Numbers, ({ payload }) => Effect.fail(payload.n))
      const task = fails.pipe(
        Task.decide((n: number): Decision.Decision => {
          if (n === 0) throw new Error("cannot decide")
          return undefined as unknown as Decision.Decision
        }),
        Task.policy({ process: { retry: { maxAttempts: 3 } } })
      )
      const told = yield* outcomes(task)
      assert.deepStrictEqual(
        told.map(({ _tag, attempts, failure }) => [_tag, attempts, failure?.category]),
        [["failed", 1, "system"], ["failed", 1, "system"]]
      )
    }).pipe(Effect.provide(source(2))))
})

describe("dispatch", () => {
  const faulty = (plan: Faults.Plan) => Memory.sink(Results).pipe(Faults.sink(Results, { dispatch: plan }))

  it.effect("a retryable reason is tried again whatever maxAttempts says", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(doubles)
      assert.deepStrictEqual([outcome?._tag, outcome?.attempts], ["succeeded", 1])
      assert.deepStrictEqual((yield* Memory.received(Results)).length, 1)
    }).pipe(Effect.provide([source(1), faulty(Faults.first(6, Faults.failBefore(connection)))])))

  it.effect("and requeued at the deadline: nothing is wrong with the transaction", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const task = doubles.pipe(
        Task.policy({ transaction: { timeout: "20 seconds" }, loop: { limit: 1 } }),
        Task.onFailure((failure) => Effect.sync(() => void told.push(failure)))
      )
      const [outcome] = yield* outcomes(task, "19 seconds")
      assert.strictEqual(outcome?._tag, "requeued")
      assert.deepStrictEqual(told, [])
      const { delayed, ready } = yield* Memory.contents(Numbers)
      assert.strictEqual(delayed.length + ready.length, 1)
    }).pipe(Effect.provide([source(1), faulty(Faults.always(Faults.failBefore(connection)))])))

  it.effect("Throttled is left alone for as long as it asks", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(run(doubles, "12 seconds"))
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* Memory.received(Results)).length, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).succeeded, 1)
    }).pipe(
      Effect.provide([
        source(1),
        faulty(Faults.at(1, Faults.failBefore(new Reason.Throttled({ message: "slow", retryAfter: 12_000 }))))
      ])
    ))

  it.effect("a reason that is not retryable is a failure of the system for good", () =>
    Effect.gen(function*() {
      const task = doubles.pipe(Task.policy({ dispatch: { retry: { maxAttempts: 5 } } }))
      const [outcome] = yield* outcomes(task)
      assert.strictEqual(outcome?._tag, "failed")
      assert.deepInclude(outcome?.failure, { step: "dispatch", category: "system", attempts: 1 })
      assert.strictEqual(outcome?.result, 0)
    }).pipe(Effect.provide([source(1), faulty(Faults.first(1, Faults.failBefore(invalid)))])))

  for (const [what, fault] of [["Unknown", Faults.failBefore(unknown)], ["a defect", Faults.die("bug")]] as const) {
    it.effect(`${what} of the sink gets the attempts of the policy`, () =>
      Effect.gen(function*() {
        const task = doubles.pipe(Task.policy({ dispatch: { retry: { maxAttempts: 3 } } }))
        const [outcome] = yield* outcomes(task)
        assert.deepInclude(outcome?.failure, { step: "dispatch", category: "system", attempts: 3 })
      }).pipe(Effect.provide([source(1), faulty(Faults.always(fault))])))
  }

  it.effect("no output is none to be confirmed", () =>
    Effect.gen(function*() {
      const task = doubles.pipe(Task.dispatch(Audit, () => []))
      const summary = yield* run(task)
      assert.strictEqual(summary.succeeded, 2)
      assert.deepStrictEqual([(yield* Memory.received(Results)).length, (yield* Memory.received(Audit)).length], [2, 0])
    }).pipe(Effect.provide([source(2), Memory.sink(Results), Memory.sink(Audit)])))

  it.effect("several outputs go to several sinks; one that confirmed is not sent to again", () =>
    Effect.gen(function*() {
      const task = doubles.pipe(
        Task.dispatch(Audit, ({ id }) => [Transaction.make(`${id}-a`, "a"), Transaction.make(`${id}-b`, "b")])
      )
      const summary = yield* run(task)
      assert.deepStrictEqual([summary.succeeded, summary.retries], [1, 2])
      assert.deepStrictEqual((yield* Memory.received(Results)).map(({ id }) => id), ["n-0"])
      assert.deepStrictEqual((yield* Memory.received(Audit)).map(({ id }) => id), ["n-0-a", "n-0-b"])
    }).pipe(
      Effect.provide([
        source(1),
        Memory.sink(Results),
        Memory.sink(Audit).pipe(
          // The first one of the two, then everything of the second try.
          Faults.sink(Audit, {
            dispatch: Faults.sequence([Faults.failBefore(connection), Faults.failBefore(connection)])
          })
        )
      ])
    ))

  it.effect("of a batch that fails in part only what failed is sent again", () =>
    Effect.gen(function*() {
      const task = doubles.pipe(Task.policy({ loop: { concurrency: 4 } }))
      assert.strictEqual((yield* run(task)).succeeded, 4)
      assert.deepStrictEqual(
        (yield* Memory.received(Results)).map(({ id }) => id),
        ["n-0", "n-2", "n-3", "n-1"]
      )
    }).pipe(Effect.provide([source(4), faulty(Faults.at(1, Faults.partly([1], connection)))])))

  it.effect("one that spoils its batch fails alone", () =>
    Effect.gen(function*() {
      const told = yield* outcomes(doubles.pipe(Task.policy({ loop: { concurrency: 4 } })))
      assert.sameDeepMembers(
        told.map(({ _tag, transaction }) => [transaction.id, _tag]),
        [["n-0", "succeeded"], ["n-1", "failed"], ["n-2", "succeeded"], ["n-3", "succeeded"]]
      )
    }).pipe(
      Effect.provide([
        source(4),
        Connector.layerSink(
          Results,
          Effect.succeed({
            format: "json" as const,
            dispatch: (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) =>
              transactions.some(({ id }) => id === "n-1")
                ? Effect.fail(new ConnectorError.DispatchError({ reason: invalid }))
                : Effect.void
          })
        )
      ])
    ))

  it.effect("a result that does not encode, and a function that throws, fail for good", () =>
    Effect.gen(function*() {
      const task = Task.consumer("sending", Numbers, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Results, ({ id }, n) => {
          if (n === 1) throw new Error("no output")
          return Transaction.make(id, n === 0 ? 0.5 : n)
        })
      )
      const told = yield* outcomes(task)
      assert.deepStrictEqual(
        told.map(({ _tag, failure }) => [_tag, failure?.step, failure?.attempts]),
        [["failed", "dispatch", 1], ["failed", "dispatch", 1], ["succeeded", undefined, undefined]]
      )
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.include(deadLetters[1]?.reason, "no output")
    }).pipe(Effect.provide([source(3), Memory.sink(Results)])))
})

describe("success", () => {
  it.effect("a success step that fails is tried again, without the program, and then goes to the exception step", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("telling", Numbers, () => Effect.sync(() => void log.push("process"))).pipe(
        Task.dispatch(Results, ({ id }) => Transaction.make(id, 1)),
        Task.onSuccess(() =>
          Effect.suspend(() => {
            log.push("success")
            return Effect.fail(new Other())
          })
        ),
        Task.onFailure((failure) => Effect.sync(() => void log.push(`${failure.step} ${failure.category}`))),
        Task.policy({ success: { retry: { maxAttempts: 2 } } })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual(log, ["process", "success", "success", "success business"])
      assert.deepStrictEqual([outcome?._tag, outcome?.failure?.attempts], ["failed", 2])
      assert.strictEqual((yield* Memory.received(Results)).length, 1)
    }).pipe(Effect.provide([source(1), Memory.sink(Results)])))

  it.effect("it runs after every sink has confirmed and before the settlement", () =>
    Effect.gen(function*() {
      const seen: Array<ReadonlyArray<number>> = []
      const task = doubles.pipe(
        Task.onSuccess(() =>
          Effect.gen(function*() {
            const { acked } = yield* Memory.contents(Numbers)
            seen.push([(yield* Memory.received(Results)).length, acked.length])
          })
        )
      )
      yield* run(task)
      assert.deepStrictEqual(seen, [[1, 0]])
    }).pipe(Effect.provide([source(1), Memory.sink(Results)])))

  it.effect("a defect in it is not tried again", () =>
    Effect.gen(function*() {
      const task = doubles.pipe(
        Task.onSuccess((): Effect.Effect<void> => {
          throw new Error("broken")
        }),
        Task.policy({ success: { retry: { maxAttempts: 4 } } })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepInclude(outcome?.failure, { step: "success", category: "system", attempts: 1 })
    }).pipe(Effect.provide([source(1), Memory.sink(Results)])))
})
