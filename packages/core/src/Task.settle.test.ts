import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Control, Decision, type Delivery, Memory, Reason, Task, Transaction } from "./index.ts"
import { Faults, PushSource } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Int) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Later extends Data.TaggedError("Later") {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)
const lost = new Reason.LeaseLost({ message: "gone" })
const connection = new Reason.ConnectionLost({ message: "restarting" })

const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>, time: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const messages: Array<string> = []
    const logger = Logger.make(({ message }) => {
      messages.push(String(message))
    })
    return Effect.map(Effect.provide(effect, Logger.layer([logger])), (value) => [value, messages] as const)
  })

const ids = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) => transactions.map(({ id }) => id)

describe("settling", () => {
  const fast = Task.consumer("fast", Numbers, () => Effect.void).pipe(
    Task.policy({ loop: { concurrency: 4 }, transaction: { timeout: "20 seconds" } })
  )
  const faulty = (plan: Faults.Plan) => source(4).pipe(Faults.source(Numbers, { settle: plan }))

  it.effect("a lost lease is one warning and the outcome redelivered, of all it concerns together", () =>
    Effect.gen(function*() {
      const [told, messages] = yield* logged(outcomes(fast))
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["redelivered", "redelivered", "redelivered", "redelivered"])
      assert.deepStrictEqual(messages, ["the lease was lost before the settlement; the source will redeliver"])
    }).pipe(Effect.provide(faulty(Faults.always(Faults.failBefore(lost))))))

  it.effect("one of a batch fails, the others do not", () =>
    Effect.gen(function*() {
      const [told] = yield* logged(outcomes(fast))
      assert.deepStrictEqual(
        told.map(({ _tag, transaction }) => `${transaction.id} ${_tag}`).toSorted(),
        ["n-0 succeeded", "n-1 redelivered", "n-2 succeeded", "n-3 succeeded"]
      )
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).acked, ["n-0", "n-2", "n-3"])
    }).pipe(Effect.provide(faulty(Faults.at(1, Faults.partly([1], lost))))))

  for (
    const [what, fault] of [["a retryable reason", Faults.failBefore(connection)], [
      "no answer",
      Faults.hang()
    ]] as const
  ) {
    it.effect(`${what} is tried again until it is confirmed`, () =>
      Effect.gen(function*() {
        const [told, messages] = yield* logged(outcomes(fast.pipe(Task.policy({ settle: { timeout: "2 seconds" } }))))
        assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["succeeded", "succeeded", "succeeded", "succeeded"])
        assert.deepStrictEqual(messages, [])
        assert.strictEqual((yield* Memory.contents(Numbers)).acked.length, 4)
      }).pipe(Effect.provide(faulty(Faults.first(3, fault)))))
  }

  it.effect("an answer that was lost is asked for again, and settles nothing twice", () =>
    Effect.gen(function*() {
      const [told] = yield* logged(outcomes(fast))
      assert.strictEqual(told.length, 4)
      assert.strictEqual((yield* Memory.contents(Numbers)).acked.length, 4)
    }).pipe(Effect.provide(faulty(Faults.first(1, Faults.failAfter(connection))))))

  it.effect("for good it is one warning and the outcome redelivered", () =>
    Effect.gen(function*() {
      const [told, messages] = yield* logged(outcomes(fast))
      assert.isTrue(told.every(({ _tag }) => _tag === "redelivered"))
      assert.deepStrictEqual(messages, ["the settlement failed for good; the source will redeliver"])
    }).pipe(Effect.provide(faulty(Faults.always(Faults.failBefore(new Reason.Unauthorized({ message: "no" })))))))

  for (
    const [what, fault] of [["Unknown", Faults.failBefore(new Reason.Unknown({ message: "?" }))], [
      "a defect",
      Faults.die("bug")
    ]] as const
  ) {
    it.effect(`${what} gets the attempts of the policy`, () =>
      Effect.gen(function*() {
        const task = fast.pipe(Task.policy({ settle: { retry: { maxAttempts: 3 } } }))
        const [told] = yield* logged(outcomes(task))
        assert.isTrue(told.every(({ _tag }) => _tag === "succeeded"))
      }).pipe(Effect.provide(faulty(Faults.first(2, fault)))))
  }

  it.effect("a slot is free as soon as its settlement is handed over", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const task = Task.consumer("seen", Numbers, ({ id }) => Effect.sync(() => void seen.push(id)))
      yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, ["n-0", "n-1", "n-2", "n-3"])
      yield* TestClock.adjust("1 minute")
    }).pipe(Effect.provide(faulty(Faults.at(1, Faults.late("20 seconds"))))))
})

