import { Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { fieldsOf, read } from "./entry.ts"

const trace = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=opaque",
  baggage: "tenant=7"
}

describe("a transaction as an entry", () => {
  it("has the trace context in fields of their own", () => {
    const fields = fieldsOf(Transaction.make("order-1", { quantity: 2 }, { ...trace, tries: 3 }))
    assert.deepStrictEqual(fields, [
      "id",
      "order-1",
      "payload",
      "{\"quantity\":2}",
      ...Object.entries(trace).flat(),
      "metadata",
      "{\"tries\":3}"
    ])
  })

  it.each([
    Transaction.make("order-1", { quantity: 2 }, { ...trace, flag: true, number: 1.5, text: "7" }),
    Transaction.make("a\u0000b", null),
    Transaction.make("order-2", undefined),
    // What is no text does not go where text goes.
    Transaction.make("order-3", [1, "ünïcödé"], { traceparent: 7 })
  ])("comes back as it was: $id", (transaction) => {
    const fields = fieldsOf(transaction)
    assert.isArray(fields)
    const entry = read("1-1", fields as ReadonlyArray<string>)
    assert.deepStrictEqual(
      entry.transaction,
      Transaction.make(
        transaction.id,
        transaction.payload === undefined ? null : transaction.payload,
        transaction.metadata
      )
    )
    assert.deepStrictEqual([entry.deliveries, entry.unique, entry.malformed], [0, undefined, undefined])
  })

  it("is refused when it cannot be stored", () => {
    assert.include(String(fieldsOf(Transaction.make("\ud800", 1))), "surrogate")
    assert.include(String(fieldsOf(Transaction.make("a", 1n))), "no JSON")
  })
})

describe("an entry of another program", () => {
  it("has its own id, when it says no other", () => {
    assert.strictEqual(read("1-1", ["payload", "7"]).transaction.id, "1-1")
    assert.strictEqual(read("1-1", ["id", "", "payload", "7"]).transaction.id, "1-1")
  })

  it.each([
    [["name", "Ada", "age", "36"], { name: "Ada", age: "36" }, "no field payload"],
    [["payload", "{broken"], "{broken", "no JSON"],
    [["payload", "7", "metadata", "[1]"], 7, "no JSON object"],
    [["payload", "7", "metadata", "{\"deep\":{}}"], 7, "no JSON object"],
    [[], {}, "no field payload"]
  ])("is malformed: %j", (fields, payload, problem) => {
    const { malformed, transaction } = read("1-1", fields)
    assert.include(malformed, problem)
    assert.deepStrictEqual(transaction.payload, payload)
  })
})
