import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Live } from "../client/link.ts"
import { Watchdog } from "./watchdog.ts"

const live = { isLost: false } as Live

/** A subscription as the broker describes it, and what the watchdog does to it. */
const watched = () => {
  const done: Array<string> = []
  const queue = { name: "q", open: 0, arrived: false }
  const broker = { messages: 0, consumers: 1, isSingleActive: false }
  const subscription = {
    session: { queues: [queue], share: 10, isAlive: true, end: () => void done.push("subscribed again") },
    live,
    waiting: Effect.sync(() => [{ name: "q", ...broker }]),
    giveBack: () => {},
    parkIfIdle: () => {}
  }
  const watchdog = new Watchdog({ subscription, drop: () => void done.push("connected again"), id: "items" })
  const looks = (count: number) =>
    Effect.as(Effect.repeat(watchdog.look, { times: count - 1 }), undefined).pipe(
      Effect.map(() => ({ done: done.splice(0), healthy: watchdog.trouble === undefined }))
    )
  return { broker, looks, queue }
}

describe("the watchdog", () => {
  it.effect("leaves an idle queue alone", () =>
    Effect.gen(function*() {
      const { looks } = watched()
      assert.deepStrictEqual(yield* looks(20), { done: [], healthy: true })
    }))

  it.effect("goes further each time that messages wait and none arrives, until one does", () =>
    Effect.gen(function*() {
      const { broker, looks, queue } = watched()
      broker.messages = 5
      assert.deepStrictEqual(yield* looks(1), { done: [], healthy: true })
      assert.deepStrictEqual(yield* looks(1), { done: ["subscribed again"], healthy: true })
      assert.deepStrictEqual(yield* looks(1), { done: ["connected again", "subscribed again"], healthy: true })
      assert.isFalse((yield* looks(1)).healthy)
      queue.arrived = true
      assert.deepStrictEqual(yield* looks(1), { done: [], healthy: true })
      assert.deepStrictEqual(yield* looks(1), { done: [], healthy: true })
    }))

  it.effect("does not wait where nobody consumes", () =>
    Effect.gen(function*() {
      const { broker, looks } = watched()
      broker.consumers = 0
      assert.deepStrictEqual(yield* looks(1), { done: ["subscribed again"], healthy: true })
    }))

  it.effect("believes that messages are for others where that can be, or where ours is used up", () =>
    Effect.gen(function*() {
      const { broker, looks, queue } = watched()
      broker.messages = 5
      queue.open = 10
      assert.deepStrictEqual(yield* looks(5), { done: [], healthy: true })
      queue.open = 0
      broker.isSingleActive = true
      assert.deepStrictEqual(yield* looks(5), { done: [], healthy: true })
    }))
})
