/** What is inferred in the callbacks of a task, and of the task itself, whatever the order of the combinators. */
import {
  type ConnectorError,
  Decision,
  Disposition,
  type Failure,
  Task,
  type TaskError,
  Transaction
} from "@ergon/core"
import { type Cause, Effect, type Schema, Stream } from "effect"
import { type Exact, is } from "./exact.ts"
import { Audit, Dead, Jobs, Mail, type Order, Orders, OutOfStock, Pricing, type RateLimited, Receipts } from "./shop.ts"

type Quantity = (typeof Order)["Type"]
type Priced = { readonly total: number; readonly late: boolean }
type Errors = OutOfStock | RateLimited

// the three ways to write a process step: a generator, an arrow, and a pipe
const generator = Task.consumer(
  "generator",
  Orders,
  Effect.fnUntraced(function*(transaction) {
    is<Exact<typeof transaction, Transaction.Transaction<Quantity>>>()
    const pricing = yield* Pricing
    if (transaction.payload.quantity < 0) return yield* new OutOfStock({ sku: transaction.id })
    const priced: Priced = { total: yield* pricing.price(transaction.payload.quantity), late: false }
    return priced
  })
)
is<Exact<typeof generator, Task.Task<Quantity, Priced, Errors, Orders | Pricing, TaskError.RunError>>>()

const traced = Task.consumer(
  "traced",
  Orders,
  Effect.fn("price")(function*(transaction) {
    is<Exact<typeof transaction, Transaction.Transaction<Quantity>>>()
    return transaction.payload.at
  })
)
is<Exact<typeof traced, Task.Task<Quantity, Date, never, Orders>>>()

const arrow = Task.consumer("arrow", Jobs, (transaction) => Effect.succeed(transaction.payload.n))
is<Exact<typeof arrow, Task.Task<{ readonly n: number }, number, never, Jobs>>>()

const piped = Task.consumer(
  "piped",
  Orders,
  (transaction) =>
    Pricing.use((pricing) => pricing.price(transaction.payload.quantity)).pipe(
      Effect.map((total) => ({ total }))
    )
)
is<Exact<typeof piped, Task.Task<Quantity, { total: number }, RateLimited, Orders | Pricing>>>()

// a Scope is the attempt's own, and asks nothing of who runs the task
const scoped = Task.consumer("scoped", Jobs, () => Effect.acquireRelease(Effect.succeed(1), () => Effect.void))
is<Exact<typeof scoped, Task.Task<{ readonly n: number }, number, never, Jobs>>>()
const scopedHooks = arrow.pipe(
  Task.onSuccess(() => Effect.acquireRelease(Effect.succeed(1), () => Effect.void)),
  Task.onFailure(() => Effect.asVoid(Effect.acquireRelease(Effect.succeed(1), () => Effect.void)))
)
is<Exact<typeof scopedHooks, typeof arrow>>()
const scopedMake = Task.make("scoped", Effect.acquireRelease(Effect.succeed(1), () => Effect.void))
is<Exact<typeof scopedMake, Task.Any<never, never>>>()

// every combinator, each of whose callbacks knows its arguments
const receipts = Task.dispatch(
  Receipts,
  (transaction: Transaction.Transaction<Quantity>, priced: Priced) =>
    Transaction.make(transaction.id, { total: priced.total, status: priced.late ? "late" : "ok" } as const)
)
type Whole = Task.Task<Quantity, Priced, Errors, Orders | Pricing | Receipts | Audit | Dead | Mail>

const inOneOrder = generator.pipe(
  Task.dispatch(Receipts, (transaction, priced) => {
    is<Exact<typeof transaction, Transaction.Transaction<Quantity>>>()
    is<Exact<typeof priced, Priced>>()
    return Transaction.make(transaction.id, { total: priced.total, status: priced.late ? "late" : "ok" })
  }),
  Task.dispatch(Audit, (transaction, { total }) => total > 10 ? [Transaction.make(transaction.id, "big")] : []),
  Task.onSuccess((transaction, priced) => {
    is<Exact<typeof transaction, Transaction.Transaction<Quantity>>>()
    is<Exact<typeof priced, Priced>>()
    return Mail.use((mail) => mail.send)
  }),
  Task.onFailure((failure) => {
    is<Exact<typeof failure, Failure.Failure<Quantity, Errors>>>()
    return Effect.succeed(Disposition.requeue("1 second"))
  }),
  Task.deadLetter(Dead),
  Task.policy({ process: { retry: { maxAttempts: 3 } } }),
  Task.decide({ OutOfStock: Decision.deadLetter, RateLimited: ({ after }) => Decision.retryAfter(after) }),
  Task.orderBy((transaction) => {
    is<Exact<typeof transaction, Transaction.Transaction<Quantity>>>()
    return String(transaction.payload.quantity)
  })
)
is<Exact<typeof inOneOrder, Whole>>()

const inAnother = generator.pipe(
  Task.orderBy((transaction) => String(transaction.payload.quantity)),
  Task.decide({ RateLimited: ({ after }) => Decision.retryAfter(after), OutOfStock: ({ sku }) => decideOn(sku) }),
  Task.policy({ process: { retry: { maxAttempts: 3 } } }),
  Task.deadLetter(Dead),
  Task.onFailure((failure) => Effect.logError(failure.category)),
  Task.onSuccess((_, { total }) => Mail.use((mail) => total > 0 ? mail.send : Effect.void)),
  Task.dispatch(Audit, (transaction, { total }) => total > 10 ? [Transaction.make(transaction.id, "big")] : []),
  Task.dispatch(Receipts, (transaction, { total }) => Transaction.make(transaction.id, { total, status: "ok" }))
)
is<Exact<typeof inAnother, Whole>>()

