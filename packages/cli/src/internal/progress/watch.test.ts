import { Connector, Control, Memory, Task, Transaction } from "@ergon/core"
import { Runs } from "@ergon/node"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { make } from "./watch.ts"

class Orders extends Connector.Source<Orders>()("orders", Schema.Int) {}

const transactions = Array.from({ length: 5 }, (_, index) => Transaction.make(`order-${index}`, index))

describe("a watch over runs", () => {
  it("sees a run from its start to its end, and what its source holds", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const [begun, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const control = yield* Control.make
        const orders = Task.consumer(
          "orders",
          Orders,
          (order) =>
            Effect.andThen(Deferred.succeed(begun, undefined), order.payload === 0 ? Effect.void : Deferred.await(go))
        )
          .pipe(
            Task.discardFailures,
            Task.provide(Memory.source(Orders, transactions))
          )
        const runs = yield* Runs.Runs
        let now = Date.now()
        const watch = make(runs, () => now)
        const fiber = yield* Effect.forkChild(Task.run(orders, { control }))
        yield* Deferred.await(begun)
        yield* Effect.repeat(control.status, {
          until: ({ summary }) => summary.succeeded === 1
        })

        expect(watch.moments()).toMatchObject([{ task: "orders", kind: "consumer", phase: "running", waiting: 3 }])
        now += 1000
        expect(watch.moments()).toMatchObject([{
          done: 1,
          inFlight: 1,
          succeeded: 1,
          waiting: 3,
          known: 5,
          graceLeft: undefined
        }])

        yield* control.drain
        expect(watch.moments()).toMatchObject([{ phase: "draining", graceLeft: 30_000 }])
        now += 10_000
        expect(watch.moments()).toMatchObject([{ phase: "draining", graceLeft: 20_000 }])
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        expect(watch.moments()).toMatchObject([{ phase: "ended", done: 2, inFlight: 0 }])
        watch.close()
      }).pipe(Effect.provide(Layer.fresh(Runs.layer)))
    ))

  it("sees a program", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        const runs = yield* Runs.Runs
        const watch = make(runs)
        const fiber = yield* Effect.forkChild(Task.run(Task.make("nightly", Deferred.await(go))))
        yield* Effect.yieldNow
        expect(watch.moments()).toMatchObject([{ task: "nightly", kind: "program", phase: "running" }])
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        watch.close()
      }).pipe(Effect.provide(Layer.fresh(Runs.layer)))
    ))
})
