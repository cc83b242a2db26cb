import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Logger, References, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  Connector,
  ConnectorError,
  Delivery,
  Disposition,
  Memory,
  Reason,
  Task,
  TaskError,
  Transaction
} from "./index.ts"
import { Faults } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Refused extends Schema.TaggedError<Refused>()("Refused", { code: Schema.Int }) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)
const connection = new Reason.ConnectionLost({ message: "restarting" })
const invalid = new Reason.InvalidRequest({ message: "too large" })

const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>, time: Duration.Input = "10 minutes") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

// What throws when it is looked at.
const unshowable = {
  get message(): string {
    throw new Error("do not look")
  }
}

// The messages that are logged meanwhile.
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const messages: Array<string> = []
    const logger = Logger.make(({ fiber, message }) => {
      messages.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
    })
    return Effect.map(Effect.provide(effect, Logger.layer([logger])), (value) => [value, messages] as const)
  })

// Fails for n-0, at its first delivery only when `once`.
const failing = (options: { readonly once?: boolean } = {}) => {
  let failed = false
  return Task.consumer("failing", Numbers, ({ payload }) =>
    Effect.suspend(() => {
      if (payload.n !== 0 || (options.once === true && failed)) return Effect.void
      failed = true
      return Effect.fail(new Refused({ code: 7 }))
    })).pipe(Task.policy({ loop: { limit: 3 } }))
}

describe("the answer of the exception step", () => {
  const answering = (answer: Disposition.Disposition | void) =>
    failing({ once: true }).pipe(Task.onFailure(() => Effect.succeed(answer)))

  it.effect("nothing: the source's own dead letter", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(answering(undefined))
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "DeadLetter"])
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.strictEqual(deadLetters[0]?.reason, "process failed: Refused")
    }).pipe(Effect.provide(source(1))))

  it.effect("nothing: the task's dead-letter sink first, then Ack", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(answering(undefined).pipe(Task.deadLetter(Dead)))
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "Ack"])
      const [letter] = yield* Memory.letters(Dead)
      assert.deepInclude(letter, {
        id: "n-0",
        payload: { n: 0 },
        reason: "process failed: Refused",
        step: "process",
        category: "business",
        attempts: 1,
        deliveries: 0,
        task: "failing",
        source: "numbers",
        failedAt: "1970-01-01T00:00:00.000Z"
      })
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).acked, ["n-0"])
    }).pipe(Effect.provide([source(1), Memory.deadLetters(Dead)])))

  it.effect("DeadLetter: with its reason", () =>
    Effect.gen(function*() {
      yield* outcomes(answering(Disposition.deadLetter("the account is closed")))
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.strictEqual(deadLetters[0]?.reason, "the account is closed")
    }).pipe(Effect.provide(source(1))))

  it.effect("Ack: acknowledged, nothing is kept", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(answering(Disposition.ack))
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "Ack"])
      const { acked, deadLetters } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, deadLetters], [["n-0"], []])
    }).pipe(Effect.provide(source(1))))

  it.effect("Requeue: again after its delay, with a higher count", () =>
    Effect.gen(function*() {
      const told = yield* outcomes(answering(Disposition.requeue("1 minute")))
      assert.deepStrictEqual(told.map(({ _tag, deliveries }) => [_tag, deliveries]), [["requeued", 0]])
      assert.strictEqual((yield* Memory.contents(Numbers)).delayed.length, 0)
      assert.strictEqual((yield* Memory.contents(Numbers)).ready.length, 1)
    }).pipe(Effect.provide(source(1))))

  it.effect("Release: again at once, with the same count", () =>
    Effect.gen(function*() {
      const told = yield* outcomes(answering(Disposition.release))
      assert.deepStrictEqual(
        told.map(({ _tag, deliveries }) => [_tag, deliveries]),
        [["released", 0], ["succeeded", 0]]
      )
    }).pipe(Effect.provide(source(1))))
})

