/** `Task.decide` is total over the tags of the process step's error, and of nothing else. */
import { Decision, Task } from "@ergon/core"
import { Effect, Schema } from "effect"
import { type Exact, is } from "./exact.ts"
import { Jobs, OutOfStock, Pricing, RateLimited } from "./shop.ts"

class OtherStock extends Schema.TaggedError<OtherStock>()("OutOfStock", { shelf: Schema.Int }) {}

const failing = <E>(error: E) => Task.consumer("failing", Jobs, () => Effect.fail(error))

const tagged = Task.consumer(
  "tagged",
  Jobs,
  Effect.fnUntraced(function*({ payload }) {
    if (payload.n < 0) return yield* new OutOfStock({ sku: "none" })
    return yield* Pricing.use((pricing) => pricing.price(payload.n))
  })
)

// every tag, as a value or as a function of its own error
const decided = tagged.pipe(Task.decide({
  OutOfStock: Decision.deadLetter,
  RateLimited: (error) => {
    is<Exact<typeof error, RateLimited>>()
    return Decision.retryAfter(error.after)
  }
}))
is<Exact<typeof decided, typeof tagged>>()
// a function over all of them
tagged.pipe(Task.decide((error) => {
  is<Exact<typeof error, OutOfStock | RateLimited>>()
  return error._tag === "RateLimited" ? Decision.retry : Decision.discard
}))

// @ts-expect-error a missing tag
tagged.pipe(Task.decide({ RateLimited: () => Decision.retry }))
// @ts-expect-error all tags are missing
tagged.pipe(Task.decide({}))
// @ts-expect-error an extra tag
tagged.pipe(Task.decide({ OutOfStock: Decision.discard, RateLimited: Decision.retry, Closed: Decision.abort }))
// @ts-expect-error a misspelt tag
tagged.pipe(Task.decide({ OutOfStok: Decision.discard, RateLimited: Decision.retry }))
// @ts-expect-error not a decision
tagged.pipe(Task.decide({ OutOfStock: "discard", RateLimited: Decision.retry }))
// @ts-expect-error a function that returns no decision
tagged.pipe(Task.decide({ OutOfStock: () => Effect.void, RateLimited: Decision.retry }))
// @ts-expect-error a function of all errors that returns no decision
tagged.pipe(Task.decide(() => "retry"))
// @ts-expect-error the error has no such field
tagged.pipe(Task.decide({ OutOfStock: (error) => Decision.requeue(error.after), RateLimited: Decision.retry }))

// two classes of one tag are decided together
failing<OutOfStock | OtherStock>(new OutOfStock({ sku: "none" })).pipe(Task.decide({
  OutOfStock: (error) => {
    is<Exact<typeof error, OutOfStock | OtherStock>>()
    return "sku" in error ? Decision.retry : Decision.requeue(error.shelf)
  }
}))

// without errors there is nothing to decide
const infallible = Task.consumer("infallible", Jobs, () => Effect.void)
infallible.pipe(Task.decide({}))
// @ts-expect-error an extra tag
infallible.pipe(Task.decide({ OutOfStock: Decision.discard }))

// errors without tags take a function
const untagged = failing(new Error("no"))
untagged.pipe(Task.decide((error) => {
  is<Exact<typeof error, Error>>()
  return error.message === "no" ? Decision.discard : Decision.abort
}))
// @ts-expect-error not a record
untagged.pipe(Task.decide({}))
const unknown = failing<unknown>(1)
unknown.pipe(Task.decide((error) => error === 1 ? Decision.discard : Decision.abort))
// @ts-expect-error not a record
unknown.pipe(Task.decide({}))
const partly = failing<OutOfStock | Error>(new Error("no"))
partly.pipe(Task.decide((error) => "sku" in error ? Decision.discard : Decision.abort))
// @ts-expect-error not a record, although some have a tag
partly.pipe(Task.decide({ OutOfStock: Decision.discard }))
is<Exact<Task.TaggedOnly<OutOfStock | RateLimited>, unknown>>()
is<
  Exact<
    Task.TaggedOnly<OutOfStock | Error>,
    "this error has members without a _tag: pass a function instead of a record"
  >
>()

// the errors of the hooks are not the process step's: they are not decided
const hooked = infallible.pipe(Task.onSuccess(() => Effect.fail(new OutOfStock({ sku: "none" }))), Task.decide({}))
is<Exact<typeof hooked, typeof infallible>>()

// `nonRetryable` keeps the type of the error
const final = Task.consumer("final", Jobs, () => Decision.nonRetryable(new RateLimited({ after: 1 })))
is<Exact<typeof final, Task.Task<{ readonly n: number }, never, RateLimited, Jobs>>>()
final.pipe(Task.decide({ RateLimited: Decision.requeue() }))
// @ts-expect-error its tag is decided like any other
final.pipe(Task.decide({}))
