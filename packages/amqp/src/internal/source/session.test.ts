import { assert, describe, it } from "@effect/vitest"
import type { AsyncMessage, Channel } from "../client/library.ts"
import { type Receipt, Session } from "./session.ts"
import { stepOf } from "./delay.ts"

/** What was written to a channel. */
const session = () => {
  const frames: Array<string> = []
  const channel: Pick<Channel, "on" | "basicAck" | "basicNack"> = {
    on: () => channel as Channel,
    basicAck: ({ deliveryTag, multiple }) => void frames.push(`ack ${multiple === true ? "up to " : ""}${deliveryTag}`),
    basicNack: ({ deliveryTag }) => void frames.push(`nack ${deliveryTag}`)
  }
  const receipts: Array<Receipt> = []
  const one = new Session(channel as Channel, ["q"], 10, (receipt) => void receipts.push(receipt))
  const arrive = (...tags: ReadonlyArray<number>) => {
    for (const deliveryTag of tags) one.arrive(one.queues[0]!, { deliveryTag } as AsyncMessage)
  }
  const ack = (...tags: ReadonlyArray<number>) => {
    one.ack(receipts.filter(({ tag }) => tags.includes(tag)))
    return frames.splice(0)
  }
  return { one, receipts, arrive, ack, frames }
}

describe("acknowledging", () => {
  it("takes one frame for all that have nothing unsettled before them", () => {
    const { ack, arrive, one } = session()
    arrive(1, 2, 3, 4, 5, 6)
    assert.deepStrictEqual(ack(3, 1, 2), ["ack up to 3"])
    assert.deepStrictEqual(ack(6, 5), ["ack 5", "ack 6"])
    assert.deepStrictEqual(ack(4), ["ack up to 4"])
    assert.deepStrictEqual([one.open.size, one.queues[0]?.open], [0, 0])
  })

  it("never reaches over one that is unsettled", () => {
    const { ack, arrive, frames, one, receipts } = session()
    arrive(1, 2, 3, 4)
    one.requeue(receipts[1]!)
    assert.deepStrictEqual(frames.splice(0), ["nack 2"])
    assert.deepStrictEqual(ack(3, 4), ["ack 3", "ack 4"])
    one.renew(receipts[0]!)
    assert.strictEqual(one.open.size, 1)
    assert.isFalse(receipts[0]!.isHeld)
  })

  it("ends with a delivery that was missed: a later one would acknowledge it too", () => {
    const { arrive, one, receipts } = session()
    arrive(1, 3)
    assert.isFalse(one.isAlive)
    assert.include(String(one.why), "delivery 2 was missed")
    assert.strictEqual(receipts.length, 1)
  })
})

describe("a delay", () => {
  it("is rounded up to a step, by less than twice", () => {
    for (let millis = 50; millis <= 30 * 86_400_000; millis = Math.ceil(millis * 1.07)) {
      const step = stepOf(millis)
      assert.isAtLeast(step?.millis ?? 0, millis)
      assert.isAtMost(step?.millis ?? Infinity, 2.5 * millis)
    }
    assert.deepStrictEqual([90_000, 1000, 60_000, 1].map((millis) => stepOf(millis)?.label), [
      "1.5m",
      "1s",
      "1m",
      "50ms"
    ])
    assert.isUndefined(stepOf(30 * 86_400_000 + 1))
  })
})
