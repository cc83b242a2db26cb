/**
 * Transactions that flow through a queue while a test does to it what it likes, and the books about them.
 */
import { Connector, type ConnectorError, Task, Transaction } from "@ergon/core"
import { Ledger } from "@ergon/lab"
import { Context, Deferred, Effect, Fiber, Layer, Result, Schedule, Schema } from "effect"

export class Orders
  extends Connector.Queue<Orders>()("orders", Schema.Struct({ n: Schema.Int, text: Schema.String }))
{}

export const order = (n: number) => Transaction.make(`order-${n}`, { n, text: "x".repeat(60) })

type QueueLayer = Layer.Layer<Orders, unknown>

const often = Schedule.spaced("50 millis")

/** Dispatches until every one of the batch is confirmed. */
export const dispatchAll = (
  sink: Connector.SinkService,
  transactions: ReadonlyArray<Transaction.Transaction<unknown>>
): Effect.Effect<number, ConnectorError.DispatchError> =>
  Effect.gen(function*() {
    let rest = transactions
    let failures = 0
    while (rest.length > 0) {
      const dispatched = yield* Effect.result(sink.dispatch(rest))
      if (Result.isSuccess(dispatched)) break
      const { failed, reason } = dispatched.failure
      if (!reason.isRetryable) return yield* dispatched.failure
      failures++
      rest = failed === undefined ? rest : failed.map(({ index }) => rest[index]!)
      yield* Effect.sleep("50 millis")
    }
    return failures
  })

/** Signals that say when so many came out. */
export class Books {
  readonly ledger = Ledger.make()
  private readonly out = new Set<string>()
  private readonly waiting = new Set<{ readonly count: number; readonly done: Deferred.Deferred<void> }>()

  came(id: string): void {
    this.ledger.out(id)
    this.out.add(id)
    for (const one of this.waiting) {
      if (this.out.size < one.count) continue
      this.waiting.delete(one)
      Deferred.doneUnsafe(one.done, Effect.void)
    }
  }

  /** Once this many different ones came out. */
  atLeast(count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.out.size >= count) return Effect.void
      const one = { count, done: Deferred.makeUnsafe<void>() }
      this.waiting.add(one)
      return Deferred.await(one.done)
    })
  }
}

export interface FlowOptions {
  readonly count: number
  readonly producer: QueueLayer
  readonly consumers: ReadonlyArray<QueueLayer>
  /** What happens once so many have gone in and half as many have come out. */
  readonly events: ReadonlyArray<readonly [at: number, event: Effect.Effect<unknown, unknown>]>
  readonly concurrency?: number
  readonly batch?: number
}

/**
 * Publishes and consumes while the events happen; answers once everything came out and was acknowledged, with the books
 * and how the runs ended.
 */
export const flow = ({ batch = 100, concurrency = 32, consumers, count, events, producer }: FlowOptions) =>
  Effect.gen(function*() {
    const books = new Books()
    const task = Task.consumer("ship", Orders, ({ id }) => Effect.sync(() => books.came(id))).pipe(
      Task.policy({ loop: { concurrency, streaming: true }, fetch: { empty: { cap: "500 millis" } } })
    )
    const before = process.memoryUsage().rss
    const runs = yield* Effect.forEach(
      consumers,
      (layer) => Effect.forkChild(Effect.provide(Task.run(task), Layer.fresh(layer)))
    )
    const context = yield* Layer.build(producer)
    const { sink } = Context.get(context, Orders)
    const coming = [...events]
    const happen = Effect.gen(function*() {
      for (const [at, event] of coming) {
        yield* books.atLeast(at / 2)
        yield* event
      }
    })
    const happening = yield* Effect.forkChild(happen)
    let failures = 0
    for (let n = 0; n < count; n += batch) {
      const transactions = Array.from({ length: Math.min(batch, count - n) }, (_, place) => order(n + place))
      failures += yield* dispatchAll(sink, transactions)
      for (const { id } of transactions) books.ledger.in(id)
      // Consumption keeps pace, so that what happens meets both sides.
      yield* books.atLeast(n - 20 * batch)
    }
    yield* Fiber.join(happening)
    yield* books.atLeast(count)
    const { source } = Context.get(context, Orders)
    const counted = source.count ?? Effect.die("it counts")
    const empty = Effect.flatMap(
      counted,
      (left) => left.ready + left.inFlight + left.delayed === 0 ? Effect.succeed(left) : Effect.fail(left)
    )
    const left = yield* Effect.retry(empty, { schedule: often, times: 400 })
    const growth = process.memoryUsage().rss - before
    yield* Effect.forEach(runs, Fiber.interrupt)
    const balance = books.ledger.balance()
    return { balance, failures, left, growth }
  })
