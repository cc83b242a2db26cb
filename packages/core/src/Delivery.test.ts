import { assert, describe, it } from "@effect/vitest"
import { Delivery, Transaction } from "./index.ts"

describe("Delivery.make", () => {
  const transaction = Transaction.make("1", 0)

  it("is a first delivery with nothing known about it, unless told otherwise", () => {
    assert.deepStrictEqual(Delivery.make(transaction), {
      transaction,
      deliveries: 0,
      receipt: undefined,
      key: undefined,
      partition: undefined,
      malformed: undefined
    })
  })

  it("keeps what the source says, and its receipt as it is", () => {
    const receipt = { tag: 7 }
    const told = { deliveries: 3, receipt, key: "customer", partition: "p1", malformed: "no closing brace" }
    const delivery = Delivery.make(transaction, told)
    assert.deepStrictEqual(delivery, { transaction, ...told })
    assert.strictEqual(delivery.receipt, receipt)
  })
})
