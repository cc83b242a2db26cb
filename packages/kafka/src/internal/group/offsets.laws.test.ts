import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Partition, type Place } from "./partition.ts"
import { Offsets } from "./offsets.ts"

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What happens to a partition, one after another. */
const Step = Schema.Union([
  // The next message comes, some offsets after the one before.
  Schema.Struct({ _tag: Schema.Literal("arrives"), hole: int(0, 3) }),
  // One that was here before comes again.
  Schema.Struct({ _tag: Schema.Literal("again"), back: int(1, 8) }),
  // Some transaction ends, in whatever order.
  Schema.Struct({ _tag: Schema.Literal("ends"), which: int(0, 100) }),
  // A transaction is given back, and handed over again.
  Schema.Struct({ _tag: Schema.Literal("returns"), which: int(0, 100) }),
  Schema.Struct({ _tag: Schema.Literal("returned") }),
  // The group has confirmed the last commit, or not.
  Schema.Struct({ _tag: Schema.Literal("commits"), confirmed: Schema.Boolean })
])

const Steps = Schema.Struct({ start: int(0, 20), steps: Schema.Array(Step).check(Schema.isMaxLength(120)) })

describe("Offsets", () => {
  it.effect.prop(
    "never commits past what is not done, and never back",
    [Steps],
    ([{ start, steps }]) =>
      Effect.sync(() => {
        const offsets = new Offsets(start)
        // As the engine does it: what stands done at the front is told by its last one.
        const line: Array<{ readonly offset: number; done: boolean }> = []
        const unfinished = new Set<number>()
        const seen = new Set<number>()
        const back: Array<number> = []
        let last = start - 1
        let stored = start
        for (const step of steps) {
          switch (step._tag) {
            case "arrives": {
              last += 1 + step.hole
              assert.isTrue(offsets.take(last), `${last} was refused`)
              assert.isFalse(seen.has(last), `${last} was handed over twice`)
              seen.add(last)
              unfinished.add(last)
              line.push({ offset: last, done: false })
              break
            }
            case "again": {
              const old = last - step.back + 1
              if (back.includes(old)) break
              assert.isFalse(offsets.take(old), `${old} was handed over again, the next one is ${offsets.next}`)
              break
            }
            case "ends": {
              if (line.length === 0) break
              const one = line[step.which % line.length]!
              one.done = true
              unfinished.delete(one.offset)
              let front: number | undefined
              // Whoever acknowledges knows of what was given back, and does not pass it.
              while (line[0]?.done === true && !back.some((offset) => offset < line[0]!.offset)) {
                front = line.shift()!.offset
              }
              if (front !== undefined) offsets.done(front)
              break
            }
            case "returns": {
              const open = line.filter(({ done }) => !done)
              const one = open[step.which % Math.max(1, open.length)]
              if (one === undefined) break
              line.splice(line.indexOf(one), 1)
              back.push(one.offset)
              assert.isTrue(offsets.giveBack(one.offset))
              assert.isFalse(offsets.giveBack(one.offset))
              break
            }
            case "returned": {
              const offset = back.sort((left, right) => left < right ? -1 : 1).shift()
              if (offset === undefined) break
              assert.isTrue(offsets.take(offset), `${offset} was given back and is refused`)
              line.push({ offset, done: false })
              line.sort((left, right) => left.offset < right.offset ? -1 : 1)
              break
            }
            case "commits": {
              const { due } = offsets
              if (due === undefined) break
              assert.isTrue(due > stored, `the position went from ${stored} to ${due}`)
              for (const offset of unfinished)
                assert.isTrue(offset >= due, `${offset} is not done and lies before ${due}`)
              if (step.confirmed) {
                offsets.confirm(due)
                stored = due
              }
              break
            }
          }
          assert.strictEqual(offsets.open, line.length)
        }
        for (const offset of back.splice(0)) {
          offsets.take(offset)
          line.push({ offset, done: false })
        }
        line.sort((left, right) => left.offset < right.offset ? -1 : 1)
        // Once all is done, the position is behind the last one.
        for (const { offset } of line)
          offsets.done(offset)
        assert.strictEqual(offsets.open, 0)
        assert.strictEqual(offsets.due ?? offsets.committed, seen.size === 0 ? start : last + 1)
      })
  )

  it("stays small however many pass", () => {
    const offsets = new Offsets(0)
    for (let offset = 0; offset < 100_000; offset++) {
      offsets.take(offset)
      if (offset % 50 === 49) offsets.done(offset)
    }
    assert.strictEqual(offsets.open, 0)
    assert.strictEqual(offsets.due, 100_000)
  })

  it("refuses what was never handed over", () => {
    const offsets = new Offsets(5)
    offsets.take(5)
    assert.throws(() => offsets.done(6), "offset 6 was not handed over: the next one is 6")
  })
})

