import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Decision, Memory, Reason, Task, TaskError, Transaction } from "./index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)

// Doubles even numbers and refuses odd ones; says what ran.
const halves = (log: Array<string> = []) =>
  Task.consumer("halves", Numbers, ({ payload: { n } }) =>
    Effect.suspend(() => {
      log.push("process")
      return n % 2 === 0 ? Effect.succeed(n / 2) : Effect.fail(new Refused())
    })).pipe(
      Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
      Task.onSuccess(() => Effect.sync(() => void log.push("success"))),
      Task.onFailure(() => Effect.sync(() => void log.push("exception")))
    )

const streaming = Task.policy({
  loop: { streaming: true, mode: "batch", limit: 0 },
  fetch: { batch: { interval: "1 hour" } }
})

describe("runTransaction", () => {
  it.effect("leads one through every step and settles nothing", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const outcome = yield* Task.runTransaction(halves(log), Transaction.make("one", { n: 4 }))
      assert.deepInclude(outcome, { _tag: "succeeded", result: 2, attempts: 1, deliveries: 0 })
      assert.deepStrictEqual(log, ["process", "success"])
      assert.deepStrictEqual((yield* Memory.received(Results)).map(({ id }) => id), ["one"])
      const { acked, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, ready.length], [[], 2])
    }).pipe(Effect.provide([source(2), Memory.sink(Results)])))

  it.effect("that fails runs the exception step, and its letter goes to the task's sink", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = halves(log).pipe(Task.deadLetter(Dead))
      const outcome = yield* Task.runTransaction(task, Transaction.make("one", { n: 3 }))
      assert.deepStrictEqual([outcome._tag, outcome.failure?.step], ["failed", "process"])
      assert.deepStrictEqual(log, ["process", "exception"])
      assert.deepStrictEqual((yield* Memory.letters(Dead)).map(({ id }) => id), ["one"])
    }).pipe(Effect.provide([source(0), Memory.sink(Results), Memory.deadLetters(Dead)])))

  it.effect("only says what would be requeued", () =>
    Effect.gen(function*() {
      const task = halves().pipe(Task.decide({ Refused: () => Decision.requeue("1 hour") }))
      const outcome = yield* Task.runTransaction(task, Transaction.make("one", { n: 3 }))
      assert.strictEqual(outcome._tag, "requeued")
    }).pipe(Effect.provide([source(0), Memory.sink(Results)])))

  it.effect("has the same deadline and the same retries", () =>
    Effect.gen(function*() {
      const task = Task.consumer("hanging", Numbers, () => Effect.never).pipe(
        Task.policy({ process: { timeout: "40 seconds", retry: { maxAttempts: 3 } } })
      )
      const fiber = yield* Effect.forkChild(Task.runTransaction(task, Transaction.make("one", { n: 3 })))
      yield* TestClock.adjust("60 seconds")
      const outcome = yield* Fiber.join(fiber)
      assert.deepInclude(outcome, { _tag: "timeout", attempts: 2 })
    }).pipe(Effect.provide(source(0))))

  it.effect("runs whatever the loop's policy says", () =>
    Effect.gen(function*() {
      const outcome = yield* Task.runTransaction(halves().pipe(streaming), Transaction.make("one", { n: 4 }))
      assert.strictEqual(outcome._tag, "succeeded")
    }).pipe(Effect.provide([source(0), Memory.sink(Results)])))

  it.effect("fails with the task's error when it aborts", () =>
    Effect.gen(function*() {
      const task = halves().pipe(Task.decide({ Refused: Decision.abort }))
      const error = yield* Effect.flip(Task.runTransaction(task, Transaction.make("one", { n: 3 })))
      assert.instanceOf(error, TaskError.Aborted)
    }).pipe(Effect.provide([source(0), Memory.sink(Results)])))

  it.effect("needs no dead letters of the source", () =>
    Effect.gen(function*() {
      const outcome = yield* Task.runTransaction(halves(), Transaction.make("one", { n: 3 }))
      assert.strictEqual(outcome._tag, "failed")
    }).pipe(Effect.provide([source(0, { deadLetter: "none" }), Memory.sink(Results)])))
})

