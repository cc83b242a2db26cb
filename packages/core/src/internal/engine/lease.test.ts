import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Delivery, Transaction } from "../../index.ts"
import type { SourceService } from "../../Connector.ts"
import * as Item from "./item.ts"
import { LeaseKeeper } from "./lease.ts"
import { Watcher } from "./watcher.ts"

const make = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const fork = Effect.runForkWith(context)
  const watcher = new Watcher(clock, fork)
  const answer = yield* Deferred.make<ReadonlyArray<number>>()
  const asked: Array<ReadonlyArray<string>> = []
  const source: SourceService = {
    format: "json",
    capabilities: {
      settlement: "each",
      lease: { duration: Duration.millis(300), extend: true },
      deliveries: "native",
      requeueDelay: "native",
      deadLetter: "native",
      ordering: "total"
    },
    fetch: () => Effect.succeed([]),
    settle: () => Effect.void,
    extend: (deliveries) =>
      Effect.suspend(() => {
        asked.push(deliveries.map(({ transaction }) => transaction.id))
        return Deferred.await(answer)
      })
  }
  const keeper = new LeaseKeeper({ source, watcher, fork, warn: () => {} })
  const delivery = Delivery.make(Transaction.make("t1", 1))
  const item = (expiresAt: number): Item.Item => Item.make(delivery, 0, undefined, expiresAt)
  return { answer, asked, clock, item, keeper }
})

describe("LeaseKeeper", () => {
  it.effect("an extension on its way is for the delivery that begins anew as well", () =>
    Effect.gen(function*() {
      const { answer, asked, clock, item, keeper } = yield* make
      const first = item(keeper.expiry(clock.currentTimeMillisUnsafe()))
      keeper.hold(first)
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(asked, [["t1"]])
      const again = item(first.expiresAt)
      keeper.replace(first, again)
      yield* Deferred.succeed(answer, [])
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(again.expiresAt, 400)
      keeper.close()
    }))

  it.effect("closing interrupts an extension that has not answered", () =>
    Effect.gen(function*() {
      const { clock, item, keeper } = yield* make
      const held = item(keeper.expiry(clock.currentTimeMillisUnsafe()))
      keeper.hold(held)
      yield* TestClock.adjust("100 millis")
      keeper.close()
      yield* TestClock.adjust("1 second")
      assert.isFalse(held.lost, "nobody looks at it any more")
    }))
})