const interleaved = generator.pipe(
  Task.onFailure(() => Effect.void),
  Task.dispatch(Receipts, (transaction, { total }) => Transaction.make(transaction.id, { total, status: "ok" })),
  Task.decide((error) => decideOn(error._tag)),
  Task.deadLetter(Dead),
  Task.onSuccess(() => Mail.use((mail) => mail.send)),
  Task.policy({ loop: { concurrency: 2 } }),
  Task.discardFailures,
  Task.dispatch(Audit, () => []),
  Task.orderBy(({ id }) => id)
)
is<Exact<typeof interleaved, Whole>>()

// a combinator that was written elsewhere, with its types spelled out, fits in the pipe
const reused = generator.pipe(receipts)
is<Exact<typeof reused, Task.Task<Quantity, Priced, Errors, Orders | Pricing | Receipts>>>()
// @ts-expect-error not to a task with another payload and result
arrow.pipe(receipts)

// a queue may be consumed from and dispatched to by one task
const loop = arrow.pipe(Task.dispatch(Jobs, (transaction, n) => Transaction.make(transaction.id, { n })))
is<Exact<typeof loop, typeof arrow>>()

// a failure is discriminated by its step
generator.pipe(Task.onFailure((failure) => {
  switch (failure.step) {
    case "decode":
      is<Exact<typeof failure.transaction, Transaction.Transaction<unknown>>>()
      is<Exact<typeof failure.issue, Schema.SchemaError>>()
      is<Exact<typeof failure.category, "invalid" | "timeout">>()
      break
    case "process":
      is<Exact<typeof failure.transaction, Transaction.Transaction<Quantity>>>()
      is<Exact<typeof failure.cause, Cause.Cause<Errors>>>()
      break
    case "dispatch":
      is<Exact<typeof failure.cause, Cause.Cause<ConnectorError.DispatchError>>>()
      break
    case "success":
      is<Exact<typeof failure.cause, Cause.Cause<unknown>>>()
      break
    default:
      is<Exact<typeof failure, never>>()
  }
  return Effect.void
}))
// @ts-expect-error a failure of the decode step has no cause
generator.pipe(Task.onFailure((failure) => Effect.logError(failure.cause)))
// @ts-expect-error what it returns is a disposition or nothing
generator.pipe(Task.onFailure(() => Effect.succeed("requeue")))
// @ts-expect-error the result has no such field
generator.pipe(Task.onSuccess((_, priced) => Effect.log(priced.sum)))
// @ts-expect-error the payload has no such field
generator.pipe(Task.onSuccess((transaction) => Effect.log(transaction.payload.sku)))
// @ts-expect-error the result is not a string
generator.pipe(Task.onSuccess((_, priced: string) => Effect.log(priced)))
// @ts-expect-error a key is text
generator.pipe(Task.orderBy((transaction) => transaction.payload.quantity))

// producers: from an Iterable, and from a Stream whose error joins the errors of the run
const produced = Task.producer("produced", [Transaction.make("1", 1)], (transaction) => {
  is<Exact<typeof transaction, Transaction.Transaction<number>>>()
  return Effect.succeed({ n: transaction.payload })
})
is<Exact<typeof produced, Task.Task<number, { n: number }, never, never>>>()

const failing = Stream.make(Transaction.make("1", 1)).pipe(
  Stream.concat(Stream.fromEffect(Effect.as(Mail.use((mail) => mail.send), Transaction.make("2", 2))))
)
const streamed = Task.producer(
  "streamed",
  failing,
  Effect.fnUntraced(function*(transaction) {
    is<Exact<typeof transaction, Transaction.Transaction<number>>>()
    return yield* Pricing.use((pricing) => pricing.price(transaction.payload))
  })
)
is<Exact<typeof streamed, Task.Task<number, number, RateLimited, Mail | Pricing, TaskError.RunError | "unsent">>>()
const dispatched = streamed.pipe(Task.dispatch(Jobs, (transaction, n) => Transaction.make(transaction.id, { n })))
is<
  Exact<typeof dispatched, Task.Task<number, number, RateLimited, Mail | Pricing | Jobs, TaskError.RunError | "unsent">>
>()

// only what is a source can be consumed from
// @ts-expect-error a sink
Task.consumer("x", Receipts, () => Effect.void)
// @ts-expect-error dead letters
Task.consumer("x", Dead, () => Effect.void)
// @ts-expect-error a service
Task.consumer("x", Pricing, () => Effect.void)
declare const ofJobs: (job: Transaction.Transaction<{ readonly n: number }>) => Effect.Effect<number>
Task.consumer("x", Jobs, ofJobs)
// @ts-expect-error the payload of another source
Task.consumer("x", Orders, ofJobs)
// @ts-expect-error a process step is an Effect, not a promise
Task.consumer("x", Orders, async () => 1)
// @ts-expect-error bare payloads are not transactions
Task.producer("x", [1, 2], () => Effect.void)

// a policy of unknown or ill-typed keys
generator.pipe(Task.policy({ loop: { concurrency: 5, streaming: true, timeout: undefined } }))
// @ts-expect-error misspelt
generator.pipe(Task.policy({ loop: { concurency: 5 } }))
// @ts-expect-error misspelt section
generator.pipe(Task.policy({ lop: { concurrency: 5 } }))
// @ts-expect-error misspelt, two levels down
generator.pipe(Task.policy({ process: { retry: { attempts: 3 } } }))
// @ts-expect-error not a duration
generator.pipe(Task.policy({ process: { retry: { backoff: "soon" } } }))
// @ts-expect-error not one of the modes
generator.pipe(Task.policy({ loop: { mode: "stream" } }))

declare const decideOn: (text: string) => Decision.Decision
