import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Clock, Context, Effect, Fiber, Layer } from "effect"
import { Broker } from "../../index.ts"
import { queueName, withChannel } from "../../test/places.ts"
import { sourceSettings } from "../settings/connectors.ts"
import type { Receipt } from "./session.ts"
import { Subscription } from "./subscription.ts"

const port = 5672

await Services.describe([Services.rabbitmq], "a subscription from which nothing is fetched", () => {
  it.live("gives back what it has buffered, unless somebody works on something", () =>
    Effect.gen(function*() {
      const queue = yield* queueName(port)
      const settings = yield* sourceSettings("items", { queue, declare: true, prefetch: 3 })
      const context = yield* Layer.build(Broker.layer({ hosts: [`127.0.0.1:${port}`] }))
      let now = 0
      const clock: Clock.Clock = { ...(yield* Clock.Clock), currentTimeMillisUnsafe: () => now }
      const link = Context.get(context, Broker.Broker).consuming
      const subscription = new Subscription({ link, settings, clock, patience: 1000 })
      yield* Effect.addFinalizer(() => subscription.close())
      yield* Effect.forkScoped(subscription.run())
      const fetched = (max: number) => {
        let kept: ReadonlyArray<Receipt> = []
        return Effect.map(subscription.fetch(max, 10_000, (receipts) => void (kept = receipts)), () => kept)
      }
      const counted = withChannel(port, (channel) => channel.queueDeclare({ queue, passive: true }))

      const first = yield* Effect.forkScoped(fetched(1))
      let there = yield* Effect.exit(counted)
      while (there._tag === "Failure" || there.value.consumerCount === 0) there = yield* Effect.exit(counted)
      yield* withChannel(port, async (channel) => {
        await channel.confirmSelect()
        for (const n of [1, 2, 3]) await channel.basicPublish({ routingKey: queue, durable: true }, { n })
      })
      const [held] = yield* Fiber.join(first)
      assert.isDefined(held)
      while ((yield* counted).messageCount > 0) yield* Effect.yieldNow
      now = 3_600_000
      subscription.parkIfIdle()
      assert.isTrue(held?.isHeld)

      held?.session.ack([held])
      subscription.parkIfIdle()
      let left = yield* counted
      while (left.messageCount < 2) left = yield* counted
      assert.strictEqual(left.consumerCount, 0)
      const again = yield* fetched(1)
      assert.isTrue(again[0]?.message.redelivered)

      // What could not be settled, and is not tried again, does not stay with us for ever.
      subscription.unsettled.set(again[0]!, now)
      subscription.giveBack()
      assert.isTrue(again[0]?.isHeld)
      now += 121_000
      subscription.giveBack()
      assert.isFalse(again[0]?.isHeld)
      const rest = [...yield* fetched(2), ...yield* fetched(1)]
      assert.sameMembers(rest.map(({ message }) => message.headers?.["x-delivery-count"]), [1, 2])
    }).pipe(Effect.scoped), 20_000)
})
