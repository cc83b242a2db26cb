import { DeadLetter, type Redrive } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { type FilterInput, isNarrow, readFilter, readRate } from "./filter.ts"
import { letterJson, lettersTable, letterText, progressText, summaryText } from "./text.ts"

const now = Date.UTC(2026, 0, 3)

const letter = (
  id: string,
  fields: Partial<DeadLetter.DeadLetter> = {},
  place: Redrive.Place = "sink"
): Redrive.Letter => ({
  place,
  connector: place === "sink" ? "dead-orders" : "orders",
  key: id,
  letter: new DeadLetter.DeadLetter({
    id,
    payload: { quantity: 2 },
    metadata: { tenant: "north" },
    reason: "process failed: OutOfStock: there is no lamp left in any of the shops of the town",
    step: "process",
    category: "business",
    error: { tag: "OutOfStock", message: "there is no lamp left" },
    attempts: 3,
    deliveries: 1,
    task: "ship",
    source: "orders",
    failedAt: "2026-01-02T23:58:00.000Z",
    ...fields
  })
})

describe("the table", () => {
  it("cuts reasons to the room that there is, and nothing else", () => {
    const lines = lettersTable([letter("order-1"), letter("order-1000000")], now, 70).split("\n")
    assert.deepStrictEqual(lines, [
      "ID             AGE    STEP     TAG         ATTEMPTS  REASON",
      "order-1        2 min  process  OutOfStock  3         process failed: Out…",
      "order-1000000  2 min  process  OutOfStock  3         process failed: Out…"
    ])
    assert.include(lettersTable([letter("order-1")], now, Infinity), "shops of the town")
    assert.include(lettersTable([letter("order-1")], now, 10), "process failed: Out…")
  })

  it("says where each is when there are two places", () => {
    const [head, , second] = lettersTable([letter("1"), letter("2", {}, "source")], now, Infinity).split("\n")
    assert.match(head ?? "", /ATTEMPTS +FROM +REASON$/)
    assert.match(second ?? "", /^2 .* 3 +source +process failed/)
  })

  it("lets nothing steer the terminal", () => {
    const lines = lettersTable([letter("1", { reason: "two\nlines\u001b[2J\u0007" })], now, Infinity).split("\n")
    assert.lengthOf(lines, 2)
    assert.include(lines[1], "two lines [2J")
  })

  it("tells days from two on, and does not know an age that is none", () => {
    assert.match(lettersTable([letter("1", { failedAt: "2025-12-24T00:00:00Z" })], now, 99), /\n1 +10 d /)
    assert.match(lettersTable([letter("1", { failedAt: "yesterday" })], now, 99), /\n1 +\? /)
  })
})

describe("one letter", () => {
  it("is shown with everything", () => {
    assert.strictEqual(
      letterText(letter("order-1", { reason: "no stock" }), now),
      [
        "id          order-1",
        "task        ship",
        "source      orders",
        "kept in     dead-orders (the task's dead letters)",
        "failed at   2026-01-02T23:58:00.000Z (2 min ago)",
        "step        process",
        "category    business",
        "error       OutOfStock: there is no lamp left",
        "reason      no stock",
        "attempts    3",
        "deliveries  1 before",
        "metadata",
        "  tenant: north",
        "payload",
        "  {",
        "    \"quantity\": 2",
        "  }"
      ].join("\n")
    )
  })

  it("is JSON for machines, whatever its payload", () => {
    const json = letterJson(letter("1", { payload: { big: 7n } }))
    assert.deepInclude(json, { id: "1", from: "sink", connector: "dead-orders", payload: { big: "7" } })
    assert.doesNotThrow(() => JSON.stringify(json))
  })
})

describe("what was done", () => {
  const summary = {
    matched: 1200,
    redriven: 1196,
    gone: 1,
    failed: 3,
    failures: [{ id: "9", reason: "too\nlarge" }],
    missing: []
  }

  it("is told with what failed", () => {
    assert.strictEqual(
      summaryText(summary, "ship"),
      [
        "1,196 dead letters redriven: back at the source of \"ship\", with a delivery count of 0",
        "1 no longer there: somebody else was faster",
        "3 failed, and still among the dead letters:",
        "  9: too large",
        "  and 2 more"
      ].join("\n")
    )
    assert.strictEqual(progressText(summary, 2000), "redriving: 1,200 of 2,000, 3 failed")
  })
})

describe("flags", () => {
  const none: FilterInput = {
    tag: [],
    step: [],
    category: [],
    olderThan: Option.none(),
    youngerThan: Option.none(),
    limit: Option.none(),
    from: Option.none(),
    task: Option.none()
  }
  const read = (input: Partial<FilterInput>, ids: ReadonlyArray<string> = []) => {
    const problems: Array<string> = []
    return Effect.map(readFilter({ ...none, ...input }, ids, problems), (filter) => ({ filter, problems }))
  }

  it.effect("become a filter; a bare number is seconds", () =>
    Effect.gen(function*() {
      const { filter, problems } = yield* read({
        tag: ["A"],
        olderThan: Option.some("90"),
        youngerThan: Option.some("2 hours")
      })
      assert.deepStrictEqual(problems, [])
      assert.deepStrictEqual(filter.tags, ["A"])
      assert.deepStrictEqual(filter.olderThan, Duration.seconds(90))
      assert.deepStrictEqual(filter.youngerThan, Duration.hours(2))
    }))

  it.effect("that are wrong are all told", () =>
    Effect.gen(function*() {
      const { problems } = yield* read({
        olderThan: Option.some("later"),
        youngerThan: Option.some(" "),
        limit: Option.some(-1)
      })
      assert.deepStrictEqual(problems, [
        "--limit is at least 0, not -1",
        "--older-than is a time such as \"2 hours\" or \"90 seconds\", not \"later\"",
        "--younger-than is a time such as \"2 hours\" or \"90 seconds\", not \" \""
      ])
    }))

  it.effect("of a place alone say nothing about which letters", () =>
    Effect.gen(function*() {
      assert.isFalse(isNarrow((yield* read({ from: Option.some("sink"), task: Option.some("old") })).filter))
      assert.isTrue(isNarrow((yield* read({ limit: Option.some(1) })).filter))
      assert.isTrue(isNarrow((yield* read({}, ["order-1"])).filter))
    }))

  it.effect("give a rate, or say what one is", () =>
    Effect.gen(function*() {
      const problems: Array<string> = []
      assert.deepStrictEqual(yield* readRate(Option.some("100 per minute"), problems), {
        limit: 100,
        interval: Duration.minutes(1)
      })
      assert.deepStrictEqual(problems, [])
      yield* readRate(Option.some("10"), problems)
      assert.deepStrictEqual(problems, ["--rate is a rate such as \"10/second\" or \"100 per minute\", not \"10\""])
    }))
})