describe("an exception step that fails", () => {
  const hooks: ReadonlyArray<[string, () => Effect.Effect<never, Refused>]> = [
    ["a typed error", () => Effect.fail(new Refused({ code: 1 }))],
    ["a defect", () => Effect.die("the hook broke")],
    ["a defect that cannot be shown", () => Effect.andThen(Effect.yieldNow, Effect.die(unshowable))],
    ["its own interruption", () => Effect.interrupt],
    ["an exception thrown", () => {
      throw new Error("not even an effect")
    }],
    ["no end", () => Effect.never]
  ]
  for (const [what, hook] of hooks) {
    it.effect(`for good, by ${what}, is logged, and the transaction requeued; the loop goes on`, () =>
      Effect.gen(function*() {
        const task = failing({ once: true }).pipe(Task.onFailure(hook))
        const [told, messages] = yield* logged(outcomes(task))
        assert.sameDeepMembers(
          told.map(({ _tag, deliveries, transaction }) => [transaction.id, _tag, deliveries]),
          [["n-0", "requeued", 0], ["n-1", "succeeded", 0], ["n-0", "succeeded", 1]]
        )
        assert.strictEqual(messages.length, 1)
        assert.include(messages[0], "the exception step failed; the transaction is requeued")
        assert.include(messages[0], "n-0")
      }).pipe(Effect.provide(source(2))))
  }

  it.effect("has a bound of 30 seconds, whatever the deadline", () =>
    Effect.gen(function*() {
      const task = failing().pipe(Task.onFailure(() => Effect.never), Task.policy({ loop: { limit: 1 } }))
      const fiber = yield* Effect.forkChild(outcomes(task, "30 seconds"))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual((yield* Memory.contents(Numbers)).inFlight.length, 1)
      yield* TestClock.adjust("1 second")
      const [outcome] = yield* Fiber.join(fiber)
      assert.strictEqual(outcome?._tag, "requeued")
    }).pipe(Effect.provide(source(1))))

  it.effect("is tried as often as its policy says", () =>
    Effect.gen(function*() {
      let tries = 0
      const task = failing().pipe(
        Task.onFailure(() => Effect.suspend(() => ++tries < 3 ? Effect.fail("again") : Effect.void)),
        Task.policy({ exception: { retry: { maxAttempts: 3, backoff: "1 second" } } })
      )
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([tries, outcome?._tag], [3, "failed"])
    }).pipe(Effect.provide(source(1))))
})

describe("outputs that throw", () => {
  it.effect("what cannot be shown: the transaction has failed at its dispatch", () =>
    Effect.gen(function*() {
      const task = Task.consumer("outputs", Numbers, () => Effect.yieldNow).pipe(
        Task.dispatch(Results, () => {
          throw Object.create(null)
        })
      )
      const told = yield* outcomes(task)
      assert.deepStrictEqual(told.map(({ _tag, failure }) => [_tag, failure?.step]), [["failed", "dispatch"]])
    }).pipe(Effect.provide([source(1), Memory.sink(Results)])))
})

describe("a dead-letter sink", () => {
  const faulty = (plan: Faults.Plan) => Memory.deadLetters(Dead).pipe(Faults.deadLetters(Dead, { dispatch: plan }))

  it.effect("that is down for a while gets its letter, and the transaction is acknowledged then", () =>
    Effect.gen(function*() {
      const [outcome] = yield* outcomes(failing().pipe(Task.deadLetter(Dead)))
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag], ["failed", "Ack"])
      assert.strictEqual((yield* Memory.letters(Dead)).length, 1)
    }).pipe(Effect.provide([source(1), faulty(Faults.first(4, Faults.failBefore(connection)))])))

  for (
    const [what, fault] of [
      ["refuses", Faults.failBefore(invalid)],
      ["stays down", Faults.failBefore(connection)],
      ["breaks", Faults.die("bug")],
      ["hangs", Faults.hang()]
    ] as const
  ) {
    it.effect(`that ${what}: requeued, never acknowledged; the loop goes on`, () =>
      Effect.gen(function*() {
        const task = failing({ once: true }).pipe(Task.deadLetter(Dead))
        const [told, messages] = yield* logged(outcomes(task))
        assert.sameDeepMembers(
          told.map(({ _tag, disposition, transaction }) => [transaction.id, _tag, disposition._tag]),
          [["n-0", "requeued", "Requeue"], ["n-1", "succeeded", "Ack"], ["n-0", "succeeded", "Ack"]]
        )
        assert.strictEqual(messages.length, 1)
        assert.include(messages[0], "the dead letter could not be kept; the transaction is requeued")
      }).pipe(Effect.provide([source(2), faulty(Faults.always(fault))])))
  }
})

describe("a task without any dead letters", () => {
  it.effect("is refused before anything is fetched", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(failing()))
      assert.instanceOf(error, TaskError.TaskRefused)
      assert.include(error.message, `its source "numbers" keeps no dead letters`)
      assert.strictEqual((yield* Memory.contents(Numbers)).ready.length, 1)
    }).pipe(Effect.provide(source(1, { deadLetter: "none" }))))

  it.effect("is refused for a single transaction of the source too, before it is claimed", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.runById(failing(), "n-0"))
      assert.instanceOf(error, TaskError.TaskRefused)
      assert.strictEqual((yield* Memory.contents(Numbers)).ready.length, 1)
    }).pipe(Effect.provide(source(1, { deadLetter: "none" }))))

  it.effect("runs when it says that failures may be discarded", () =>
    Effect.gen(function*() {
      const summary = yield* Task.run(failing().pipe(Task.discardFailures))
      assert.deepStrictEqual([summary.failed, summary.discarded, summary.succeeded], [1, 1, 1])
    }).pipe(Effect.provide(source(2, { deadLetter: "none" }))))
})

