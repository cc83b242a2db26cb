import { Connector, Memory, Transaction } from "@ergon/core"
import { Faults } from "@ergon/core/testing"
import { type Layer, Schema } from "effect"

class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.Number })) {}
class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Struct({ n: Schema.Int })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const order = Transaction.make("order-1", { quantity: 1 })
const job = Transaction.make("job-1", { n: 1 })

// each kind of key has its own Layer, which needs nothing and cannot fail
export const source: Layer.Layer<Orders> = Memory.source(Orders, [order])
export const sink: Layer.Layer<Receipts> = Memory.sink(Receipts)
export const queue: Layer.Layer<Jobs> = Memory.queue(Jobs, [job])
export const deadLetters: Layer.Layer<Dead> = Memory.deadLetters(Dead)

// @ts-expect-error a queue is not a source: it would have no sink
Memory.source(Jobs, [job])
// @ts-expect-error a source is not a queue
Memory.queue(Orders, [order])
// @ts-expect-error a sink has no transactions to begin with
Memory.source(Receipts, [Transaction.make("receipt-1", { total: 1 })])
// @ts-expect-error a queue is not a sink: it would have no source
Memory.sink(Jobs)
// @ts-expect-error dead letters are not a sink for transactions
Memory.sink(Dead)
// @ts-expect-error the payload is not an order
Memory.source(Orders, [job])
// @ts-expect-error a misspelt option
Memory.source(Orders, [order], { leese: "1 minute" })
// @ts-expect-error a queue does not end
Memory.queue(Jobs, [job], { end: true })
// @ts-expect-error a source receives nothing
void Memory.received(Orders)
// @ts-expect-error a sink holds nothing
void Memory.contents(Receipts)

// faults keep the type of the Layer
export const faulty: Layer.Layer<Jobs> = queue.pipe(
  Faults.source(Jobs, { fetch: Faults.always(Faults.surplus(3)) }),
  Faults.sink(Jobs, { dispatch: Faults.at(1, Faults.hang()) })
)
// @ts-expect-error a sink cannot fail to fetch
void Faults.source(Receipts, {})
