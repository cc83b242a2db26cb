import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import * as Closing from "./closing.ts"

const watching = Effect.gen(function*() {
  const closing = Closing.make()
  const hold = yield* Deferred.make<void>()
  const reached = yield* Deferred.make<void>()
  const held = Layer.effectDiscard(
    Effect.acquireRelease(
      Effect.void,
      () => Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(hold))
    )
  )
  const exits = (fiber: Fiber.Fiber<unknown, unknown>) => closing.exits(fiber).map(({ _tag }) => _tag)
  return { closing, hold, reached, held, exits, seen: Effect.provideService(Layer.CurrentMemoMap, closing.memoMap) }
})

describe("Closing", () => {
  it.effect("sees a Layer from the beginning of its close to the end, and what it is closed with", () =>
    Effect.gen(function*() {
      for (const body of [Effect.void, Effect.fail("no")]) {
        const { exits, held, hold, reached, seen } = yield* watching
        const after = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          seen(Effect.ensuring(Effect.provide(body, held), Effect.uninterruptible(Deferred.await(after))))
        )
        yield* Deferred.await(reached)
        assert.deepStrictEqual(exits(fiber), [Exit.isExit(body) ? body._tag : "Success"])
        yield* Deferred.succeed(hold, undefined)
        yield* Effect.yieldNow
        assert.deepStrictEqual(exits(fiber), [])
        yield* Deferred.succeed(after, undefined)
        yield* Fiber.await(fiber)
      }
    }))

  it.effect("sees a Layer that others are built on", () =>
    Effect.gen(function*() {
      const { exits, held, hold, reached, seen } = yield* watching
      const above = Layer.effectDiscard(Effect.void).pipe(Layer.provideMerge(held))
      const fiber = yield* Effect.forkChild(seen(Effect.provide(Effect.void, Layer.mergeAll(above, Layer.empty))))
      yield* Deferred.await(reached)
      assert.isNotEmpty(exits(fiber))
      yield* Deferred.succeed(hold, undefined)
      yield* Fiber.await(fiber)
      assert.deepStrictEqual(exits(fiber), [])
    }))

  it.effect("sees the scope of a run, for as long as the main fiber cannot be interrupted", () =>
    Effect.gen(function*() {
      const { closing, exits, hold, reached } = yield* watching
      const fiber = yield* Effect.forkChild(
        Effect.andThen(
          Effect.scoped(Effect.gen(function*() {
            closing.around(yield* Effect.scope)
            yield* Effect.addFinalizer(() => Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(hold)))
          })),
          Effect.never
        )
      )
      yield* Deferred.await(reached)
      assert.deepStrictEqual(exits(fiber), ["Success"])
      yield* Deferred.succeed(hold, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(exits(fiber), [])
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("logs what fails to close in an interrupted fiber, once, and leaves any other failure to its fiber", () =>
    Effect.gen(function*() {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ cause }) => void logged.push(cause.reasons.length))])
      const { seen } = yield* watching
      const fails = Layer.effectDiscard(Effect.acquireRelease(Effect.void, () => Effect.die("broken")))
      const nested = Layer.effectDiscard(Effect.void).pipe(Layer.provideMerge(fails))
      const fiber = yield* Effect.forkChild(Effect.provide(seen(Effect.provide(Effect.never, nested)), logger))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(logged, [1])
      const exit = yield* Effect.exit(Effect.provide(seen(Effect.provide(Effect.void, nested)), logger))
      assert.isTrue(Exit.hasDies(exit))
      assert.deepStrictEqual(logged, [1])
    }))

  it.effect("leaves a scope what it is: its finalizers run in reverse, and can be taken away", () =>
    Effect.gen(function*() {
      const closing = Closing.make()
      const log: Array<string> = []
      const scope = yield* Scope.make()
      closing.memoMap.get(Layer.empty, scope)
      yield* Scope.addFinalizer(scope, Effect.sync(() => log.push("first")))
      const child = yield* Scope.fork(scope)
      yield* Scope.addFinalizer(child, Effect.sync(() => log.push("child")))
      yield* Scope.close(child, Exit.void)
      yield* Scope.addFinalizer(scope, Effect.sync(() => log.push("second")))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(log, ["child", "second", "first"])
    }))
})
