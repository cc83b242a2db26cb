import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration } from "effect"
import { DeadLetter } from "../../DeadLetter.ts"
import * as Delivery from "../../Delivery.ts"
import type { Kind } from "../../Outcome.ts"
import * as Transaction from "../../Transaction.ts"
import * as Item from "./item.ts"
import { Tally } from "./tally.ts"

const letter = (tag: string): DeadLetter =>
  new DeadLetter({
    id: "1",
    payload: 0,
    metadata: {},
    reason: "no",
    step: "process",
    category: "business",
    error: { tag, message: "no" },
    attempts: 1,
    deliveries: 0,
    task: "task",
    source: "source",
    failedAt: "1970-01-01T00:00:00.000Z"
  })

const ended = (kind: Kind, tag?: string, id = "1"): Item.Item => {
  const item = Item.make(Delivery.make(Transaction.make(id, 0)), 0, undefined, 0)
  item.kind = kind
  item.letter = tag === undefined ? undefined : letter(tag)
  return item
}

const nothing = {
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
  duration: Duration.zero
}

describe("Tally", () => {
  it("begins with nothing", () => {
    assert.deepStrictEqual(new Tally().summary(0, 0), nothing)
  })

  it.each(["succeeded", "requeued", "redelivered", "released"] as const)("counts %s, and nothing beside it", (kind) => {
    const tally = new Tally()
    tally.count(ended(kind))
    tally.count(ended(kind, "Late"))
    assert.deepStrictEqual(tally.summary(0, 0), { ...nothing, [kind]: 2 })
  })

  it.each(["failed", "timeout"] as const)("%s: either kept as a dead letter or discarded", (kind) => {
    const tally = new Tally()
    tally.count(ended(kind, "OutOfStock"))
    tally.count(ended(kind, "OutOfStock"))
    tally.count(ended(kind, undefined, "gone"))
    assert.deepStrictEqual(tally.summary(0, 0), {
      ...nothing,
      [kind]: 3,
      deadLettered: 2,
      discarded: 1,
      reasons: { OutOfStock: 2, MaxDeliveries: 1 }
    })
  })

  it("what is dropped on purpose is counted by its reason as well", () => {
    const tally = new Tally()
    const item = ended("failed", undefined)
    item.failure = {
      step: "process",
      category: "business",
      transaction: item.delivery.transaction,
      cause: Cause.fail({ _tag: "OutOfStock" }),
      attempts: 1,
      deliveries: 0
    }
    tally.count(item)
    assert.deepStrictEqual(tally.summary(0, 0), { ...nothing, failed: 1, discarded: 1, reasons: { OutOfStock: 1 } })
  })

  it("the reason is the tag of the failure rather than that of the letter", () => {
    const tally = new Tally()
    const item = ended("failed", "of the letter")
    item.failure = {
      step: "process",
      category: "business",
      transaction: item.delivery.transaction,
      cause: Cause.fail({ _tag: "OfTheFailure" }),
      attempts: 1,
      deliveries: 0
    }
    tally.count(item)
    assert.deepStrictEqual(tally.summary(0, 0).reasons, { OfTheFailure: 1 })
  })

  it("tells 100 reasons apart; the rest is one", () => {
    const tally = new Tally()
    for (let n = 0; n < 100; n++) tally.count(ended("failed", `Reason${n}`))
    for (const tag of ["Reason100", "Reason101", "Reason0"]) tally.count(ended("failed", tag))
    const { reasons } = tally.summary(0, 0)
    assert.strictEqual(Object.keys(reasons).length, 101)
    assert.strictEqual(reasons.other, 2)
    assert.strictEqual(reasons.Reason0, 2)
    assert.strictEqual(reasons.Reason99, 1)
  })

  it("a tag that every object has is a reason like any other", () => {
    const tally = new Tally()
    for (const tag of ["constructor", "__proto__"]) tally.count(ended("failed", tag))
    assert.deepStrictEqual(Object.entries(tally.summary(0, 0).reasons), [["constructor", 1], ["__proto__", 1]])
  })

  it("names the first 100 of what was lost, and why the first one was", () => {
    const tally = new Tally()
    for (let n = 0; n < 102; n++) tally.lose(`${n}`, `reason ${n}`)
    assert.strictEqual(tally.lost, 102)
    assert.deepStrictEqual(tally.lostIds, Array.from({ length: 100 }, (_, n) => `${n}`))
    assert.strictEqual(tally.lostReason, "reason 0")
  })

  it("passes on what others count", () => {
    const tally = new Tally()
    tally.fetched = 7
    tally.retries = 3
    assert.deepStrictEqual(tally.summary(2, 1500), {
      ...nothing,
      fetched: 7,
      retries: 3,
      delayed: 2,
      duration: Duration.seconds(1.5)
    })
  })
})
