import { assert, describe, it } from "@effect/vitest"
import { Task } from "@ergon/core"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { Runs } from "./index.ts"

const phases = Effect.map(
  Effect.flatMap(Runs.Runs, ({ all }) => all),
  (entries) => entries.map(({ exit, phase, run }) => `${run.task} ${phase} ${exit?._tag ?? "open"}`)
)

describe("Runs", () => {
  it.effect("has every run below it, in the order of their starts, with what became of it", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const slow = yield* Effect.forkChild(Task.run(Task.make("slow", Deferred.await(go))))
      yield* Effect.yieldNow
      const failed = yield* Effect.exit(Task.run(Task.make("failing", Effect.fail("no"))))
      assert.isTrue(Exit.isFailure(failed))
      assert.deepStrictEqual(yield* phases, ["slow running open", "failing closed Failure"])
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(slow)
      assert.deepStrictEqual(yield* phases, ["slow closed Success", "failing closed Failure"])
    }).pipe(Effect.provide(Runs.layer)))

  it.effect("says what the work came to while the run closes", () =>
    Effect.gen(function*() {
      const seen: Array<ReadonlyArray<string>> = []
      const context = yield* Effect.context<Runs.Runs>()
      const runs = yield* Runs.Runs
      const stop = runs.subscribe(() => seen.push(Effect.runSyncWith(context)(phases)))
      yield* Effect.exit(Task.run(Task.make("failing", Effect.fail("no"))))
      stop()
      yield* Task.run(Task.make("unseen", Effect.void))
      assert.deepStrictEqual(seen, [
        ["failing running open"],
        ["failing closing Failure"],
        ["failing closed Failure"]
      ])
    }).pipe(Effect.provide(Runs.layer)))

  it.effect("keeps the newest 1,000 that are closed, and all that are not", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const slow = yield* Effect.forkChild(Task.run(Task.make("slow", Deferred.await(go))))
      yield* Effect.yieldNow
      for (let n = 0; n < 1005; n++) yield* Task.run(Task.make(`task-${n}`, Effect.void))
      const names = (yield* (yield* Runs.Runs).all).map(({ run }) => run.task)
      assert.strictEqual(names[0], "slow")
      assert.strictEqual(names.at(-1), "task-1004")
      assert.strictEqual(names.length, 1001)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(slow)
    }).pipe(Effect.provide(Layer.fresh(Runs.layer))))
})
