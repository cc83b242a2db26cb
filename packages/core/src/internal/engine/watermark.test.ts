import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Delivery from "../../Delivery.ts"
import * as Transaction from "../../Transaction.ts"
import * as Item from "./item.ts"
import { Watermarks } from "./watermark.ts"

const item = (id: string, partition?: string): Item.Item =>
  Item.make(Delivery.make(Transaction.make(id, 0), { partition }), 0, undefined, 0)

const idsOf = (items: ReadonlyArray<Item.Item>): ReadonlyArray<string> =>
  items.map(({ delivery }) => delivery.transaction.id)

const fetched = (watermarks: Watermarks, ...ids: ReadonlyArray<string>): ReadonlyArray<Item.Item> => {
  const items = ids.map((id) => item(id, id.slice(0, 1)))
  for (const one of items) watermarks.fetched(one)
  return items
}

describe("Watermarks", () => {
  it("commits what stands finished at the front, in the order of its fetch", () => {
    const watermarks = new Watermarks()
    const [p1, p2, p3] = fetched(watermarks, "p1", "p2", "p3")
    watermarks.finished(p2!)
    assert.deepStrictEqual(watermarks.takeFinished(p2!), [])
    watermarks.finished(p1!)
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(p1!)), ["p1", "p2"])
    assert.deepStrictEqual(watermarks.takeFinished(p1!), [])
    watermarks.finished(p3!)
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(p3!)), ["p3"])
  })

  it("counts what stands finished behind a gap", () => {
    const watermarks = new Watermarks()
    const [p1, p2, p3] = fetched(watermarks, "p1", "p2", "p3")
    watermarks.finished(p2!)
    watermarks.finished(p2!)
    watermarks.finished(p3!)
    assert.strictEqual(watermarks.behind, 2)
    watermarks.finished(p1!)
    watermarks.takeFinished(p1!)
    assert.strictEqual(watermarks.behind, 0)
    const [, q2] = fetched(watermarks, "q1", "q2")
    watermarks.finished(q2!)
    watermarks.takeStranded()
    assert.strictEqual(watermarks.behind, 0)
  })

  it("partitions do not wait for each other; without a partition there is one", () => {
    const watermarks = new Watermarks()
    const [, q1] = fetched(watermarks, "p1", "q1")
    const none = item("none")
    watermarks.fetched(none)
    watermarks.finished(q1!)
    watermarks.finished(none)
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(q1!)), ["q1"])
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(none)), ["none"])
  })

  it("behind one that was given back nothing is committed; it is stranded", () => {
    const watermarks = new Watermarks()
    const [p1, p2, p3, p4] = fetched(watermarks, "p1", "p2", "p3", "p4")
    watermarks.finished(p1!)
    watermarks.forget(p2!)
    watermarks.finished(p3!)
    watermarks.finished(p2!)
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(p2!)), ["p1"])
    assert.deepStrictEqual(idsOf(watermarks.takeStranded()), ["p3"])
    assert.deepStrictEqual(watermarks.takeStranded(), [])
    watermarks.finished(p4!)
    watermarks.finished(p3!)
    assert.deepStrictEqual(watermarks.takeFinished(p4!), [])
  })

  it("the same position handed over once more keeps its place", () => {
    const watermarks = new Watermarks()
    const [p1, p2] = fetched(watermarks, "p1", "p2")
    const again = item("p1-again", "p")
    watermarks.replace(p1!, again)
    watermarks.finished(p2!)
    watermarks.finished(p1!)
    assert.deepStrictEqual(watermarks.takeFinished(p1!), [])
    watermarks.finished(again)
    assert.deepStrictEqual(idsOf(watermarks.takeFinished(again)), ["p1-again", "p2"])
  })

  it("what was never fetched is not committed", () => {
    const watermarks = new Watermarks()
    const p1 = item("p1", "p")
    watermarks.finished(p1)
    watermarks.replace(item("p2", "p"), item("p3", "p"))
    assert.deepStrictEqual(watermarks.takeFinished(p1), [])
  })

  it.effect.prop(
    "each partition's commits are its longest finished front, whatever ends in which order",
    {
      partitions: Schema.Array(Schema.Literals(["p", "q"])).check(Schema.isMaxLength(20)),
      ends: Schema.Array(Schema.Struct({
        at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 19 })),
        how: Schema.Literals(["finished", "finished", "finished", "forget"]),
        take: Schema.Boolean
      }))
    },
    ({ ends, partitions }) =>
      Effect.sync(() => {
        const watermarks = new Watermarks()
        const items = partitions.map((partition, n) => item(`${n}`, partition))
        for (const one of items) watermarks.fetched(one)
        const finished = new Set<Item.Item>()
        const forgotten = new Set<Item.Item>()
        const committed = new Map<string, Array<Item.Item>>([["p", []], ["q", []]])
        const take = (): void => {
          for (const [partition, run] of committed) run.push(...watermarks.takeFinished(item("any", partition)))
        }
        for (const { at, how, take: now } of ends) {
          const one = items[at]
          if (one === undefined || finished.has(one) || forgotten.has(one)) continue
          if (how === "finished") finished.add(one)
          else forgotten.add(one)
          watermarks[how](one)
          if (now) take()
        }
        take()
        for (const [partition, run] of committed) {
          const own = items.filter(({ delivery }) => delivery.partition === partition)
          const front = own.findIndex((one) => !finished.has(one))
          assert.deepStrictEqual(run, front < 0 ? own : own.slice(0, front))
        }
        const open = items.filter((one) => finished.has(one) && !committed.get(one.delivery.partition!)!.includes(one))
        assert.sameMembers(watermarks.takeStranded(), open)
      })
  )
})
