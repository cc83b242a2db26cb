/** A collector that fails in the middle of a run: what has to hold on any machine, however busy it is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { faults, runWith } from "./faults.ts"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const count = 100_000

describe("100,000 transactions with spans, metrics and log lines", () => {
  it.live.each([...faults])(
    "lose nothing when their collector is %s in the middle, and it is told once",
    (fault) =>
      Effect.gen(function*() {
        const { acked, atTheEnd, balance, held, warnings } = yield* runWith(fault, count, collect)
        assert.strictEqual(balance.text, `${count} in, ${count} out, 0 lost, 0 duplicated`)
        assert.strictEqual(acked, count)
        assert.lengthOf(warnings, 1)
        assert.match(warnings[0] ?? "", /^the telemetry collector http:\/\/127\.0\.0\.1:\d+ does not take the /)
        // The queues and what is being sent. All of what they made is above 500 MB.
        assert.isBelow(held / 1e6, 150)
        // What was left could not be sent, and is told of.
        assert.isAtMost(atTheEnd.length, 1)
      }),
    120_000
  )
})
