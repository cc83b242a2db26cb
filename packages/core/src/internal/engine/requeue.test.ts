import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Capabilities } from "../../Connector.ts"
import * as Delivery from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import * as Transaction from "../../Transaction.ts"
import * as Item from "./item.ts"
import type { Plan } from "./plan.ts"
import { Requeues } from "./requeue.ts"
import { Watcher } from "./watcher.ts"

const queue: Capabilities = {
  settlement: "each",
  lease: undefined,
  deliveries: "native",
  requeueDelay: "native",
  deadLetter: "native",
  ordering: "none"
}

const requeuing = (capabilities: Partial<Capabilities>, lanes = false) =>
  Effect.gen(function*() {
    const watcher = new Watcher(yield* Clock.Clock, Effect.runForkWith(yield* Effect.context<never>()))
    yield* Effect.addFinalizer(() => Effect.sync(() => watcher.close()))
    const events: Array<string> = []
    const told = (event: string) => (item: Item.Item): void => {
      const { disposition } = item
      const delay = disposition._tag === "Requeue" ? ` ${Duration.toMillis(disposition.delay)}` : ""
      events.push(`${watcher.now()}: ${event} ${item.delivery.transaction.id}${event === "settle" ? delay : ""}`)
    }
    const requeues = new Requeues({
      plan: { lanes, source: { capabilities: { ...queue, ...capabilities } } } as Plan,
      watcher,
      settle: told("settle"),
      leaveLane: told("leave lane"),
      runAgain: told("run again"),
      pump: () => events.push(`${watcher.now()}: pump`)
    })
    const requeue = (id: string, delay: number): void => {
      const item = Item.make(Delivery.make(Transaction.make(id, 0)), 0, undefined, 0)
      item.disposition = Disposition.requeue(delay)
      requeues.requeue(item, delay)
    }
    return { requeues, requeue, events }
  })

describe("Requeues", () => {
  it.effect("a source that delays by itself is told the delay at once", () =>
    Effect.gen(function*() {
      const { events, requeue, requeues } = yield* requeuing({})
      requeue("a", 0)
      requeue("b", 50)
      assert.deepStrictEqual(events, ["0: leave lane a", "0: settle a 0", "0: leave lane b", "0: settle b 50"])
      assert.strictEqual(requeues.size, 0)
    }))

  it.effect("for a source that cannot delay it is held, and then given back without a delay", () =>
    Effect.gen(function*() {
      const { events, requeue, requeues } = yield* requeuing({ requeueDelay: "engine" })
      requeue("a", 0)
      requeue("b", 50)
      assert.deepStrictEqual(events, ["0: leave lane a", "0: settle a 0", "0: leave lane b"])
      assert.strictEqual(requeues.size, 1)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(events.slice(3), ["50: settle b 0", "50: pump"])
      assert.strictEqual(requeues.size, 0)
    }))

  it.effect.each(
    [
      { name: "a watermark", capabilities: { settlement: "watermark" }, lanes: false },
      { name: "a source that settles nothing", capabilities: { settlement: "none" }, lanes: false },
      { name: "a totally ordered source", capabilities: { ordering: "total" }, lanes: false },
      { name: "lanes over a source without an order", capabilities: { ordering: "none" }, lanes: true }
    ] as const
  )("$name: it keeps its place and runs again from here", ({ capabilities, lanes }) =>
    Effect.gen(function*() {
      const { events, requeue, requeues } = yield* requeuing(capabilities, lanes)
      requeue("a", 50)
      assert.deepStrictEqual(events, [])
      assert.strictEqual(requeues.size, 1)
      yield* TestClock.adjust(49)
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(events, ["50: run again a", "50: pump"])
    }))

  it.effect("without a delay it runs again without a wait", () =>
    Effect.gen(function*() {
      const { events, requeue } = yield* requeuing({ settlement: "watermark" })
      requeue("a", 0)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(events, ["0: run again a", "0: pump"])
    }))

  it.effect("drained, it hands out what it holds, and nothing of it comes again", () =>
    Effect.gen(function*() {
      const { events, requeue, requeues } = yield* requeuing({ settlement: "watermark" })
      requeue("a", 50)
      requeue("b", 10)
      assert.deepStrictEqual(requeues.drain().map(({ delivery }) => delivery.transaction.id), ["b", "a"])
      assert.strictEqual(requeues.size, 0)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(events, [])
    }))
})
