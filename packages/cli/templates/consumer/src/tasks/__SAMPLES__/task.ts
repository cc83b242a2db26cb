import { Task, Transaction } from "@ergon/core"
import { Clock, Effect, Schedule, Stream } from "effect"
import { Notifications } from "../../connectors/notifications.ts"
import type { Notification } from "../__TASK__/schemas.ts"

// So that there is something to see at once: fifty notifications, ten a second; one in ten has no proper address.
// Delete this task, and take it out of src/main.ts and package.json, when real ones arrive.
const samples = Stream.unwrap(Effect.map(Clock.currentTimeMillis, (start) =>
  Stream.range(1, 50).pipe(
    Stream.schedule(Schedule.spaced("100 millis")),
    Stream.map((n) => {
      const to = n % 10 === 0 ? `customer ${n}` : `customer-${n}@example.org`
      const payload: Notification = { to, subject: `Order ${n} is on its way`, text: "It arrives tomorrow." }
      return Transaction.make(`sample-${start}-${n}`, payload)
    })
  )))

export const __SAMPLES_ID__ = Task.producer("__SAMPLES__", samples, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(Notifications, ({ id }, payload) => Transaction.make(id, payload))
)
