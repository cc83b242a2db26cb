import { Reason, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { dueOf, toDelivery } from "./read.ts"
import { toMessage } from "./write.ts"

const position = { topic: "orders", partition: 2 }
const options = { id: { header: "ergon-id" }, order: "key" } as const

const raw = (
  value: string | null,
  headers: ReadonlyArray<readonly [string, string]> = [],
  key: string | null = null
) => ({
  offset: 41,
  timestamp: 1_700_000_000_000,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: headers.map(([name, text]) => [Buffer.from(name), Buffer.from(text)] as const)
})

/** What a sink writes, as a source reads it. */
const through = (transaction: Transaction.Transaction<unknown>, key?: string) => {
  const message = toMessage(transaction, { topic: "orders", key, payload: transaction.payload }, 1_000_000)
  if (message instanceof Reason.InvalidRequest) throw message
  return toDelivery(
    { offset: 41, timestamp: 0, key: message.key ?? null, value: message.value, headers: [...message.headers] },
    position,
    options,
    "orders/2#1",
    undefined
  )
}

const Metadata = Schema.Record(
  Schema.NonEmptyString.check(Schema.isPattern(/^[a-z][a-z.-]*$/)),
  Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])
)
const ours = new Set(["topic", "partition", "offset", "timestamp", "key", "retries"])

describe("messages", () => {
  it.effect.prop(
    "id, payload and metadata come back as they were",
    [Schema.NonEmptyString, Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite])), Metadata],
    ([id, payload, metadata]) =>
      Effect.sync(() => {
        const sent = Object.fromEntries(
          Object.entries(metadata)
            .filter(([name]) => !ours.has(name) && !name.startsWith("ergon-"))
            .map(([name, value]) => [name, Object.is(value, -0) ? 0 : value])
        )
        const { transaction } = through(Transaction.make(id, payload, sent))
        const text = (u: string) => Buffer.from(u).toString()
        assert.strictEqual(transaction.id, text(id))
        assert.deepStrictEqual(JSON.stringify(transaction.payload), JSON.stringify(payload))
        for (const [name, value] of Object.entries(sent)) {
          assert.strictEqual(transaction.metadata[name], typeof value === "string" ? text(value) : value)
        }
      })
  )

  it("says where a message lies, and how long it has waited", () => {
    const { key, partition, transaction } = through(
      Transaction.make("a", 1, { topic: "elsewhere", baggage: "k=v" }),
      "ada"
    )
    assert.strictEqual(key, "ada")
    assert.strictEqual(partition, "orders/2#1")
    assert.deepStrictEqual(transaction.metadata, {
      topic: "orders",
      partition: 2,
      offset: 41,
      timestamp: 0,
      key: "ada",
      baggage: "k=v"
    })
  })

  it("takes the id from where it is told to, and from the position where it is missing", () => {
    const id = (from: "key" | "position" | { readonly header: string }, message: ReturnType<typeof raw>) =>
      toDelivery(message, position, { ...options, id: from }, "", undefined).transaction.id
    const message = raw("1", [["ergon-id", "a"], ["order", "b"]], "c")
    assert.strictEqual(id({ header: "ergon-id" }, message), "a")
    assert.strictEqual(id({ header: "order" }, message), "b")
    assert.strictEqual(id("key", message), "c")
    assert.strictEqual(id("position", message), "orders-2-41")
    for (const from of [{ header: "ergon-id" }, { header: "x" }, "key"] as const) {
      assert.strictEqual(id(from, raw("1")), "orders-2-41")
    }
  })

  it("keeps what it cannot read as it came", () => {
    const broken = toDelivery(raw("{\"a\":"), position, options, "", undefined)
    assert.include(broken.malformed, "the value is not JSON")
    assert.strictEqual(broken.transaction.payload, "{\"a\":")
    assert.isNull(toDelivery(raw(null), position, options, "", undefined).transaction.payload)
  })

  it("reads headers of others, whatever they hold", () => {
    const { transaction } = toDelivery(
      raw("1", [["twice", "1"], ["twice", "2"], ["ergon-types", "[\"n\",7,\"gone\"]"], ["n", "x"]]),
      position,
      options,
      "",
      undefined
    )
    assert.strictEqual(transaction.metadata["twice"], "2")
    assert.strictEqual(transaction.metadata["n"], "x")
    assert.strictEqual(dueOf(raw("1", [["ergon-due", "soon"]])), 0)
    assert.strictEqual(dueOf(raw("1", [["a", "b"], ["ergon-due", "12"]])), 12)
  })

  it("refuses what is no JSON and what is too large, by name", () => {
    const refusal = (payload: unknown, most = 1000) => {
      const message = toMessage(Transaction.make("a", payload), { topic: "orders", key: undefined, payload }, most)
      return message instanceof Reason.InvalidRequest ? message.message : undefined
    }
    assert.include(refusal(1n), "transaction \"a\": the payload is no JSON")
    assert.include(refusal(undefined), "transaction \"a\": the payload is no JSON")
    assert.strictEqual(
      refusal("x".repeat(1000)),
      "transaction \"a\": the message has 1149 bytes, more than maxMessage (1000)"
    )
    assert.isUndefined(refusal("x"))
  })
})