describe("a lease", () => {
  it.effect("is extended while the work runs, and for what waits in the buffer, in a lane, or for later", () =>
    Effect.gen(function*() {
      const task = Task.consumer(
        "slow",
        Numbers,
        ({ payload }) => payload.n === 3 ? Effect.fail("later") : Effect.sleep("50 seconds")
      ).pipe(
        Task.policy({ fetch: { prefetch: 9, batch: { size: 9 } }, shutdown: { grace: 0 } }),
        Task.onFailure(() => Effect.succeed({ _tag: "Requeue", delay: Duration.minutes(2) })),
        Task.orderBy(({ payload }) => payload.n === 1 || payload.n === 2 ? "lane" : String(payload.n))
      )
      yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("4 minutes")
      const { acked, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual(acked, ["n-0", "n-1", "n-2"])
      assert.deepStrictEqual([ids(ready), ids(inFlight)], [[], ["n-3"]])
    }).pipe(Effect.provide(source(4, { lease: "9 seconds", requeueDelay: "engine" }))))

  it.effect("is extended for what runs again from memory", () =>
    Effect.gen(function*() {
      let runs = 0
      const task = Task.consumer("again", Numbers, () =>
        Effect.suspend(() =>
          ++runs === 1 ? Effect.fail("later") : Effect.sleep("40 seconds")
        )).pipe(
          Task.onFailure(() => Effect.succeed({ _tag: "Requeue", delay: Duration.seconds(20) })),
          Task.orderBy(({ id }) => id)
        )
      const told = yield* outcomes(task)
      assert.deepStrictEqual(told.map(({ _tag, deliveries }) => [_tag, deliveries]), [["succeeded", 1]])
    }).pipe(Effect.provide(source(1, { lease: "9 seconds" }))))

  it.effect("is not extended any more once its settlement is sent", () => {
    const extended: Array<number> = []
    return Effect.gen(function*() {
      const task = Task.consumer("fast", Numbers, () => Effect.sleep("4 seconds")).pipe(
        Task.policy({ loop: { limit: 1 } })
      )
      const [told] = yield* logged(outcomes(task))
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["redelivered"])
      // The one at 3 seconds is the only one: the settlement went out at 4.
      assert.deepStrictEqual(extended, [3000])
    }).pipe(
      Effect.provide(
        Layer.effect(
          Numbers,
          Effect.map(Numbers, ({ source }) => ({
            source: {
              ...source,
              extend: (deliveries: ReadonlyArray<Delivery.Delivery>) =>
                Effect.clockWith((clock) => {
                  extended.push(clock.currentTimeMillisUnsafe())
                  return source.extend!(deliveries)
                })
            }
          }))
        ).pipe(
          Layer.provide(
            source(1, { lease: "9 seconds" }).pipe(
              Faults.source(Numbers, { settle: Faults.at(1, Faults.late("20 seconds")) })
            )
          )
        )
      )
    )
  })

  it.effect("counts from its arrival, however long the source has waited for it", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const task = Task.consumer("late", Jobs, () =>
        Effect.clockWith((clock) =>
          Effect.sync(() => void starts.push(clock.currentTimeMillisUnsafe()))
        )).pipe(
          Task.policy({ loop: { streaming: true } })
        )
      yield* Effect.forkChild(Task.run(task))
      yield* TestClock.adjust("1500 millis")
      yield* Connector.send(Jobs, Transaction.make("late", 1))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(starts, [1500])
    }).pipe(Effect.provide(Memory.queue(Jobs, [], { lease: "1 second" }))))

  it.effect("that is lost while the work runs ends in redelivered: nothing is dispatched, no exception step", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = Task.consumer("slow", Numbers, ({ payload }) => Effect.as(Effect.sleep("20 seconds"), payload.n))
        .pipe(
          Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
          Task.onFailure(() => Effect.sync(() => void log.push("exception"))),
          Task.policy({ loop: { limit: 1 } })
        )
      const [told] = yield* logged(outcomes(task))
      assert.deepStrictEqual([told.map(({ _tag }) => _tag), log], [["redelivered"], []])
      assert.deepStrictEqual(yield* Memory.received(Results), [])
    }).pipe(
      Effect.provide([
        source(1, { lease: "9 seconds" }).pipe(
          Faults.source(Numbers, { extend: Faults.always(Faults.failBefore(connection)) })
        ),
        Memory.sink(Results)
      ])
    ))

  it.effect("whose extension never answers counts as lost when it is over; what waits is not started", () =>
    Effect.gen(function*() {
      const starts: Array<string> = []
      const task = Task.consumer("slow", Numbers, ({ id, payload }) =>
        Effect.suspend(() => {
          starts.push(id)
          return Effect.as(Effect.sleep("20 seconds"), payload.n)
        })).pipe(
          Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
          Task.policy({ loop: { limit: 2 }, fetch: { prefetch: 1, batch: { size: 2 } } })
        )
      const [told] = yield* logged(outcomes(task))
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["redelivered", "redelivered"])
      assert.deepStrictEqual(starts, ["n-0"])
      assert.deepStrictEqual(yield* Memory.received(Results), [])
    }).pipe(
      Effect.provide([
        source(2, { lease: "9 seconds" }).pipe(Faults.source(Numbers, { extend: Faults.always(Faults.hang()) })),
        Memory.sink(Results)
      ])
    ))

  it.effect("that is lost while a requeue is held for later ends in redelivered: it is not started again", () =>
    Effect.gen(function*() {
      const starts: Array<string> = []
      const task = Task.consumer("later", Numbers, ({ id }) =>
        Effect.suspend(() => {
          starts.push(id)
          return Effect.fail(new Later())
        })).pipe(
          Task.decide(() => Decision.requeue("4 seconds")),
          Task.orderBy(({ id }) => id),
          Task.policy({ loop: { limit: 1 } })
        )
      const [told] = yield* logged(outcomes(task))
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["redelivered"])
      assert.deepStrictEqual(starts, ["n-0"])
    }).pipe(
      Effect.provide(
        Layer.effect(
          Numbers,
          Effect.map(Numbers, ({ source: { isHeld: _, ...source } }) => ({
            source: { ...source, extend: () => Effect.succeed([0]) }
          }))
        ).pipe(Layer.provide(source(1, { lease: "9 seconds" })))
      )
    ))

  it.effect("one extension that does not answer is not the last", () =>
    Effect.gen(function*() {
      const task = Task.consumer("slow", Numbers, () => Effect.sleep("20 seconds")).pipe(
        Task.policy({ loop: { limit: 1 } })
      )
      const told = yield* outcomes(task)
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["succeeded"])
    }).pipe(
      Effect.provide(
        source(1, { lease: "9 seconds" }).pipe(Faults.source(Numbers, { extend: Faults.at(2, Faults.hang()) }))
      )
    ))
})

