import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Option, Schema, SchemaGetter } from "effect"
import { decoder, encoder } from "./codec.ts"

class Order extends Schema.Class<Order>("Order")({
  quantity: Schema.Int,
  at: Schema.Date,
  total: Schema.BigInt,
  note: Schema.Option(Schema.String)
}) {}

const order = (quantity: number, millis: number, total: bigint, note: Option.Option<string>): Order =>
  new Order({ quantity, at: new Date(millis), total, note })

const sample = order(2, 0, 12n, Option.some("fragile"))

const problem = (effect: Effect.Effect<unknown, Schema.SchemaError>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

describe("the codec of a payload", () => {
  it.effect("json: what travels is a JSON value", () =>
    Effect.gen(function*() {
      const encoded = yield* encoder(Order, "json")(sample)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(encoded)), encoded)
      assert.deepStrictEqual(encoded, {
        quantity: 2,
        at: "1970-01-01T00:00:00.000Z",
        total: "12",
        note: { _tag: "Some", value: "fragile" }
      })
      assert.deepStrictEqual(yield* decoder(Order, "json").decode(encoded), sample)
    }))

  it.effect("strings: what travels is text in its leaves", () =>
    Effect.gen(function*() {
      const Row = Schema.Struct({ quantity: Schema.Int, at: Schema.Date, fragile: Schema.Boolean })
      const row = { quantity: 2, at: new Date(0), fragile: true }
      const encoded = yield* encoder(Row, "strings")(row)
      assert.deepStrictEqual(encoded, { quantity: "2", at: "1970-01-01T00:00:00.000Z", fragile: "true" })
      assert.deepStrictEqual(yield* decoder(Row, "strings").decode(encoded), row)
      assert.isTrue(
        Exit.isFailure(yield* Effect.exit(decoder(Row, "strings").decode({ ...encoded as object, quantity: "two" })))
      )
    }))

  it.effect("native: what travels is the value itself, checked all the same", () =>
    Effect.gen(function*() {
      const { decode } = decoder(Order, "native")
      assert.strictEqual(yield* encoder(Order, "native")(sample), sample)
      assert.strictEqual(yield* decode(sample), sample)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(decode({ ...sample, quantity: 0.5 }))))
      // the encoded form is not the value
      assert.isTrue(Exit.isFailure(yield* Effect.exit(decode(yield* encoder(Order, "json")(sample)))))
    }))

  it.effect("decoding stops at the first problem; explaining lists all of them", () =>
    Effect.gen(function*() {
      const { decode, explain } = decoder(Schema.Struct({ a: Schema.Int, b: Schema.Int }), "json")
      const wrong = { a: "one", b: "two" }
      const [first, all] = [yield* problem(decode(wrong)), yield* problem(explain(wrong))]
      assert.include(first, `["a"]`)
      assert.notInclude(first, `["b"]`)
      assert.include(all, `["a"]`)
      assert.include(all, `["b"]`)
    }))

  it("without anything asynchronous the answer is an Exit at once, for good and for bad", () => {
    for (const format of ["json", "native"] as const) {
      assert.isTrue(Exit.isExit(encoder(Schema.Int, format)(1)))
      assert.isTrue(Exit.isExit(encoder(Schema.Int, format)(0.5)))
      assert.isTrue(Exit.isExit(decoder(Schema.Int, format).decode(1)))
      assert.isTrue(Exit.isExit(decoder(Schema.Int, format).decode("x")))
    }
  })

  it.effect("a payload that breaks its own checks is not sent", () =>
    Effect.gen(function*() {
      for (const format of ["json", "strings", "native"] as const) {
        assert.isTrue(Exit.isFailure(yield* Effect.exit(encoder(Schema.Int, format)(0.5))))
      }
    }))

  it.effect("services of a schema are asked for when it decodes and encodes", () =>
    Effect.gen(function*() {
      class Salt extends Context.Service<Salt, { readonly text: string }>()("Salt") {}
      const Salted = Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((text: string) =>
          Effect.map(Salt, (salt) => text.slice(salt.text.length))
        ),
        encode: SchemaGetter.transformEffect((text: string) => Effect.map(Salt, (salt) => salt.text + text))
      }))
      const salt = Effect.provideService(Salt, { text: "s:" })
      assert.strictEqual(yield* salt(encoder(Salted, "json")("open")), "s:open")
      assert.strictEqual(yield* salt(decoder(Salted, "json").decode("s:open")), "open")
    }))

  it.effect.prop(
    "whatever fits the schema comes back from the wire as it was",
    {
      quantity: Schema.Int,
      millis: Schema.Int.check(Schema.isBetween({ minimum: -8e15, maximum: 8e15 })),
      total: Schema.BigInt,
      note: Schema.NullOr(Schema.String)
    },
    ({ millis, note, quantity, total }) =>
      Effect.gen(function*() {
        // JSON has one zero only.
        const value = order(quantity === 0 ? 0 : quantity, millis, total, Option.fromNullOr(note))
        const wire: unknown = JSON.parse(JSON.stringify(yield* encoder(Order, "json")(value)))
        assert.deepStrictEqual(yield* decoder(Order, "json").decode(wire), value)
        const strings = yield* encoder(Order, "strings")(value)
        assert.deepStrictEqual(yield* decoder(Order, "strings").decode(strings), value)
        assert.strictEqual(yield* decoder(Order, "native").decode(value), value)
      })
  )
})