describe("poison", () => {
  // Delivered three times before.
  const poisoned = Connector.layerSource(
    Numbers,
    Effect.sync(() => {
      let fetched = false
      return {
        format: "json" as const,
        capabilities: {
          settlement: "each" as const,
          lease: undefined,
          deliveries: "native" as const,
          requeueDelay: "native" as const,
          deadLetter: "native" as const,
          ordering: "none" as const
        },
        fetch: () =>
          Effect.sync(() => {
            if (fetched) return []
            fetched = true
            return [Delivery.make(Transaction.make("n-0", { n: "not even decoded" }), { deliveries: 3 })]
          }),
        settle: () => Effect.void
      }
    })
  )
  let ran = 0
  const task = Task.consumer("poison", Numbers, () => Effect.sync(() => void ran++)).pipe(
    Task.onFailure(() => Effect.sync(() => void ran++)),
    Task.policy({ transaction: { maxDeliveries: 2, timeout: "5 seconds" } })
  )

  it.effect("that came back too often is dead-lettered unseen", () =>
    Effect.gen(function*() {
      ran = 0
      const [outcome] = yield* outcomes(task)
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag, ran], ["failed", "DeadLetter", 0])
    }).pipe(Effect.provide(poisoned)))

  it.effect("is not cut off by its deadline while its dead letter is sent, and no hook runs", () =>
    Effect.gen(function*() {
      ran = 0
      const [outcome] = yield* outcomes(task.pipe(Task.deadLetter(Dead)))
      assert.deepStrictEqual([outcome?._tag, outcome?.disposition._tag, ran], ["failed", "Ack", 0])
      const [letter] = yield* Memory.letters(Dead)
      assert.deepStrictEqual(
        [letter?.step, letter?.reason],
        ["fetch", "delivered 3 times before, more than transaction.maxDeliveries (2) allows"]
      )
    }).pipe(
      Effect.provide([
        poisoned,
        Memory.deadLetters(Dead).pipe(Faults.deadLetters(Dead, { dispatch: Faults.at(1, Faults.late("10 seconds")) }))
      ])
    ))

  it.effect("is counted by the engine where the source does not, for as long as the run lives", () =>
    Effect.gen(function*() {
      let tries = 0
      const crashing = Task.consumer("crashing", Numbers, () =>
        Effect.suspend(() => {
          tries++
          return Effect.fail(new Refused({ code: 1 }))
        })).pipe(
          Task.onFailure(() => Effect.succeed(Disposition.requeue())),
          Task.policy({ transaction: { maxDeliveries: 2 } })
        )
      const told = yield* outcomes(crashing)
      assert.deepStrictEqual(told.map(({ _tag, deliveries }) => [_tag, deliveries]), [
        ["requeued", 0],
        ["requeued", 1],
        ["requeued", 2],
        ["failed", 3]
      ])
      assert.strictEqual(tries, 3)
    }).pipe(Effect.provide(source(1, { deliveries: "engine" }))))
})

describe("a lost lease that a step reports", () => {
  const lost = new Reason.LeaseLost({ message: "gone" })
  const reported = new ConnectorError.SettleError({ reason: lost })
  const told: Array<string> = []
  const hook = () => Effect.sync(() => void told.push("exception"))
  const losing: ReadonlyArray<[string, Task.Any<TaskError.RunError, Numbers>]> = [
    ["process", Task.consumer("losing", Numbers, () => Effect.fail(reported)).pipe(Task.onFailure(hook))],
    [
      "process, as the reason itself",
      Task.consumer("losing", Numbers, () => Effect.fail(lost)).pipe(Task.onFailure(hook))
    ],
    [
      "success",
      Task.consumer("losing", Numbers, () => Effect.void).pipe(
        Task.onSuccess(() => Effect.fail(reported)),
        Task.onFailure(hook)
      )
    ],
    ["exception", failing().pipe(Task.onFailure(() => Effect.fail(reported)))]
  ]
  for (const [step, task] of losing) {
    it.effect(`${step}: one warning, no further step, no settlement`, () =>
      Effect.gen(function*() {
        told.length = 0
        const [summary, messages] = yield* logged(Task.run(task))
        assert.deepStrictEqual([summary.fetched, summary.redelivered], [1, 1])
        assert.deepStrictEqual(told, [])
        assert.strictEqual(messages.length, 1)
        assert.include(messages[0], "the source will redeliver")
        assert.strictEqual((yield* Memory.contents(Numbers)).inFlight.length, 1)
      }).pipe(Effect.provide(source(1))))
  }
})
