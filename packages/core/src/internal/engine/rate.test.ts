import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { RateLimit } from "./rate.ts"

describe("RateLimit", () => {
  it("allows the first starts at once, and the next when the first is an interval old", () => {
    const rate = new RateLimit(2, 100)
    assert.isAtMost(rate.allowedAt(), 0)
    rate.started(0)
    assert.isAtMost(rate.allowedAt(), 0)
    rate.started(30)
    assert.strictEqual(rate.allowedAt(), 100)
    rate.started(100)
    assert.strictEqual(rate.allowedAt(), 130)
  })

  it("what was not used is not saved up", () => {
    const rate = new RateLimit(1, 100)
    rate.started(1000)
    assert.strictEqual(rate.allowedAt(), 1100)
    rate.started(5000)
    assert.strictEqual(rate.allowedAt(), 5100)
  })

  it("changed, what has started counts for the new rate as well", () => {
    const rate = new RateLimit(3, 100)
    rate.started(0)
    rate.started(10)
    rate.set(2, 50)
    assert.strictEqual(rate.allowedAt(), 50)
    rate.set(1, 50)
    assert.strictEqual(rate.allowedAt(), 60)
  })

  it("a limit that is never reached costs what is used of it", () => {
    const rate = new RateLimit(2 ** 40, 86_400_000)
    for (let now = 0; now < 5000; now++) rate.started(now)
    assert.isAtMost(rate.allowedAt(), 0)
  })

  const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

  it.effect.prop(
    "no window holds more than the limit, and nobody waits longer than that needs",
    { limit: int(1, 5), interval: int(1, 50), arrivals: Schema.Array(int(0, 30)) },
    ({ arrivals, interval, limit }) =>
      Effect.sync(() => {
        const rate = new RateLimit(limit, interval)
        const starts: Array<number> = []
        let now = 0
        for (const gap of arrivals) {
          const earliest = starts.length < limit ? -Infinity : starts[starts.length - limit]! + interval
          assert.strictEqual(Math.max(now, rate.allowedAt()), Math.max(now, earliest))
          now = Math.max(now + gap, rate.allowedAt())
          rate.started(now)
          starts.push(now)
        }
        for (const from of starts) {
          assert.isAtMost(starts.filter((start) => start >= from && start < from + interval).length, limit)
        }
      })
  )
})
