import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Control, Decision, Memory, Task, Transaction } from "./index.ts"
import { WatermarkSource } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Later extends Schema.TaggedError<Later>()("Later", {}) {}

const count = 6000
const numbers = Array.from({ length: count }, (_, n) => Transaction.make(`${n}`, n))

/** Puts off what `isLater` says, once, for an hour; tells how much was fetched until then, and how the run ended. */
const puttingOff = Effect.fnUntraced(function*(isLater: (n: number) => boolean) {
  const seen = new Set<number>()
  const task = Task.consumer(
    "bounds",
    Numbers,
    ({ payload }): Effect.Effect<void, Later> =>
      !isLater(payload) || seen.has(payload)
        ? Effect.void
        : Effect.suspend(() => Effect.fail(seen.add(payload) && new Later()))
  ).pipe(
    Task.decide({ Later: Decision.requeue("1 hour") }),
    Task.discardFailures,
    Task.policy({ loop: { concurrency: 16 } })
  )
  const control = yield* Control.make
  const fiber = yield* Effect.forkChild(Task.run(task, { control }))
  for (let turn = 0; turn < 1000; turn++) yield* Effect.yieldNow
  const { fetched } = yield* control.status
  while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("10 minutes")
  return { fetched, summary: yield* Fiber.join(fiber) }
})

describe("what does not move does not fill the memory", () => {
  it.effect("behind a position that is put off, 4,096 are done and no more is fetched until it is done", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, numbers)
      const { fetched, summary } = yield* Effect.provide(
        puttingOff((n) => n === 0),
        Connector.layerSource(Numbers, topic.connect)
      )
      assert.isAtLeast(fetched, 4096)
      assert.isAtMost(fetched, 4096 + 2 * 16)
      assert.include(summary, { fetched: count, succeeded: count })
    }))

  it.effect("of those that the engine holds for later there are 4,096", () =>
    Effect.gen(function*() {
      const { fetched, summary } = yield* puttingOff(() => true)
      assert.isAtLeast(fetched, 4096)
      assert.isAtMost(fetched, 4096 + 2 * 16)
      assert.include(summary, { succeeded: count, redelivered: 0 })
    }).pipe(Effect.provide(Layer.fresh(Memory.source(Numbers, numbers, { requeueDelay: "engine" })))))
})
