/** Transactions that go through a queue while a test does to its server what it likes, and the books about them. */
import { Connector, Task, Transaction } from "@ergon/core"
import { Ledger } from "@ergon/lab"
import { Context, Deferred, Effect, Fiber, Layer, Schedule, Schema } from "effect"

export class Orders
  extends Connector.Queue<Orders>()("orders", Schema.Struct({ n: Schema.Int, text: Schema.String }))
{}

export const order = (n: number) => Transaction.make(`order-${n}`, { n, text: "x".repeat(60) })

export const orders = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => order(from + n))

/** Until all of them are confirmed; what fails in a way that does not pass is a failure. Answers with how often it failed. */
export const enqueue = (sink: Connector.SinkService, transactions: ReadonlyArray<Transaction.Transaction<unknown>>) =>
  Effect.gen(function*() {
    let failures = 0
    yield* Effect.retry(
      Effect.tapError(sink.dispatch(transactions), () => Effect.sync(() => failures++)),
      { schedule: Schedule.spaced("50 millis"), while: ({ reason }) => reason.isRetryable }
    )
    return failures
  })

/** What came out, and who waits for it. */
export class Books {
  readonly ledger = Ledger.make()
  private readonly out = new Set<string>()
  private readonly waiting = new Set<readonly [count: number, done: Deferred.Deferred<void>]>()

  came(id: string): void {
    this.ledger.out(id)
    this.out.add(id)
    for (const one of this.waiting) {
      if (this.out.size < one[0]) continue
      this.waiting.delete(one)
      Deferred.doneUnsafe(one[1], Effect.void)
    }
  }

  /** Once this many different ones came out. */
  atLeast(count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.out.size >= count) return Effect.void
      const done = Deferred.makeUnsafe<void>()
      this.waiting.add([count, done])
      return Deferred.await(done)
    })
  }
}

/** Once nothing waits and nothing is in flight any more. */
export const emptied = (source: Connector.SourceService) =>
  Effect.flatMap(
    source.count ?? Effect.die("a queue counts"),
    (left) => left.ready + left.inFlight + left.delayed === 0 ? Effect.succeed(left) : Effect.fail(left)
  ).pipe(
    Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 300 })
  )

export interface FlowOptions<E> {
  readonly count: number
  readonly producer: Layer.Layer<Orders, E>
  readonly consumers: ReadonlyArray<Layer.Layer<Orders, E>>
  /** Consumes; unless given, it only says what has come. */
  readonly consume?: (books: Books) => Effect.Effect<unknown, unknown, Orders>
  /** What happens once so many have come out. */
  readonly events: ReadonlyArray<readonly [at: number, event: Effect.Effect<unknown, unknown>]>
}

/** As fast as faults let it, and soon again after them. */
export const policy = { loop: { concurrency: 64, streaming: true }, fetch: { empty: { cap: "500 millis" } } } as const

const ship = (books: Books) =>
  Task.run(
    Task.consumer("ship", Orders, ({ id }) => Effect.sync(() => books.came(id))).pipe(Task.policy(policy))
  )

/** Publishes and consumes while the events happen; answers once everything came out and was acknowledged. */
export const flow = <E>({ consume = ship, consumers, count, events, producer }: FlowOptions<E>) =>
  Effect.gen(function*() {
    const books = new Books()
    const before = process.memoryUsage().rss
    let most = 0
    const batch = 100
    const context = yield* Layer.build(Layer.fresh(producer))
    const { sink, source } = Context.get(context, Orders)
    const runs = yield* Effect.forEach(
      consumers,
      (layer) => Effect.forkChild(Effect.provide(consume(books), Layer.fresh(layer)))
    )
    const ended = Effect.raceAllFirst(runs.map((run) => Fiber.join(run)))
    const happening = yield* Effect.forkChild(
      Effect.forEach(events, ([at, event]) => Effect.andThen(books.atLeast(at), event), { discard: true })
    )
    const going = Effect.gen(function*() {
      let failures = 0
      for (let n = 0; n < count; n += batch) {
        const some = orders(n, Math.min(n + batch, count))
        failures += yield* enqueue(sink, some)
        for (const { id } of some) books.ledger.in(id)
        most = Math.max(most, process.memoryUsage().rss)
        // Consumption keeps pace, so that what happens meets both sides.
        yield* books.atLeast(n - 10 * batch)
      }
      yield* Fiber.join(happening)
      yield* books.atLeast(count)
      yield* emptied(source)
      return failures
    })
    // A consumer that ends by itself has failed.
    const failures = yield* Effect.raceFirst(going, Effect.flatMap(ended, () => Effect.die("a consumer has ended")))
    yield* Effect.forEach(runs, Fiber.interrupt)
    return { balance: books.ledger.balance(), failures, growth: most - before }
  })