describe("runJson", () => {
  class Days extends Connector.Source<Days>()("days", Schema.Struct({ day: Schema.Date, n: Schema.BigInt })) {}
  const days = Memory.source(Days, [])

  it.effect("decodes the payload as JSON, and runs it", () =>
    Effect.gen(function*() {
      const task = Task.consumer("days", Days, ({ payload }) => Effect.succeed([payload.day.getUTCDate(), payload.n]))
      const outcome = yield* Task.runJson(task, Transaction.make("one", { day: "2026-01-31T00:00:00Z", n: "12" }))
      assert.deepInclude(outcome, { _tag: "succeeded", result: [31, 12n] })
    }).pipe(Effect.provide(days)))

  it.effect("runs no step when it does not fit, and names every problem", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("days", Days, () => Effect.sync(() => void log.push("process"))).pipe(
        Task.onFailure(() => Effect.sync(() => void log.push("exception")))
      )
      const error = yield* Effect.flip(Task.runJson(task, Transaction.make("one", { day: "never", n: 12 })))
      assert.instanceOf(error, Schema.SchemaError)
      assert.include(String(error), `["day"]`)
      assert.include(String(error), `["n"]`)
      assert.deepStrictEqual(log, [])
    }).pipe(Effect.provide(days)))

  it.effect("has no schema to read a producer's by", () =>
    Effect.gen(function*() {
      const load = Task.producer("load", numbers(1), () => Effect.void)
      const error = yield* Effect.flip(Task.runJson(load, Transaction.make("one", { n: 1 })))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.strictEqual(
        error.reason.message,
        `task "load" is a producer: its transactions have no schema to read them by`
      )
    }))

  it.effect("builds the Layers of the task, and those of its schema", () =>
    Effect.gen(function*() {
      const outcome = yield* Task.runJson(
        halves().pipe(Task.provide(Layer.merge(source(0), Memory.sink(Results)))),
        Transaction.make("one", { n: 4 })
      )
      assert.strictEqual(outcome._tag, "succeeded")
    }))
})

describe("count", () => {
  it.effect("is the source's", () =>
    Effect.gen(function*() {
      const task = halves().pipe(Task.provide(Layer.merge(source(3), Memory.sink(Results))))
      assert.deepStrictEqual(yield* Task.count(task), { ready: 3, inFlight: 0, delayed: 0 })
    }))

  it.effect("says where nothing can be counted", () =>
    Effect.gen(function*() {
      const message = <A, B, E, X>(task: Task.Task<A, B, E, never, X>) =>
        Effect.map(Effect.flip(Task.count(task)), String)
      const endless = Task.consumer("endless", Numbers, () => Effect.void).pipe(
        Task.provide(Memory.sourceFrom(Numbers, []))
      )
      assert.include(yield* message(endless), `source "numbers" cannot count`)
      const load = Task.producer("load", numbers(1), () => Effect.void)
      assert.include(yield* message(load), `task "load" is a producer: what is still to come cannot be counted`)
    }))
})

