/**
 * Out of a queue, into two sinks: a task that consumes and dispatches. An order is acknowledged once the shipment and
 * every item of the invoice are confirmed; when the confirmation of one sink fails, the other is not sent to again.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Task, Transaction } from "@ergon/core"
import { Database, Sql, Sqlite } from "@ergon/sql"
import { Console, Effect, Layer, Schema } from "effect"

const Order = Schema.Struct({
  customer: Schema.String,
  lines: Schema.Array(Schema.Struct({ sku: Schema.String, quantity: Schema.Int, unitPrice: Schema.Int }))
})
const Shipment = Schema.Struct({ customer: Schema.String, pieces: Schema.Int })
const InvoiceLine = Schema.Struct({ order: Schema.String, sku: Schema.String, amount: Schema.Int })

class Orders extends Connector.Queue<Orders>()("orders", Order) {}
class Shipments extends Connector.Queue<Shipments>()("shipments", Shipment) {}
class InvoiceLines extends Connector.Sink<InvoiceLines>()("invoice-lines", InvoiceLine) {}

const fulfil = Task.consumer(
  "fulfil",
  Orders,
  ({ payload: { lines } }) => Effect.succeed(lines.reduce((pieces, { quantity }) => pieces + quantity, 0))
).pipe(
  // One output, to another queue, where the next task may wait for it.
  Task.dispatch(
    Shipments,
    ({ id, payload: { customer } }, pieces) => Transaction.make(`shipment-${id}`, { customer, pieces })
  ),
  // Several outputs, or none for an order without lines. Their ids follow from the input: a second time does no harm.
  Task.dispatch(
    InvoiceLines,
    ({ id, payload: { lines } }) =>
      lines.map(({ quantity, sku, unitPrice }) =>
        Transaction.make(`${id}-${sku}`, { order: id, sku, amount: quantity * unitPrice })
      )
  ),
  Task.policy({ loop: { concurrency: 4 } })
)

const layers = Layer.mergeAll(Sql.queue(Orders), Sql.queue(Shipments), Sql.table(InvoiceLines)).pipe(
  Layer.provideMerge(Sqlite.layer({ filename: ":memory:" }))
)

const program = Effect.gen(function*() {
  const bolt = { sku: "bolt", quantity: 100, unitPrice: 2 }
  const nut = { sku: "nut", quantity: 50, unitPrice: 1 }
  yield* Connector.send(Orders, Transaction.make("order-1", { customer: "Ada", lines: [bolt, nut] }))
  yield* Connector.send(Orders, Transaction.make("order-2", { customer: "Grace", lines: [bolt] }))

  const { succeeded } = yield* Task.run(fulfil)
  const { ready } = yield* Connector.count(Shipments)
  const { sql } = yield* Database.Database
  const invoices = yield* sql<{ readonly order: string; readonly amount: number }>`
    SELECT "order", sum(amount) AS amount FROM invoice_lines GROUP BY "order" ORDER BY "order"`

  yield* Console.log(`${succeeded} orders fulfilled, ${ready} shipments in their queue`)
  for (const { amount, order } of invoices) yield* Console.log(`${order}: ${amount} to be paid`)
})

program.pipe(Effect.provide(layers), NodeRuntime.runMain)
