import { assert, describe, it } from "@effect/vitest"
import type { Outcome } from "@ergon/core"
import { Duration } from "effect"
import { Summaries } from "./index.ts"

const nothing: Outcome.Summary = {
  fetched: 0,
  succeeded: 0,
  failed: 0,
  requeued: 0,
  timeout: 0,
  redelivered: 0,
  released: 0,
  deadLettered: 0,
  discarded: 0,
  reasons: {},
  retries: 0,
  delayed: 0,
  duration: Duration.seconds(2)
}

describe("Summaries.describe", () => {
  const cases: ReadonlyArray<readonly [Partial<Outcome.Summary>, string]> = [
    [{}, "nothing fetched in 2 seconds"],
    [{ delayed: 3 }, "nothing fetched, 3 delayed at the source in 2 seconds"],
    [{ fetched: 1_234_567, succeeded: 1_234_567 }, "1,234,567 fetched, 1,234,567 succeeded in 2 seconds"],
    [
      { fetched: 9, succeeded: 2, requeued: 1, released: 4, redelivered: 2, retries: 1 },
      "9 fetched, 2 succeeded, 1 requeued, 4 released, 2 left to be redelivered, 1 retry in 2 seconds"
    ],
    [
      { fetched: 5, deadLettered: 3, discarded: 2, reasons: { Late: 1, GrossUnknown: 4 } },
      "5 fetched, 3 dead-lettered, 2 discarded (GrossUnknown 4, Late 1) in 2 seconds"
    ],
    [
      { fetched: 21, deadLettered: 21, reasons: { A: 6, B: 5, C: 4, D: 3, E: 2, F: 1 } },
      "21 fetched, 21 dead-lettered (A 6, B 5, C 4, D 3, E 2, 1 more kind) in 2 seconds"
    ]
  ]
  for (const [summary, text] of cases) {
    it(text, () => assert.strictEqual(Summaries.describe({ ...nothing, ...summary }, "orders"), `orders: ${text}`))
  }
})

describe("Summaries.duration", () => {
  const cases: ReadonlyArray<readonly [Duration.Input, string]> = [
    [0, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1 second"],
    ["4712 millis", "4.7 seconds"],
    [59_949, "59.9 seconds"],
    [59_960, "1 minute"],
    ["61 seconds", "1 minute 1 second"],
    ["3600 seconds", "1 hour"],
    ["27 hours", "27 hours"],
    ["3725 seconds", "1 hour 2 minutes"]
  ]
  for (const [input, text] of cases) it(text, () => assert.strictEqual(Summaries.duration(input), text))
})