describe("runById", () => {
  it.effect("claims one transaction, runs it and settles it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const outcome = yield* Task.runById(halves(log).pipe(streaming), "n-2")
      assert.deepInclude(outcome, { _tag: "succeeded", result: 1 })
      assert.deepStrictEqual(log, ["process", "success"])
      const { acked, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, inFlight, ready.map(({ id }) => id)], [["n-2"], [], ["n-0", "n-1", "n-3"]])
    }).pipe(Effect.provide([source(4), Memory.sink(Results)])))

  it.effect("gives up and requeues at the source", () =>
    Effect.gen(function*() {
      const failed = yield* Task.runById(halves(), "n-1")
      assert.strictEqual(failed._tag, "failed")
      const later = yield* Task.runById(halves().pipe(Task.decide({ Refused: () => Decision.requeue() })), "n-3")
      assert.strictEqual(later._tag, "requeued")
      const { deadLetters, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual(deadLetters.map(({ transaction }) => transaction.id), ["n-1"])
      assert.deepStrictEqual(ready.map(({ id }) => id), ["n-0", "n-2", "n-3"])
    }).pipe(Effect.provide([source(4), Memory.sink(Results)])))

  it.effect("keeps the lease of what it runs", () =>
    Effect.gen(function*() {
      const slow = Task.consumer("slow", Numbers, () => Effect.sleep("30 seconds"))
      const fiber = yield* Effect.forkChild(Task.runById(slow, "n-0"))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "succeeded")
    }).pipe(Effect.provide(source(1, { lease: "9 seconds" }))))

  it.effect("an unknown id is NotFound, and no step runs", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const error = yield* Effect.flip(Task.runById(halves(log), "n-9"))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.deepStrictEqual([error.reason._tag, log], ["NotFound", []])
    }).pipe(Effect.provide([source(4), Memory.sink(Results)])))

  it.effect("a source that cannot look one up is Unsupported, and no step runs", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const error = yield* Effect.flip(Task.runById(halves(log), "n-0"))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.deepStrictEqual([error.reason._tag, log], ["Unsupported", []])
      assert.include(error.message, `the source of task "halves" cannot look up a transaction by its id`)
      const producer = Task.producer("producing", numbers(2), () => Effect.sync(() => void log.push("prepare")))
      const unsupported = yield* Effect.flip(Task.runById(producer, "n-0"))
      assert.instanceOf(unsupported, ConnectorError.FetchError)
      assert.deepStrictEqual([unsupported.reason._tag, log], ["Unsupported", []])
    }).pipe(Effect.provide([Memory.sourceFrom(Numbers, numbers(2)), Memory.sink(Results)])))

  it.effect("a source that does not answer is given up after the time of a fetch", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(Task.runById(halves(), "n-0")))
      yield* TestClock.adjust("32 seconds")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.strictEqual(error.reason._tag, "Timeout")
    }).pipe(
      Effect.provide([
        Layer.effect(
          Numbers,
          Effect.map(Numbers, ({ source }) => ({ source: { ...source, resolve: () => Effect.never } }))
        ).pipe(Layer.provide(source(1))),
        Memory.sink(Results)
      ])
    ))
})

describe("outcomes", () => {
  it.effect("tells of every delivery once its settlement is confirmed", () =>
    Effect.gen(function*() {
      const told = Task.outcomes(halves()).pipe(
        Stream.mapEffect((outcome) =>
          Effect.map(
            Memory.contents(Numbers),
            ({ acked, deadLetters }) => [outcome._tag, acked.length + deadLetters.length > 0]
          )
        ),
        Stream.runCollect
      )
      assert.deepStrictEqual(yield* told, [["succeeded", true], ["failed", true], ["succeeded", true]])
    }).pipe(Effect.provide([source(3), Memory.sink(Results)])))

  it.effect("a slow reader slows the run", () =>
    Effect.gen(function*() {
      let ran = 0
      const task = Task.consumer("fast", Numbers, () => Effect.sync(() => void ran++)).pipe(
        Task.policy({ loop: { concurrency: 8 } })
      )
      let read = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(Task.outcomes(task), () => Effect.suspend(() => (read++, Effect.sleep("1 second"))))
      )
      yield* TestClock.adjust("10 seconds")
      for (let turn = 0; turn < 2000; turn++) yield* Effect.yieldNow
      assert.isAtLeast(ran, 1000)
      assert.isAtMost(ran - read, 2500)
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 minute")
    }).pipe(Effect.provide(source(10_000))))

  it.effect("fails as the run does", () =>
    Effect.gen(function*() {
      const task = halves().pipe(Task.decide({ Refused: Decision.abort }))
      const error = yield* Effect.flip(Stream.runDrain(Task.outcomes(task)))
      assert.instanceOf(error, TaskError.Aborted)
    }).pipe(Effect.provide([source(3), Memory.sink(Results)])))
})

