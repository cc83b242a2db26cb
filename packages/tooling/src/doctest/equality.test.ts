import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { matches } from "./equality.ts"

class Order extends Schema.Class<Order>("Order")({ id: Schema.String }) {}

describe("equality", () => {
  const equal: ReadonlyArray<readonly [unknown, unknown]> = [
    [1, 1],
    [NaN, NaN],
    [[1, [2]], [1, [2]]],
    [new Order({ id: "a" }), new Order({ id: "a" })],
    [new Order({ id: "a" }), { id: "a" }],
    [{ a: 1, b: undefined }, { a: 1 }],
    [Option.some([1]), Option.some([1])],
    [new Map([["a", 1]]), new Map([["a", 1]])],
    [[new Order({ id: "a" })], [{ id: "a" }]]
  ]
  const different: ReadonlyArray<readonly [unknown, unknown]> = [
    [1, "1"],
    [null, undefined],
    [[1], [1, 2]],
    [[1, 2], { 0: 1, 1: 2 }],
    [{ a: 1 }, new Order({ id: "a" })],
    [new Order({ id: "a" }), { id: "b" }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [Option.some(1), Option.none()],
    [undefined, {}]
  ]
  it("accepts values of the same shape", () => {
    for (const [actual, expected] of equal) assert.isTrue(matches(actual, expected), JSON.stringify([actual, expected]))
  })
  it("refuses every other", () => {
    for (const [actual, expected] of different) {
      assert.isFalse(matches(actual, expected), JSON.stringify([actual, expected]))
    }
  })
})
