import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Disposition, Transaction } from "../index.ts"
import { WatermarkSource } from "./index.ts"

const numbers = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => Transaction.make(`${name}${n + 1}`, n + 1))
const request = (max: number) => ({ max, wait: Duration.zero })

describe("a watermark source", () => {
  it.effect("reads its partitions in turn, each in its order", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make({ partitions: 2 })
      yield* topic.append(0, numbers("a", 3))
      yield* topic.append(1, numbers("b", 2))
      const source = yield* topic.connect
      const deliveries = [...yield* source.fetch(request(3)), ...yield* source.fetch(request(3))]
      assert.deepStrictEqual(deliveries.map(({ transaction }) => transaction.id), ["a1", "b1", "a2", "b2", "a3"])
      assert.deepStrictEqual(deliveries.map(({ partition }) => partition), [
        "partition-0",
        "partition-1",
        "partition-0",
        "partition-1",
        "partition-0"
      ])
    }))

  it.effect("does not starve a partition when it is asked for one at a time", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make({ partitions: 2 })
      yield* topic.append(0, numbers("a", 3))
      yield* topic.append(1, numbers("b", 3))
      const source = yield* topic.connect
      const ids: Array<string | undefined> = []
      for (let n = 0; n < 4; n++) ids.push((yield* source.fetch(request(1)))[0]?.transaction.id)
      assert.deepStrictEqual(ids, ["a1", "b1", "a2", "b2"])
    }))

  it.effect("shares its partitions out among its consumers, and takes them back", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make({ partitions: 4 })
      for (const partition of [0, 1, 2, 3]) yield* topic.append(partition, numbers(`p${partition}-`, 1))
      const left = yield* topic.connect
      const all = yield* left.fetch(request(10))
      assert.strictEqual(all.length, 4)
      yield* Effect.scoped(Effect.gen(function*() {
        const right = yield* topic.connect
        assert.strictEqual(all.filter((delivery) => left.isHeld?.(delivery)).length, 2)
        assert.strictEqual((yield* right.fetch(request(10))).length, 2)
      }))
      assert.strictEqual((yield* left.fetch(request(10))).length, 2)
    }))

  it.effect("begins at the committed position after a partition was revoked", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, numbers("a", 4))
      const source = yield* topic.connect
      const before = yield* source.fetch(request(3))
      yield* source.settle(before.slice(0, 1).map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      yield* topic.revoke(0)
      const error = yield* Effect.flip(
        source.settle(before.slice(2).map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      )
      assert.strictEqual(error.reason._tag, "LeaseLost")
      assert.deepStrictEqual(yield* topic.committed, [1])
      const after = yield* source.fetch(request(10))
      assert.deepStrictEqual(after.map(({ transaction }) => transaction.id), ["a2", "a3", "a4"])
    }))

  it.effect("hands over again what was released, first and in order", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, numbers("a", 4))
      const source = yield* topic.connect
      const [a, b, c] = yield* source.fetch(request(3))
      for (const delivery of [c, b]) {
        yield* source.settle(delivery === undefined ? [] : [Disposition.settlement(delivery, Disposition.release)])
      }
      yield* source.settle(a === undefined ? [] : [Disposition.settlement(a, Disposition.ack)])
      const after = yield* source.fetch(request(10))
      assert.deepStrictEqual(after.map(({ transaction }) => transaction.id), ["a2", "a3", "a4"])
      assert.deepStrictEqual(yield* topic.committed, [1])
    }))

  it.effect("refuses dispositions that a position cannot express", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, numbers("a", 2))
      const source = yield* topic.connect
      const [a, b] = yield* source.fetch(request(2))
      const error = yield* Effect.flip(source.settle([
        ...a === undefined ? [] : [Disposition.settlement(a, Disposition.requeue())],
        ...b === undefined ? [] : [Disposition.settlement(b, Disposition.deadLetter("no"))]
      ]))
      assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason._tag]), [
        [0, "Unsupported"],
        [1, "Unsupported"]
      ])
      assert.deepStrictEqual(yield* topic.committed, [0])
    }))
})
