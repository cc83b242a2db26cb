/** What can be dispatched, to what, and what `Connector.send` needs. */
import { Connector, type ConnectorError, Task, Transaction } from "@ergon/core"
import { Effect, type Schema } from "effect"
import { type Exact, is } from "./exact.ts"
import { Audit, Dead, Jobs, Orders, Pricing, Receipts, Sealed, type Seals } from "./shop.ts"

const task = Task.consumer("task", Orders, ({ payload }) => Effect.succeed(payload.quantity))
const receipt = Transaction.make("receipt-1", { total: 1, status: "ok" as const })
const text = Transaction.make("audit-1", "big")
const number = Transaction.make("audit-1", 1)

// one, several and none
task.pipe(Task.dispatch(Audit, () => text))
task.pipe(Task.dispatch(Audit, () => [text, text]))
task.pipe(Task.dispatch(Audit, () => []))
task.pipe(Task.dispatch(Audit, (_, quantity) => quantity > 1 ? text : []))
// literals of the sink's schema are inferred where the output is made
task.pipe(Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total, status: "late" })))

// @ts-expect-error a payload of another type
task.pipe(Task.dispatch(Audit, () => number))
// @ts-expect-error a payload of another type, made on the spot
task.pipe(Task.dispatch(Audit, ({ id }, quantity) => Transaction.make(id, quantity)))
// @ts-expect-error one of several has another type
task.pipe(Task.dispatch(Audit, () => [text, number]))
// @ts-expect-error all of several have another type
task.pipe(Task.dispatch(Audit, () => [number]))
// @ts-expect-error in one of two branches
task.pipe(Task.dispatch(Audit, (_, quantity) => quantity > 1 ? text : number))
// @ts-expect-error a literal that the schema does not know
task.pipe(Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total, status: "early" })))
// @ts-expect-error a field is missing
task.pipe(Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total })))
// @ts-expect-error a bare payload is not a transaction
task.pipe(Task.dispatch(Audit, () => "big"))
// @ts-expect-error outputs are made by a function, not by an Effect
task.pipe(Task.dispatch(Audit, () => Effect.succeed(text)))
// @ts-expect-error the result of the process step is a number
task.pipe(Task.dispatch(Audit, (_, result: string) => Transaction.make("audit-1", result)))

// several sinks, each with its own payload: the second and the first are checked alike
task.pipe(Task.dispatch(Audit, () => text), Task.dispatch(Receipts, () => receipt))
// @ts-expect-error the second
task.pipe(Task.dispatch(Audit, () => text), Task.dispatch(Receipts, () => text))
// @ts-expect-error the first
task.pipe(Task.dispatch(Audit, () => receipt), Task.dispatch(Receipts, () => receipt))

// only what is a sink is dispatched to
task.pipe(Task.dispatch(Jobs, ({ id }, n) => Transaction.make(id, { n })))
// @ts-expect-error a source
task.pipe(Task.dispatch(Orders, (transaction) => transaction))
// @ts-expect-error dead letters, which take envelopes
task.pipe(Task.dispatch(Dead, () => text))
// @ts-expect-error a service
task.pipe(Task.dispatch(Pricing, () => text))
task.pipe(Task.deadLetter(Dead))
// @ts-expect-error a sink takes no envelopes
task.pipe(Task.deadLetter(Audit))
// @ts-expect-error a source neither
task.pipe(Task.deadLetter(Orders))
// @ts-expect-error nor a queue
task.pipe(Task.deadLetter(Jobs))

// a program of its own has no transactions
const made = Task.make("made", Effect.succeed(1))
// @ts-expect-error nothing to dispatch
made.pipe(Task.dispatch(Audit, () => text))
// @ts-expect-error no success step
made.pipe(Task.onSuccess(() => Effect.void))
// @ts-expect-error no exception step
made.pipe(Task.onFailure(() => Effect.void))
// @ts-expect-error no dead letters
made.pipe(Task.deadLetter(Dead))
// @ts-expect-error nothing to order
made.pipe(Task.orderBy(() => "x"))

// from anywhere: the key, and what its schema needs to encode
const sent = Connector.send(Audit, text)
is<Exact<typeof sent, Effect.Effect<void, ConnectorError.DispatchError | Schema.SchemaError, Audit>>>()
const queued = Connector.send(Jobs, Transaction.make("job-1", { n: 1 }))
is<Exact<typeof queued, Effect.Effect<void, ConnectorError.DispatchError | Schema.SchemaError, Jobs>>>()
class Vault extends Connector.Sink<Vault>()("vault", Sealed) {}
const sealed = Connector.send(Vault, text)
is<Exact<typeof sealed, Effect.Effect<void, ConnectorError.DispatchError | Schema.SchemaError, Vault | Seals>>>()
// @ts-expect-error a payload of another type
Connector.send(Audit, number)
// @ts-expect-error a source
Connector.send(Orders, Transaction.make("order-1", { quantity: 1, at: new Date(0) }))
// @ts-expect-error dead letters
Connector.send(Dead, text)

const counted = Connector.count(Orders)
is<Exact<typeof counted, Effect.Effect<Connector.Count, ConnectorError.FetchError, Orders>>>()
// @ts-expect-error a sink holds nothing to count
Connector.count(Audit)
