import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { DeadLetter, Delivery, Disposition, Transaction } from "./index.ts"

describe("Disposition", () => {
  it("ack and release are shared, and cannot be changed", () => {
    assert.deepStrictEqual(Disposition.ack, { _tag: "Ack" })
    assert.deepStrictEqual(Disposition.release, { _tag: "Release" })
    assert.isFrozen(Disposition.ack)
    assert.isFrozen(Disposition.release)
    assert.isFrozen(Disposition.requeue())
  })

  it.each(
    [
      { input: undefined, millis: 0 },
      { input: 250, millis: 250 },
      { input: "2 seconds", millis: 2000 },
      { input: Duration.minutes(1), millis: 60_000 }
    ] as const
  )("requeue after $input is $millis ms", ({ input, millis }) => {
    const disposition = Disposition.requeue(input)
    assert.strictEqual(disposition._tag, "Requeue")
    if (disposition._tag === "Requeue") assert.strictEqual(Duration.toMillis(disposition.delay), millis)
  })

  it("deadLetter says why", () => {
    assert.deepStrictEqual(Disposition.deadLetter("sold out"), { _tag: "DeadLetter", reason: "sold out" })
  })

  it("a settlement is a delivery with what becomes of it, and a letter where there is one", () => {
    const delivery = Delivery.make(Transaction.make("1", 0))
    assert.deepStrictEqual(Disposition.settlement(delivery, Disposition.ack), {
      delivery,
      disposition: Disposition.ack,
      letter: undefined
    })
    const letter = new DeadLetter.DeadLetter({
      id: "1",
      payload: 0,
      metadata: {},
      reason: "sold out",
      step: "process",
      category: "business",
      error: { tag: "SoldOut", message: "sold out" },
      attempts: 1,
      deliveries: 0,
      task: "task",
      source: "source",
      failedAt: "1970-01-01T00:00:00.000Z"
    })
    assert.strictEqual(Disposition.settlement(delivery, Disposition.deadLetter("sold out"), letter).letter, letter)
  })
})
