import { Task, Transaction } from "@ergon/core"
import { Clock, Effect, Schedule, Stream } from "effect"
import { Orders } from "../../connectors/orders.ts"
import type { Order } from "../__TASK__/schemas.ts"

const skus = ["bolt", "nut", "washer"]

// So that there is something to see at once: fifty orders, ten a second; one in ten asks for what nobody sells.
// Delete this task, and take it out of src/main.ts and package.json, when real ones arrive.
const samples = Stream.unwrap(Effect.map(Clock.currentTimeMillis, (start) =>
  Stream.range(1, 50).pipe(
    Stream.schedule(Schedule.spaced("100 millis")),
    Stream.map((n) => {
      const sku = n % 10 === 0 ? "widget" : skus[n % skus.length] ?? "bolt"
      const payload: Order = { customer: `customer-${n}`, lines: [{ sku, quantity: 1 + n % 7 }] }
      return Transaction.make(`sample-${start}-${n}`, payload)
    })
  )))

export const __SAMPLES_ID__ = Task.producer("__SAMPLES__", samples, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(Orders, ({ id }, payload) => Transaction.make(id, payload))
)