describe("what a task needs", () => {
  class Rate extends Context.Service<Rate, { readonly factor: number }>()("test/Rate") {}

  it.effect("is provided by Layers, built for the run and closed when it ends", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const rates = Layer.effect(
        Rate,
        Effect.acquireRelease(
          Effect.sync(() => {
            log.push("open")
            return { factor: 3 }
          }),
          () => Effect.sync(() => void log.push("close"))
        )
      )
      const task = Task.consumer("rating", Numbers, ({ payload }) =>
        Effect.map(Rate, ({ factor }) => {
          log.push(`${payload.n * factor}`)
        })).pipe(Task.provide(rates), Task.provide(source(3)))
      const summary = yield* Task.run(task)
      assert.deepStrictEqual([summary.succeeded, log], [3, ["open", "0", "3", "6", "close"]])
    }))

  it.effect("fails the run when it cannot be built", () =>
    Effect.gen(function*() {
      const task = halves().pipe(
        Task.provide(Layer.effect(Rate, Effect.fail("no rates today"))),
        Task.provide(Layer.mergeAll(source(3), Memory.sink(Results)))
      )
      assert.strictEqual(yield* Effect.flip(Task.run(task)), "no rates today")
    }))

  it("a task without a name is refused, whatever its kind", () => {
    for (const name of ["", " "]) {
      assert.throws(() => Task.make(name, Effect.void), "a task needs a name")
      assert.throws(() => Task.producer(name, [], () => Effect.void), "a task needs a name")
    }
  })

  it.effect("any program runs under a name", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.make(
        "cleaning",
        Effect.gen(function*() {
          yield* Effect.acquireRelease(Effect.sync(() => log.push("open")), () => Effect.sync(() => log.push("close")))
          yield* Effect.sleep("2 seconds")
        })
      )
      const fiber = yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("2 seconds")
      const summary = yield* Fiber.join(fiber)
      assert.deepStrictEqual([summary.fetched, Duration.toMillis(summary.duration), log], [0, 2000, ["open", "close"]])
    }))
})

describe("a connector that throws instead of failing", () => {
  const throwing = (): never => {
    throw new Error("a bug of the connector")
  }
  const broken = (patch: Partial<Connector.SourceService>, options?: Memory.SourceOptions) =>
    Layer.effect(Numbers, Effect.map(Numbers, ({ source }) => ({ source: { ...source, ...patch } }))).pipe(
      Layer.provide(source(1, options))
    )
  const plain = Task.consumer("plain", Numbers, () => Effect.void)
  const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
      yield* TestClock.adjust("10 minutes")
      return (yield* Fiber.join(fiber)).map(({ _tag, failure }) => [_tag, failure?.step])
    })

  it.effect("in fetch fails the run with a FetchError", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(plain))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.instanceOf(error.reason, Reason.Unknown)
    }).pipe(Effect.provide(broken({ fetch: throwing }))))

  it.effect("in settle ends in redelivered", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes(plain), [["redelivered", undefined]])
    }).pipe(Effect.provide([broken({ settle: throwing }), Logger.layer([])])))

  it.effect("in extend loses the lease", () =>
    Effect.gen(function*() {
      const slow = Task.consumer("slow", Numbers, () => Effect.sleep("30 seconds")).pipe(
        Task.policy({ loop: { limit: 1 } })
      )
      assert.deepStrictEqual(yield* outcomes(slow), [["redelivered", undefined]])
    }).pipe(Effect.provide([broken({ extend: throwing }, { lease: "9 seconds" }), Logger.layer([])])))

  for (const concurrency of [1, 2]) {
    it.effect(`in dispatch fails the transaction, ${concurrency} at a time`, () =>
      Effect.gen(function*() {
        const task = halves().pipe(Task.policy({ loop: { concurrency } }))
        assert.deepStrictEqual(yield* outcomes(task), [["failed", "dispatch"]])
      }).pipe(
        Effect.provide([
          source(1),
          Connector.layerSink(Results, Effect.succeed({ format: "json" as const, dispatch: throwing }))
        ])
      ))
  }
})