describe("a channel that is lost", () => {
  it.effect("drops what is buffered before it starts, and settles nothing of it; everything is done in the end", () =>
    Effect.gen(function*() {
      const broker = yield* PushSource.make({ prefetch: 4, reconnect: "1 second" })
      yield* broker.publish(numbers(6))
      const starts: Array<readonly [string, number]> = []
      const control = yield* Control.make
      const task = Task.consumer("slow", Numbers, ({ id }) =>
        Effect.clockWith((clock) => {
          starts.push([id, clock.currentTimeMillisUnsafe()])
          return Effect.sleep("10 seconds")
        })).pipe(
          Task.policy({ loop: { streaming: true }, fetch: { prefetch: 3, batch: { size: 4 } }, shutdown: { grace: 0 } })
        )
      yield* Effect.forkChild(Task.run(task, { control }).pipe(Effect.provide(PushSource.layer(Numbers, broker))))
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* control.status, { inFlight: 1, buffered: 3 })
      yield* broker.cut
      yield* TestClock.adjust("2 minutes")
      const { acked, inFlight, ready } = yield* broker.contents
      assert.deepStrictEqual([acked.toSorted(), inFlight, ready], [["n-0", "n-1", "n-2", "n-3", "n-4", "n-5"], [], []])
      // Only n-0 had started before; it was the only one to run twice.
      assert.deepStrictEqual(starts.map(([id]) => id).toSorted(), ["n-0", "n-0", "n-1", "n-2", "n-3", "n-4", "n-5"])
    }).pipe(Effect.provide(Layer.mergeAll(Logger.layer([])))))
})
