/** What running a task answers with, fails with and needs; and how Layers close it. */
import {
  Connector,
  type ConnectorError,
  Control,
  Memory,
  type Outcome,
  Task,
  type TaskError,
  Transaction
} from "@ergon/core"
import { Effect, Layer, type Schema, type Stream } from "effect"
import { type Exact, is } from "./exact.ts"
import { Dead, Jobs, type Keys, Mail, Orders, Pricing, type RateLimited, Receipts, Sealed, type Seals } from "./shop.ts"

type Quantity = { readonly quantity: number; readonly at: Date }
type RunError = TaskError.RunError
type Uses = Orders | Receipts | Dead | Pricing

const order = Transaction.make("order-1", { quantity: 1, at: new Date(0) })
const task = Task.consumer(
  "task",
  Orders,
  ({ payload }) => Pricing.use((pricing) => pricing.price(payload.quantity))
).pipe(
  Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total, status: "ok" })),
  Task.deadLetter(Dead)
)
is<Exact<typeof task, Task.Task<Quantity, number, RateLimited, Uses>>>()

// the ways to run it
const run = Task.run(task)
is<Exact<typeof run, Effect.Effect<Outcome.Summary, RunError, Uses>>>()
const controlled = Effect.flatMap(Control.make, (control) => Task.run(task, { control }))
is<Exact<typeof controlled, typeof run>>()
// @ts-expect-error a misspelt option
Task.run(task, { controls: undefined })

const outcomes = Task.outcomes(task)
is<Exact<typeof outcomes, Stream.Stream<Outcome.Outcome<Quantity, number, RateLimited>, RunError, Uses>>>()

const one = Task.runTransaction(task, order)
is<Exact<typeof one, Effect.Effect<Outcome.Outcome<Quantity, number, RateLimited>, RunError, Uses>>>()
// @ts-expect-error a transaction of another payload
Task.runTransaction(task, Transaction.make("job-1", { n: 1 }))
// @ts-expect-error a bare payload
Task.runTransaction(task, order.payload)
// @ts-expect-error decoded, not encoded
Task.runTransaction(task, Transaction.make("order-1", { quantity: 1, at: "1970-01-01" }))

const claimed = Task.runById(task, "order-1")
is<Exact<typeof claimed, Effect.Effect<Outcome.Outcome<Quantity, number, RateLimited>, RunError, Uses>>>()
is<Exact<Extract<RunError, ConnectorError.FetchError>, ConnectorError.FetchError>>()

// an outcome keeps the types of the task
Effect.map(one, ({ _tag, failure, result }) => {
  is<Exact<typeof _tag, "succeeded" | "failed" | "requeued" | "timeout" | "redelivered" | "released">>()
  is<Exact<typeof result, number | undefined>>()
  if (failure?.step === "process") is<Exact<typeof failure.transaction, Transaction.Transaction<Quantity>>>()
})

// a program of its own: run, and nothing else
const made = Task.make("made", Mail.use((mail) => mail.send))
is<Exact<typeof made, Task.Any<"unsent", Mail>>>()
const madeRun = Task.run(made)
is<Exact<typeof madeRun, Effect.Effect<Outcome.Summary, "unsent", Mail>>>()
// @ts-expect-error no outcomes
Task.outcomes(made)
// @ts-expect-error no transactions
Task.runTransaction(made, order)
// @ts-expect-error no source
Task.runById(made, "order-1")
// @ts-expect-error no schema
Task.runJson(made, order)
// @ts-expect-error nothing to count
Task.count(made)
// every task is one for lists and running, and says whether it has transactions
export const list: ReadonlyArray<Task.Any<RunError | "unsent", Uses | Mail>> = [task, made]
const [listed] = list
if (listed !== undefined && Task.hasTransactions(listed)) {
  is<Exact<typeof listed, Task.Task<unknown, unknown, unknown, Uses | Mail, RunError | "unsent">>>()
  Task.runById(listed, "order-1")
}

// a payload that is still JSON, and what its source holds
const given = Task.runJson(task, Transaction.make("order-1", { quantity: 1, at: "1970-01-01" }))
is<Exact<Effect.Success<typeof given>, Outcome.Outcome<Quantity, number, RateLimited>>>()
is<Exact<Effect.Error<typeof given>, RunError | Schema.SchemaError>>()
const counted = Task.count(task)
is<Exact<typeof counted, Effect.Effect<Connector.Count, RunError, Uses>>>()

// a policy keeps the type of whatever it is laid over
const withPolicy = made.pipe(Task.policy({ shutdown: { grace: "1 minute" } }))
is<Exact<typeof withPolicy, typeof made>>()

