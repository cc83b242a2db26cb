import { Memory, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Notifications } from "../../connectors/notifications.ts"
import { AddressRejected, type Mail, Mailer, MailerBusy } from "../../services/mailer.ts"
import type { Notification } from "./schemas.ts"
import { __TASK_ID__ } from "./task.ts"

// The engine that production runs, on connectors in memory, under a clock that the test moves: nothing is mocked, and
// no test waits. `streaming` is off, so that a run ends with its source.
const task = __TASK_ID__.pipe(Task.policy({ loop: { streaming: false } }))

const notification = (id: string, given: Partial<Notification> = {}) =>
  Transaction.make(id, { to: "ada@example.org", subject: "Hello", text: "It works.", ...given })

const mailer = (send: (mail: Mail) => Effect.Effect<void, AddressRejected | MailerBusy>) =>
  Layer.succeed(Mailer, { send })

describe("__TASK__", () => {
  it.effect("sends each notification under its id", () =>
    Effect.gen(function*() {
      const sent: Array<string> = []
      const { succeeded } = yield* Task.run(task).pipe(Effect.provide([
        Memory.queue(Notifications, [notification("1"), notification("2")]),
        mailer(({ key }) => Effect.sync(() => void sent.push(key)))
      ]))
      assert.strictEqual(succeeded, 2)
      assert.deepStrictEqual(sent, ["1", "2"])
    }))

  it.effect("waits for as long as the mailer asks for", () =>
    Effect.gen(function*() {
      let calls = 0
      const running = yield* Effect.forkChild(
        Task.run(task).pipe(Effect.provide([
          Memory.queue(Notifications, [notification("1")]),
          mailer(() =>
            Effect.suspend(() =>
              ++calls === 1 ? Effect.fail(new MailerBusy({ retryAfter: Duration.seconds(20) })) : Effect.void
            )
          )
        ]))
      )
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(calls, 1)
      yield* TestClock.adjust("1 second")
      const { retries, succeeded } = yield* Fiber.join(running)
      assert.deepStrictEqual({ calls, retries, succeeded }, { calls: 2, retries: 1, succeeded: 1 })
    }))

  it.effect("gives up an address that is refused, without another try", () =>
    Effect.gen(function*() {
      let calls = 0
      const { deadLettered, letters } = yield* Effect.gen(function*() {
        const { deadLettered } = yield* Task.run(task)
        return { deadLettered, letters: (yield* Memory.contents(Notifications)).deadLetters }
      }).pipe(Effect.provide([
        Memory.queue(Notifications, [notification("1", { to: "nobody" })]),
        mailer(({ to }) => Effect.suspend(() => (calls++, Effect.fail(new AddressRejected({ to })))))
      ]))
      assert.deepStrictEqual({ calls, deadLettered }, { calls: 1, deadLettered: 1 })
      assert.include(letters[0]?.reason, "AddressRejected")
    }))

  it.effect("drops what comes too late", () =>
    Effect.gen(function*() {
      const { discarded } = yield* Task.run(task).pipe(Effect.provide([
        Memory.queue(Notifications, [notification("1", { validUntil: DateTime.makeUnsafe(-1) })]),
        mailer(() => Effect.die("not to be called"))
      ]))
      assert.strictEqual(discarded, 1)
    }))
})
