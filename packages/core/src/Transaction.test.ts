import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Transaction } from "./index.ts"

describe("Transaction.make", () => {
  it("keeps what it is given, frozen at its top level", () => {
    const payload = { n: 1 }
    const metadata = { queue: "orders" }
    const transaction = Transaction.make("1", payload, metadata)
    assert.strictEqual(transaction.id, "1")
    assert.strictEqual(transaction.payload, payload)
    assert.strictEqual(transaction.metadata, metadata)
    assert.isFrozen(transaction)
    assert.isNotFrozen(payload)
    assert.throws(() => Object.assign(transaction, { id: "2" }), TypeError)
  })

  it("has no metadata unless it is given some, and shares nothing that could change", () => {
    const { metadata } = Transaction.make("1", 0)
    assert.deepStrictEqual(metadata, {})
    assert.isFrozen(metadata)
  })

  it.each([
    { id: "", shown: "\"\"" },
    { id: 7, shown: "7" },
    { id: undefined, shown: "undefined" },
    { id: null, shown: "null" },
    { id: Symbol("id"), shown: "Symbol(id)" },
    { id: ["1"], shown: "1" }
  ])("refuses the id $shown", ({ id, shown }) => {
    assert.throws(
      () => Transaction.make(id as string, 0),
      new RegExp(`^Transaction.make: id must be a non-empty string, got ${shown.replace(/[()]/g, "\\$&")}$`)
    )
  })

  it.effect.prop(
    "any text but the empty one is an id",
    { id: Schema.String },
    ({ id }) =>
      Effect.sync(() => {
        if (id === "") assert.throws(() => Transaction.make(id, 0))
        else assert.isTrue(Transaction.isTransaction(Transaction.make(id, undefined)))
      })
  )
})

describe("Transaction.withPayload", () => {
  it("changes the payload and nothing else, in another frozen transaction", () => {
    const transaction = Transaction.make("1", { n: 1 }, { queue: "orders" })
    const changed = Transaction.withPayload(transaction, "text")
    assert.deepStrictEqual(changed, { id: "1", payload: "text", metadata: { queue: "orders" } })
    assert.strictEqual(changed.metadata, transaction.metadata)
    assert.isFrozen(changed)
    assert.deepStrictEqual(transaction.payload, { n: 1 })
  })
})

describe("Transaction.isTransaction", () => {
  it("accepts what has the shape of one, also with an undefined payload", () => {
    assert.isTrue(Transaction.isTransaction({ id: "1", payload: undefined, metadata: {} }))
  })

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["a text", "1"],
    ["no id", { payload: 0, metadata: {} }],
    ["an empty id", { id: "", payload: 0, metadata: {} }],
    ["a number as its id", { id: 1, payload: 0, metadata: {} }],
    ["no payload", { id: "1", metadata: {} }],
    ["no metadata", { id: "1", payload: 0 }],
    ["null as its metadata", { id: "1", payload: 0, metadata: null }]
  ])("refuses %s", (_, value) => {
    assert.isFalse(Transaction.isTransaction(value))
  })
})
