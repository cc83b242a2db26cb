import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit } from "effect"
import { Decision } from "./index.ts"

describe("Decision", () => {
  it("those without a delay are shared, and cannot be changed", () => {
    const { abort, deadLetter, discard, retry } = Decision
    assert.deepStrictEqual(
      [retry, deadLetter, discard, abort].map((decision) => decision._tag),
      ["Retry", "DeadLetter", "Discard", "Abort"]
    )
    for (const decision of [retry, deadLetter, discard, abort]) assert.isFrozen(decision)
  })

  it("a delay is any duration; requeue has none unless given", () => {
    assert.deepStrictEqual(Decision.retryAfter("2 seconds"), { _tag: "RetryAfter", delay: Duration.seconds(2) })
    assert.deepStrictEqual(Decision.requeue("2 seconds"), { _tag: "Requeue", delay: Duration.seconds(2) })
    assert.deepStrictEqual(Decision.requeue(), { _tag: "Requeue", delay: Duration.zero })
  })
})

describe("Decision.nonRetryable", () => {
  const failure = (effect: Effect.Effect<unknown, unknown>) =>
    Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? exit.cause : Cause.empty)

  it.effect("fails with the error itself, and can be told from an ordinary failure", () =>
    Effect.gen(function*() {
      const error = { _tag: "Closed" }
      assert.strictEqual(yield* Effect.flip(Decision.nonRetryable(error)), error)
      assert.isTrue(Decision.isNonRetryable(yield* failure(Decision.nonRetryable(error))))
      assert.isFalse(Decision.isNonRetryable(yield* failure(Effect.fail(error))))
      assert.isFalse(Decision.isNonRetryable(yield* failure(Effect.die(error))))
      assert.isFalse(Decision.isNonRetryable(Cause.empty))
    }))

  it.effect("is still told after finalizers, spans and other parts of the program", () =>
    Effect.gen(function*() {
      const program = Decision.nonRetryable("closed").pipe(
        Effect.ensuring(Effect.void),
        Effect.withSpan("charge"),
        Effect.tapCause(() => Effect.void),
        Effect.scoped
      )
      assert.isTrue(Decision.isNonRetryable(yield* failure(program)))
      const beside = Effect.all([Effect.never, program], { concurrency: 2 })
      assert.isTrue(Decision.isNonRetryable(yield* failure(beside)))
    }))

  it.effect("an error that is caught and made anew is an ordinary one", () =>
    Effect.gen(function*() {
      const caught = Decision.nonRetryable("closed").pipe(Effect.catch(() => Effect.fail("again")))
      assert.isFalse(Decision.isNonRetryable(yield* failure(caught)))
    }))
})
