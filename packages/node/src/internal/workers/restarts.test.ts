import { Policy } from "@ergon/core"
import { Duration, Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Restarts from "./restarts.ts"

const delays = (restarts: Restarts.Restarts, wellFor: ReadonlyArray<number>) =>
  Effect.forEach(wellFor, (millis) => Effect.map(restarts.next(millis), (delay) => delay && Duration.toMillis(delay)))

describe("restarts", () => {
  it("follow the policy, and end with it", () =>
    Effect.runPromise(Effect.gen(function*() {
      const restarts = yield* Restarts.make({ maxAttempts: 4, backoff: 100, multiplier: 2, cap: 300 })
      expect(restarts.starts()).toBe(1)
      expect(yield* delays(restarts, [0, 0, 59_999, 0])).toEqual([100, 200, 300, undefined])
      expect(restarts.starts()).toBe(4)
    })))

  it("begin anew after a minute of being well", () =>
    Effect.runPromise(Effect.gen(function*() {
      const restarts = yield* Restarts.make({ maxAttempts: 2, backoff: 100 })
      expect(yield* delays(restarts, [0, 60_000, 60_000, 0])).toEqual([100, 100, 100, undefined])
    })))

  it("of one attempt there are none, not even after a minute", () =>
    Effect.runPromise(Effect.gen(function*() {
      const restarts = yield* Restarts.make({ maxAttempts: 1 })
      expect(yield* delays(restarts, [0])).toEqual([undefined])
      expect(restarts.starts()).toBe(1)
    })))
})

it("five starts unless given otherwise, and the cap gives way to a longer first delay", () => {
  expect(Policy.delays(Restarts.restartPolicy(undefined))).toEqual([1000, 2000, 4000, 8000])
  expect(Policy.delays(Restarts.restartPolicy({ maxAttempts: 8 }))).toEqual([
    1000,
    2000,
    4000,
    8000,
    16_000,
    30_000,
    30_000
  ])
  expect(Policy.delays(Restarts.restartPolicy({ backoff: "1 minute", maxAttempts: 3 }))).toEqual([60_000, 60_000])
})
