import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import * as Delivery from "../../Delivery.ts"
import * as Transaction from "../../Transaction.ts"
import * as Item from "./item.ts"
import { Lanes, orderKey } from "./lanes.ts"

const item = (id: string, key?: string): Item.Item =>
  Item.make(Delivery.make(Transaction.make(id, 0), { key }), 0, key, 0)

const idOf = (item: Item.Item | undefined): string | undefined => item?.delivery.transaction.id

describe("Lanes", () => {
  it("lets what has no key start at once", () => {
    const lanes = new Lanes()
    assert.isTrue(lanes.enter(item("1")))
    assert.isTrue(lanes.enter(item("2")))
    assert.strictEqual(lanes.waiting, 0)
    assert.isUndefined(lanes.leave(undefined))
  })

  it("keeps one head per key, and hands over in the order of entering", () => {
    const lanes = new Lanes()
    assert.isTrue(lanes.enter(item("a1", "a")))
    assert.isFalse(lanes.enter(item("a2", "a")))
    assert.isFalse(lanes.enter(item("a3", "a")))
    assert.isTrue(lanes.enter(item("b1", "b")))
    assert.strictEqual(lanes.waiting, 2)
    assert.strictEqual(idOf(lanes.leave("a")), "a2")
    assert.strictEqual(idOf(lanes.leave("a")), "a3")
    assert.strictEqual(lanes.waiting, 0)
    assert.isUndefined(lanes.leave("a"))
  })

  it("an empty text is a key like any other", () => {
    const lanes = new Lanes()
    assert.isTrue(lanes.enter(item("1", "")))
    assert.isFalse(lanes.enter(item("2", "")))
    assert.strictEqual(idOf(lanes.leave("")), "2")
  })

  it("a lane is free again when its last one has left", () => {
    const lanes = new Lanes()
    lanes.enter(item("a1", "a"))
    lanes.leave("a")
    assert.isTrue(lanes.enter(item("a2", "a")))
  })

  it("leaving a lane that is not open does nothing", () => {
    assert.isUndefined(new Lanes().leave("a"))
  })

  it("drained, it hands out what waits, and its heads keep their lanes", () => {
    const lanes = new Lanes()
    for (const [id, key] of [["a1", "a"], ["b1", "b"], ["a2", "a"], ["b2", "b"], ["a3", "a"]] as const) {
      lanes.enter(item(id, key))
    }
    assert.sameMembers(lanes.drain().map(idOf), ["a2", "a3", "b2"])
    assert.strictEqual(lanes.waiting, 0)
    assert.isFalse(lanes.enter(item("a4", "a")))
    assert.strictEqual(idOf(lanes.leave("a")), "a4")
  })

  it.effect.prop(
    "whoever leaves when, one of a key runs at a time, in its order, and nobody is forgotten",
    {
      keys: Schema.Array(Schema.Literals(["a", "b", "c", "none"])),
      leaves: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })))
    },
    ({ keys, leaves }) =>
      Effect.sync(() => {
        const lanes = new Lanes()
        const items = keys.map((key, n) => item(`${n}`, key === "none" ? undefined : key))
        const running: Array<Item.Item> = []
        const started: Array<Item.Item> = []
        const start = (next: Item.Item): void => {
          assert.isFalse(next.key !== undefined && running.some(({ key }) => key === next.key))
          running.push(next)
          started.push(next)
        }
        const leave = (at: number): void => {
          const [left] = running.splice(at % running.length, 1)
          const next = lanes.leave(left!.key)
          if (next !== undefined) start(next)
        }
        items.forEach((next, n) => {
          if (lanes.enter(next)) start(next)
          if (running.length > 0 && leaves[n] !== undefined) leave(leaves[n])
          assert.strictEqual(lanes.waiting, n + 1 - started.length)
        })
        while (running.length > 0) leave(0)
        for (const key of ["a", "b", "c"]) {
          assert.deepStrictEqual(started.filter((item) => item.key === key), items.filter((item) => item.key === key))
        }
        assert.strictEqual(started.length, items.length)
      })
  )
})

describe("orderKey", () => {
  it("gives a decoded item the key of the task", () => {
    const one = item("1", "of the transport")
    one.transaction = Transaction.make("1", { customer: "c" })
    orderKey((transaction) => (transaction.payload as { readonly customer: string }).customer, one)
    assert.strictEqual(one.key, "c")
    assert.isUndefined(one.failure)
  })

  it("leaves an item that is not decoded alone", () => {
    const one = item("1", "of the transport")
    orderKey(() => "other", one)
    assert.strictEqual(one.key, "of the transport")
  })

  it("a key that cannot be computed is a defect of the process step", () => {
    const one = item("1")
    one.transaction = Transaction.make("1", 0)
    const defect = new TypeError("no key")
    orderKey(() => {
      throw defect
    }, one)
    assert.deepStrictEqual(one.failure, {
      step: "process",
      category: "system",
      transaction: one.transaction,
      cause: Cause.die(defect),
      attempts: 0,
      deliveries: 0
    })
  })
})
