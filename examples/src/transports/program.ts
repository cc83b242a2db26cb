/** Sends four orders, has them priced, and says what became of them. */
import { Connector, Task, Transaction } from "@ergon/core"
import { Console, Effect } from "effect"
import { Orders, pricing, Receipts } from "./pricing.ts"

export const program = Effect.gen(function*() {
  for (const [n, item] of ["lamp", "chair", "unicorn", "lamp"].entries()) {
    yield* Connector.send(Orders, Transaction.make(`order-${n + 1}`, { item, quantity: n + 1 }))
  }
  const { deadLettered, succeeded } = yield* Task.run(pricing)
  const { ready } = yield* Connector.count(Receipts)
  yield* Console.log(`${succeeded} priced, ${deadLettered} dead-lettered, ${ready} receipts`)
})
