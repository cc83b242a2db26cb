import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Connector, Decision, Memory, Policy, Task, TaskError, Transaction } from "./index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Sums extends Connector.Sink<Sums>()("sums", Schema.Int) {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

const task = Task.consumer(
  "busy",
  Numbers,
  ({ payload }): Effect.Effect<number, Busy> => payload < 0 ? Effect.fail(new Busy()) : Effect.succeed(payload)
).pipe(Task.discardFailures)

const cases = { Busy: Decision.retry }
const sums = Task.dispatch(Sums, ({ id }: Transaction.Transaction<number>, sum: number) => Transaction.make(id, sum))
const attempts = (maxAttempts: number) => Task.policy({ process: { retry: { maxAttempts } } })

const refusal = (build: () => unknown): string => {
  try {
    build()
    return "accepted"
  } catch (error) {
    assert.instanceOf(error, Policy.PolicyError)
    return error.problems.join()
  }
}

describe("a retry as a value", () => {
  it("is accepted with attempts, in whatever order they come", () => {
    assert.strictEqual(refusal(() => task.pipe(Task.decide(cases), attempts(2))), "accepted")
    assert.strictEqual(refusal(() => task.pipe(attempts(2), Task.decide(cases))), "accepted")
    assert.strictEqual(refusal(() => task.pipe(Task.decide(cases), sums, attempts(2))), "accepted")
    assert.strictEqual(
      refusal(() => task.pipe(Task.decide(cases), sums, Task.onSuccess(() => Effect.void), attempts(2))),
      "accepted"
    )
  })

  it("is refused without them when the last of policy and decide comes", () => {
    for (
      const build of [
        () => task.pipe(Task.decide(cases), attempts(1)),
        () => task.pipe(attempts(1), sums, Task.decide(cases))
      ]
    ) {
      assert.include(refusal(build), "maxAttempts")
    }
  })

  it.effect("without a policy it is refused before anything runs", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(task.pipe(Task.decide(cases))))
      assert.instanceOf(error, TaskError.TaskRefused)
      assert.include(error.message, "maxAttempts")
      assert.strictEqual((yield* Memory.contents(Numbers)).ready.length, 1)
    }).pipe(Effect.provide(Memory.source(Numbers, [Transaction.make("1", 1)]))))
})

describe("an answer that is no decision", () => {
  it.effect.each([
    { answer: "later" },
    { answer: { _tag: "Later" } },
    { answer: { _tag: "RetryAfter" } },
    { answer: { _tag: "Requeue", delay: "later" } }
  ])("is a defect of the task, and the transaction has failed: $answer", ({ answer }) =>
    Effect.gen(function*() {
      const program = Task.consumer("odd", Numbers, () => Effect.andThen(Effect.yieldNow, Effect.fail(new Busy())))
      const odd = program.pipe(Task.decide((): Decision.Decision => answer as never), attempts(2))
      const summary = yield* Task.run(odd)
      assert.deepStrictEqual([summary.failed, summary.deadLettered, summary.retries], [1, 1, 0])
    }).pipe(Effect.provide(Memory.source(Numbers, [Transaction.make("1", 1)]))))
})
