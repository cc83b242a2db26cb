import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { deadLetters, push, queue, sink, watermark } from "../internal/conformance/harnesses.ts"
import { Conformance, type Law } from "./index.ts"

const check = (name: string, laws: ReadonlyArray<Law.Law>) =>
  describe(name, () => {
    it.effect.each(Conformance.applying(laws))("$name", ({ check }) => check)
    it("is told what does not apply to it", () => {
      const text = Conformance.formatExcused(name, laws)
      process.stdout.write(`${text}\n`)
      assert.lengthOf(text.split("\n"), 1 + Object.keys(Conformance.excused(laws)).length)
    })
  })

check("Memory.queue", Conformance.queue(queue()))
check("Memory.queue with leases", Conformance.queue(queue(60_000)))
check("Memory.sink", Conformance.sink(sink()))
check("Memory.deadLetters", Conformance.deadLetters(deadLetters()))
check("PushSource", Conformance.source(push(8)))
check("WatermarkSource of one partition", Conformance.source(watermark(1)))
check("WatermarkSource of four partitions", Conformance.source(watermark(4)))

describe("the laws that do not apply", () => {
  it("are named with their reasons", () => {
    const lifelong = "a delivery is ours for as long as the connector lives"
    assert.deepStrictEqual(Conformance.excused(Conformance.source(push(8))), {
      "the order is kept": "the source keeps no order",
      "the order of each key is kept": "the source keeps no order",
      "a requeue delay is respected": "the engine holds a delayed requeue for this source",
      "a commit covers what was settled and nothing after it": "the source commits no positions",
      "a commit never goes back": "the source commits no positions",
      "an expired lease is delivered again": lifelong,
      "an extended lease keeps its delivery": lifelong,
      "extending names the lost leases": lifelong,
      "resolving claims one transaction by its id": "the source has no resolve",
      "resolving an unknown id fails with NotFound": "the source has no resolve",
      ...Object.fromEntries(
        Conformance.deadLetters(deadLetters()).map(({ name }) => [name, "the source's dead letters cannot be read"])
      ),
      "what is put back is delivered again with a count of 0": "the source's dead letters cannot be read",
      "putting back twice changes nothing": "the source's dead letters cannot be read",
      "what is taken back is delivered again with a count of 0": "the source takes nothing back",
      "taking back twice changes nothing": "the source takes nothing back",
      "no secret shows in an error, a log or a span": "the harness has no secrets"
    })
  })

  it.effect("are in the report", () =>
    Effect.gen(function*() {
      const laws = Conformance.source({ ...watermark(1), without: { "the count is truthful": "it is approximate" } })
      const some = ["resolving an unknown id fails with NotFound", "the count is truthful", "no secret"]
      const report = yield* Conformance.run(laws.filter(({ name }) => some.some((start) => name.startsWith(start))))
      assert.isTrue(report.holds)
      assert.strictEqual(
        Conformance.format(report),
        [
          "- resolving an unknown id fails with NotFound (does not apply: the source has no resolve)",
          "- the count is truthful (does not apply: it is approximate)",
          "- no secret shows in an error, a log or a span (does not apply: the harness has no secrets)",
          "0 held, 0 broken, 3 not applicable"
        ].join("\n")
      )
    }))
})
