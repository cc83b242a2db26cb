import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schema } from "effect"
import { Connector, ConnectorError, Decision, Memory, Reason, Task, Transaction } from "../../index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const queue: Connector.Capabilities = {
  settlement: "each",
  lease: undefined,
  deliveries: "native",
  requeueDelay: "native",
  deadLetter: "native",
  ordering: "none"
}

// Whoever fetches from it has not been refused.
const reached = new ConnectorError.FetchError({ reason: new Reason.Unsupported({ message: "reached" }) })

const source = (capabilities: Partial<Connector.Capabilities>) =>
  Layer.merge(
    Memory.deadLetters(Dead),
    Connector.layerSource(
      Numbers,
      Effect.succeed({
        format: "native",
        capabilities: { ...queue, ...capabilities },
        fetch: () => Effect.fail(reached),
        settle: () => Effect.void
      })
    )
  )

const task = Task.consumer("numbers", Numbers, () => Effect.fail({ _tag: "No" } as const))

const noDeadLetters = `task "numbers" cannot run: its source "numbers" keeps no dead letters: give the task a ` +
  "Task.deadLetter sink, or say with Task.discardFailures that what fails may be dropped"

/** What a run is refused with, or what it failed with once it had begun. */
const refusal = <A, B, E>(
  self: Task.Task<A, B, E, Numbers | Dead>,
  capabilities: Partial<Connector.Capabilities> = {}
) => Effect.map(Effect.flip(Effect.provide(Task.run(self), source(capabilities))), ({ message }) => message)

describe("a task is refused before it runs", () => {
  it.effect.each(
    [
      { name: "whose source keeps no dead letters", capabilities: { deadLetter: "none" } },
      { name: "whose source commits positions", capabilities: { settlement: "watermark" } },
      { name: "whose source settles nothing", capabilities: { settlement: "none" } }
    ] as const
  )("$name, when it says nothing about what fails", ({ capabilities }) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal(task, capabilities), noDeadLetters)
      assert.strictEqual(yield* refusal(task.pipe(Task.deadLetter(Dead)), capabilities), reached.message)
      assert.strictEqual(yield* refusal(task.pipe(Task.discardFailures), capabilities), reached.message)
    }))

  it.effect("not when the source keeps dead letters itself", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* refusal(task), reached.message)
    }))

  it.effect("whose source promises to extend leases and has no way to", () =>
    Effect.gen(function*() {
      const lease = { duration: Duration.seconds(30), extend: true }
      assert.strictEqual(
        yield* refusal(task, { lease }),
        `task "numbers" cannot run: its source declares leases that can be extended, and has no "extend"`
      )
      assert.strictEqual(yield* refusal(task, { lease: { ...lease, extend: false } }), reached.message)
    }))

  it.effect("that decides to retry and has one attempt", () =>
    Effect.gen(function*() {
      const why = "Task.decide says retry, but process.retry.maxAttempts is 1: valid is 2 or more"
      for (const decision of [Decision.retry, Decision.retryAfter("1 second")]) {
        const decided = task.pipe(Task.decide({ No: decision }))
        assert.strictEqual(yield* refusal(decided), `task "numbers" cannot run: ${why}`)
        const twice = decided.pipe(Task.policy({ process: { retry: { maxAttempts: 2 } } }))
        assert.strictEqual(yield* refusal(twice), reached.message)
      }
      const other = task.pipe(Task.decide({ No: Decision.requeue("1 second") }))
      assert.strictEqual(yield* refusal(other), reached.message)
    }))

  it.effect("and told everything at once", () =>
    Effect.gen(function*() {
      const decided = task.pipe(Task.decide({ No: Decision.retry }))
      const lease = { duration: Duration.seconds(30), extend: true }
      const error = yield* Effect.flip(
        Effect.provide(Task.run(decided), source({ deadLetter: "none", lease }))
      )
      assert.isTrue(error._tag === "TaskRefused" && error.task === "numbers" && error.problems.length === 3)
    }))

  it.effect("but one transaction, which settles nothing, needs no dead letters", () =>
    Effect.gen(function*() {
      const outcome = yield* Effect.provide(
        Task.runTransaction(task, Transaction.make("1", { n: 1 })),
        source({ deadLetter: "none" })
      )
      assert.strictEqual(outcome._tag, "failed")
    }))
})