// Layers close what a task needs
const pricing = Layer.succeed(Pricing, { price: () => Effect.succeed(1) })
const connectors = Layer.mergeAll(Memory.source(Orders, [order]), Memory.sink(Receipts), Memory.deadLetters(Dead))
export const closed: Effect.Effect<Outcome.Summary, RunError> = run.pipe(
  Effect.provide(Layer.merge(connectors, pricing))
)
// @ts-expect-error a missing service
export const withoutPricing: Effect.Effect<Outcome.Summary, RunError> = run.pipe(Effect.provide(connectors))
const lacking = run.pipe(Effect.provide(connectors))
is<Exact<Effect.Services<typeof lacking>, Pricing>>()
// a missing connector stands in the type by its own name
const sourceless = run.pipe(Effect.provide(Layer.mergeAll(Memory.sink(Receipts), Memory.deadLetters(Dead), pricing)))
is<Exact<Effect.Services<typeof sourceless>, Orders>>()
// @ts-expect-error a missing source
void Effect.runPromise(sourceless)
const sinkless = run.pipe(
  Effect.provide(Layer.mergeAll(Memory.source(Orders, [order]), Memory.deadLetters(Dead), pricing))
)
is<Exact<Effect.Services<typeof sinkless>, Receipts>>()
// @ts-expect-error a missing sink
void Effect.runPromise(sinkless)
// a source and a sink of one name are two keys
class OrdersOut extends Connector.Sink<OrdersOut>()("orders", Sealed) {}
const otherSlot = run.pipe(Effect.provide(Layer.mergeAll(Memory.sink(OrdersOut), connectors, pricing)))
is<Exact<Effect.Services<typeof otherSlot>, never>>()
is<Exact<(typeof OrdersOut)["key"], "ergon/Sink/orders">>()
is<Exact<(typeof Orders)["key"], "ergon/Source/orders">>()

// Task.provide: closes some or all, adds what the Layer needs, and what it can fail with
const provided = task.pipe(Task.provide(connectors))
is<Exact<typeof provided, Task.Task<Quantity, number, RateLimited, Pricing>>>()
const whole = task.pipe(Task.provide(connectors), Task.provide(pricing))
is<Exact<typeof whole, Task.Task<Quantity, number, RateLimited, never>>>()
const priced = Layer.effect(Pricing, Effect.as(Mail.use((mail) => mail.send), { price: () => Effect.succeed(1) }))
const withNeeds = task.pipe(Task.provide(priced))
is<
  Exact<
    typeof withNeeds,
    Task.Task<Quantity, number, RateLimited, Orders | Receipts | Dead | Mail, RunError | "unsent">
  >
>()
const withNeedsRun = Task.run(withNeeds)
is<Exact<Effect.Error<typeof withNeedsRun>, RunError | "unsent">>()
const withNeedsOne = Task.runTransaction(withNeeds, order)
is<Exact<Effect.Error<typeof withNeedsOne>, RunError | "unsent">>()
const withNeedsOutcomes = Task.outcomes(withNeeds)
is<Exact<Stream.Error<typeof withNeedsOutcomes>, RunError | "unsent">>()
// what is added after `provide` is needed again, and a provided task goes on in the pipe
const after = whole.pipe(
  Task.onSuccess(() => Pricing.use((pricing) => pricing.price(1))),
  Task.dispatch(Jobs, ({ id }, n) => Transaction.make(id, { n }))
)
is<Exact<typeof after, Task.Task<Quantity, number, RateLimited, Pricing | Jobs>>>()

// what the schemas need: a source's to decode, a sink's to encode
class SealedIn extends Connector.Source<SealedIn>()("sealed-in", Sealed) {}
class SealedOut extends Connector.Sink<SealedOut>()("sealed-out", Sealed) {}
class SealedJobs extends Connector.Queue<SealedJobs>()("sealed-jobs", Sealed) {}
const opened = Task.consumer("opened", SealedIn, ({ payload }) => Effect.succeed(payload))
is<Exact<typeof opened, Task.Task<string, string, never, SealedIn | Keys>>>()
const resealed = opened.pipe(Task.dispatch(SealedOut, ({ id }, text) => Transaction.make(id, text)))
is<Exact<typeof resealed, Task.Task<string, string, never, SealedIn | Keys | SealedOut | Seals>>>()
const consumed = Task.consumer("consumed", SealedJobs, () => Effect.void)
is<Exact<typeof consumed, Task.Task<string, void, never, SealedJobs | Keys>>>()
const produced = Task.producer("produced", [Transaction.make("1", "open")], ({ payload }) => Effect.succeed(payload))
const producedInto = produced.pipe(Task.dispatch(SealedJobs, ({ id }, text) => Transaction.make(id, text)))
is<Exact<typeof producedInto, Task.Task<string, string, never, SealedJobs | Seals>>>()
