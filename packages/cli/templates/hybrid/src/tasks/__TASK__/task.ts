import { Task, Transaction } from "@ergon/core"
import { Effect } from "effect"
import { DeadOrders } from "../../connectors/dead-orders.ts"
import { Orders } from "../../connectors/orders.ts"
import { Receipts } from "../../connectors/receipts.ts"
import { Catalogue } from "../../services/catalogue.ts"
import { decisions, TooExpensive } from "./errors.ts"
import { policy } from "./policy.ts"

const mostCents = 1_000_000

/**
 * Prices orders: out of one queue, into a table of receipts. An order is acknowledged after its receipt is confirmed.
 * When the process dies in between, the order is delivered again; the receipt has an id that follows from the order, so
 * that writing it again changes nothing.
 */
export const __TASK_ID__ = Task.consumer(
  "__TASK__",
  Orders,
  Effect.fnUntraced(function*({ payload: { lines } }) {
    const catalogue = yield* Catalogue
    const amounts = yield* Effect.forEach(
      lines,
      ({ quantity, sku }) => Effect.map(catalogue.price(sku), (price) => price * quantity),
      { concurrency: 4 }
    )
    const total = amounts.reduce((sum, amount) => sum + amount, 0)
    return total > mostCents ? yield* new TooExpensive({ total }) : total
  })
).pipe(
  Task.dispatch(
    Receipts,
    ({ id, payload: { customer } }, total) => Transaction.make(`receipt-${id}`, { order: id, customer, total })
  ),
  Task.deadLetter(DeadOrders),
  Task.policy(policy),
  Task.decide(decisions)
)
