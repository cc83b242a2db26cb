import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Schema } from "effect"
import { ConnectorError, Failure, Reason, Transaction } from "./index.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {
  override get message(): string {
    return `no ${this.sku} left`
  }
}
class Bare extends Data.TaggedError("Bare")<{}> {}
class Plain {}

describe("Failure.describe", () => {
  it.each([
    { name: "an error", error: new Error("no"), tag: "Error", message: "no" },
    { name: "an error of a class", error: new TypeError("no"), tag: "TypeError", message: "no" },
    { name: "an error without a message", error: new RangeError(), tag: "RangeError", message: "RangeError" },
    { name: "the message of a cause", error: new Error("", { cause: "why" }), tag: "Error", message: "why" },
    {
      name: "the message of a cause's cause",
      error: new Error("", { cause: new Error("", { cause: new Error("deep") }) }),
      tag: "Error",
      message: "deep"
    },
    {
      name: "its own message before that of its cause",
      error: new Error("own", { cause: "why" }),
      tag: "Error",
      message: "own"
    },
    { name: "a tagged error", error: new OutOfStock({ sku: "tea" }), tag: "OutOfStock", message: "no tea left" },
    { name: "a tagged error without a message", error: new Bare(), tag: "Bare", message: "Bare" },
    { name: "a tagged record", error: { _tag: "Gone", message: "left" }, tag: "Gone", message: "left" },
    {
      name: "a record with an empty tag",
      error: { _tag: "", name: "", message: "" },
      tag: "Object",
      message: "Object"
    },
    { name: "an object of a class", error: new Plain(), tag: "Plain", message: "Plain" },
    { name: "an object of no class", error: Object.create(null) as object, tag: "Object", message: "Object" },
    { name: "a text", error: "no", tag: "string", message: "no" },
    { name: "an empty text", error: "", tag: "string", message: "(empty string)" },
    { name: "a number", error: 0, tag: "number", message: "0" },
    { name: "nothing", error: undefined, tag: "undefined", message: "undefined" },
    { name: "null", error: null, tag: "object", message: "null" },
    { name: "a symbol", error: Symbol("no"), tag: "symbol", message: "Symbol(no)" },
    { name: "a blank message", error: new Error(" "), tag: "Error", message: "Error" },
    { name: "an empty list", error: [], tag: "Array", message: "(empty Array)" },
    {
      name: "what throws when it is looked at",
      error: {
        get message(): string {
          throw new Error("no")
        }
      },
      tag: "object",
      message: "(an error that cannot be shown)"
    }
  ])("$name", ({ error, message, tag }) => {
    assert.deepStrictEqual(Failure.describe(error), { tag, message })
  })

  it("an error that is its own cause", () => {
    const error = new Error("")
    error.cause = error
    assert.deepStrictEqual(Failure.describe(error), { tag: "Error", message: "Error" })
  })

  it("errors that are each other's cause", () => {
    const one = new Error("")
    const other = new TypeError("", { cause: one })
    one.cause = other
    assert.deepStrictEqual(Failure.describe(one), { tag: "Error", message: "Error" })
  })

  const Scalar = Schema.Union([Schema.String, Schema.Number, Schema.Boolean, Schema.Null])

  it.effect.prop(
    "says something, whatever the error carries",
    { scalar: Scalar, _tag: Scalar, name: Scalar, message: Scalar, cause: Scalar },
    ({ scalar, ...record }) =>
      Effect.sync(() => {
        for (const error of [scalar, record, { cause: record }]) {
          const { message, tag } = Failure.describe(error)
          assert.isNotEmpty(tag)
          assert.isNotEmpty(message)
        }
      })
  )
})

describe("Failure.reason", () => {
  const transaction = Transaction.make("1", { n: 1 })
  const failed = (
    cause: Cause.Cause<unknown>,
    attempts = 1,
    step: "process" | "success" = "process"
  ): Failure.Failure<unknown, unknown> => ({ step, category: "business", transaction, cause, attempts, deliveries: 0 })

  it.each([
    { failure: failed(Cause.fail(new OutOfStock({ sku: "tea" }))), reason: "process failed: OutOfStock: no tea left" },
    { failure: failed(Cause.fail(new Bare())), reason: "process failed: Bare" },
    { failure: failed(Cause.fail(new Bare()), 3), reason: "process failed after 3 attempts: Bare" },
    { failure: failed(Cause.die(new TypeError("no"))), reason: "process failed: TypeError: no" },
    { failure: failed(Cause.fail("no"), 2, "success"), reason: "success failed after 2 attempts: no" },
    { failure: failed(Cause.interrupt()), reason: "process failed: interrupted by its own program" }
  ])("$reason", ({ failure, reason }) => {
    assert.strictEqual(Failure.reason(failure), reason)
  })

  it("of a sink that refused, what the sink said", () => {
    const reason = new Reason.InvalidRequest({ message: "too large" })
    const failure: Failure.Failure<unknown, unknown> = {
      step: "dispatch",
      category: "system",
      transaction,
      cause: Cause.fail(new ConnectorError.DispatchError({ reason })),
      attempts: 1,
      deliveries: 0
    }
    assert.strictEqual(Failure.reason(failure), "dispatch failed: InvalidRequest: too large")
    assert.deepStrictEqual(Failure.describeFailure(failure), {
      tag: "DispatchError",
      message: "dispatch failed: InvalidRequest: too large"
    })
  })

  it.effect("of a payload that does not fit, where and why", () =>
    Effect.gen(function*() {
      const issue = yield* Effect.flip(Schema.decodeUnknownEffect(Schema.Struct({ n: Schema.Int }))({ n: "x" }))
      const failure: Failure.Failure<unknown, unknown> = {
        step: "decode",
        category: "invalid",
        transaction,
        issue,
        attempts: 1,
        deliveries: 0
      }
      assert.strictEqual(Failure.reason(failure), `invalid payload: ${issue.message}`)
      assert.include(issue.message, `["n"]`)
    }))
})