describe("Partition", () => {
  const message = (offset: number, due?: number) => ({
    offset,
    timestamp: 0,
    key: null,
    value: Buffer.from("1"),
    headers: due === undefined ? [] : [[Buffer.from("ergon-due"), Buffer.from(String(due))] as const]
  })
  const options = { id: "position", order: "key" } as const
  const take = (partition: Partition, max: number, now = 0) => {
    const into: Array<{ readonly receipt: unknown }> = []
    partition.take(max, now, options, into as never)
    return into.map(({ receipt }) => (receipt as Place).offset)
  }

  it("takes nothing that comes twice", () => {
    const partition = new Partition("orders", 0, 1)
    partition.begin(3)
    assert.deepStrictEqual([2, 3, 4, 3, 5].map((offset) => partition.push(message(offset))), [
      false,
      true,
      true,
      false,
      true
    ])
    assert.deepStrictEqual(take(partition, 2), [3, 4])
    assert.deepStrictEqual(take(partition, 2), [5])
  })

  it("holds what is due later, and all behind it", () => {
    const partition = new Partition("orders", 0, 1)
    partition.begin(0)
    for (const one of [message(0), message(1, 500), message(2)]) partition.push(one)
    assert.deepStrictEqual(take(partition, 5, 100), [0])
    assert.strictEqual(partition.dueAt(), 500)
    assert.deepStrictEqual(take(partition, 5, 500), [1, 2])
    assert.strictEqual(partition.dueAt(), Infinity)
  })

  it("hands over again what was given back, first and in order", () => {
    const partition = new Partition("orders", 0, 1)
    partition.begin(0)
    for (let offset = 0; offset < 5; offset++) partition.push(message(offset))
    const into: Array<{ readonly receipt: unknown }> = []
    partition.take(3, 0, options, into as never)
    for (const at of [2, 1]) partition.giveBack(into[at]!.receipt as Place)
    partition.giveBack(into[2]!.receipt as Place)
    partition.offsets?.done(0)
    assert.strictEqual(partition.buffered, 4)
    assert.deepStrictEqual(take(partition, 5), [1, 2, 3, 4])
    assert.strictEqual(partition.offsets?.position, 1)
  })

  it("never commits past what was given back, whatever it is told", () => {
    const partition = new Partition("orders", 0, 1)
    partition.begin(0)
    for (let offset = 0; offset < 3; offset++) partition.push(message(offset))
    const into: Array<{ readonly receipt: unknown }> = []
    partition.take(3, 0, options, into as never)
    partition.giveBack(into[1]!.receipt as Place)
    partition.offsets?.done(2)
    assert.strictEqual(partition.offsets?.due, 1)
  })

  it("that is lost has nothing and takes nothing", () => {
    const partition = new Partition("orders", 0, 1)
    partition.begin(0)
    partition.push(message(0))
    partition.lose()
    assert.deepStrictEqual(take(partition, 5), [])
    assert.isFalse(partition.push(message(1)))
  })
})
