import { Memory, Reason, Task, Transaction } from "@ergon/core"
import { Faults } from "@ergon/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { DeadOrders } from "../../connectors/dead-orders.ts"
import { Orders } from "../../connectors/orders.ts"
import { Receipts } from "../../connectors/receipts.ts"
import { Catalogue, CatalogueDown, TooManyRequests, UnknownSku } from "../../services/catalogue.ts"
import type { Order } from "./schemas.ts"
import { __TASK_ID__ } from "./task.ts"

// The engine that production runs, on connectors in memory, under a clock that the test moves: nothing is mocked, and
// no test waits. `streaming` is off, so that a run ends with its source.
const task = __TASK_ID__.pipe(Task.policy({ loop: { streaming: false } }))

type Problem = UnknownSku | CatalogueDown | TooManyRequests
const catalogue = (price: (sku: string) => Effect.Effect<number, Problem>) => Layer.succeed(Catalogue, { price })
const cheap = catalogue(() => Effect.succeed(250))

const order = (id: string, sku: string, quantity: number): Transaction.Transaction<Order> =>
  Transaction.make(id, { customer: "Ada", lines: [{ sku, quantity }] })

const sinks = Layer.mergeAll(Memory.sink(Receipts), Memory.deadLetters(DeadOrders))

/** A run of the task, and what it leaves behind. */
const run = Effect.gen(function*() {
  const summary = yield* Task.run(task)
  const receipts = yield* Memory.received(Receipts)
  const letters = yield* Memory.letters(DeadOrders)
  return { summary, receipts, letters }
})

describe("__TASK__", () => {
  it.effect("writes a receipt whose id follows from the order", () =>
    Effect.gen(function*() {
      const { receipts, summary } = yield* run.pipe(
        Effect.provide([Memory.queue(Orders, [order("1", "bolt", 4)]), sinks, cheap])
      )
      assert.strictEqual(summary.succeeded, 1)
      assert.deepStrictEqual(receipts.map(({ id, payload }) => [id, payload.total]), [["receipt-1", 1000]])
    }))

  it.effect("tries again while the catalogue is down", () =>
    Effect.gen(function*() {
      let calls = 0
      const downTwice = catalogue(() =>
        Effect.suspend(() => ++calls <= 2 ? Effect.fail(new CatalogueDown({ message: "503" })) : Effect.succeed(250))
      )
      const running = yield* run.pipe(
        Effect.provide([Memory.queue(Orders, [order("1", "bolt", 4)]), sinks, downTwice]),
        Effect.forkChild
      )
      yield* TestClock.adjust("3 seconds")
      const { receipts, summary } = yield* Fiber.join(running)
      assert.deepStrictEqual({ calls, retries: summary.retries, receipts: receipts.length }, {
        calls: 3,
        retries: 2,
        receipts: 1
      })
    }))

  it.effect("gives an order back while the catalogue has too many requests", () =>
    Effect.gen(function*() {
      const throttled = catalogue(() => Effect.fail(new TooManyRequests({ retryAfter: Duration.seconds(10) })))
      const outcome = yield* Task.runTransaction(task, order("1", "bolt", 4)).pipe(
        Effect.provide([Memory.queue(Orders, []), sinks, throttled])
      )
      assert.strictEqual(outcome._tag, "requeued")
    }))

  it.effect("gives up what no second try would mend, and says why", () =>
    Effect.gen(function*() {
      const some = catalogue((sku) => sku === "bolt" ? Effect.succeed(250) : Effect.fail(new UnknownSku({ sku })))
      const arriving = Memory.queue(Orders, [order("1", "widget", 1), order("2", "bolt", 1_000_000)])
      const { letters, receipts, summary } = yield* run.pipe(Effect.provide([arriving, sinks, some]))
      assert.deepStrictEqual({ dead: summary.deadLettered, retries: summary.retries }, { dead: 2, retries: 0 })
      assert.deepStrictEqual(receipts, [])
      assert.deepStrictEqual(letters.map(({ error, id }) => [id, error.tag]), [
        ["1", "UnknownSku"],
        ["2", "TooExpensive"]
      ])
    }))

  it.effect("loses nothing while the table of receipts cannot be reached", () =>
    Effect.gen(function*() {
      const restarting = Faults.first(3, Faults.failBefore(new Reason.ConnectionLost({ message: "restarting" })))
      const shaky = Memory.sink(Receipts).pipe(Faults.sink(Receipts, { dispatch: restarting }))
      const running = yield* run.pipe(
        Effect.provide([
          Memory.queue(Orders, [order("1", "bolt", 4)]),
          shaky,
          Memory.deadLetters(DeadOrders),
          cheap
        ]),
        Effect.forkChild
      )
      yield* TestClock.adjust("10 seconds")
      const { letters, receipts, summary } = yield* Fiber.join(running)
      assert.deepStrictEqual([summary.succeeded, receipts.length, letters.length], [1, 1, 0])
    }))
})
