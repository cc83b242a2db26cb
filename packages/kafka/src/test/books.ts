/**
 * The books of a fault test: what went in and came out, what every commit said, and how much was in memory.
 */
import { Connector, type ConnectorError, type Outcome, Task, Transaction } from "@ergon/core"
import { Ledger } from "@ergon/lab"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Schema, Stream } from "effect"
import type { Cluster } from "../index.ts"

export const Item = Schema.Struct({ n: Schema.Int })

export class Items extends Connector.Source<Items>()("items", Item) {}
export class Sent extends Connector.Sink<Sent>()("items", Item) {}

export type RawConsumer = Extract<Cluster.Client, { readonly memberId: string | null }>

export const isConsumer = (client: Cluster.Client): client is RawConsumer => "memberId" in client

/** How far the group has come, and what was done by then. */
export class Books {
  readonly ledger = Ledger.make()
  readonly clients: Array<RawConsumer> = []
  readonly problems: Array<string> = []
  commits = 0
  out = 0
  /** The most memory that was seen, in MiB, beyond what there was at the beginning. */
  memory = 0
  /** How deliveries ended, and the positions that the group has confirmed. */
  readonly ends: Partial<Record<Outcome.Kind, number>> = {}
  private readonly settled = new Set<string>()
  private readonly baseline = process.memoryUsage().rss
  private readonly confirmed = new Map<string, number>()
  private readonly done = new Map<string, Set<number>>()
  // Per partition, up to where all is done: what a commit may say at most.
  private readonly front = new Map<string, number>()
  private readonly waiting: Array<{ readonly out: number; readonly reached: Deferred.Deferred<void> }> = []

  /** To be done to every client: notes what it commits. */
  readonly watching = (prepare: Cluster.Options["prepare"]) => async (client: Cluster.Client): Promise<void> => {
    await prepare?.(client)
    if (!isConsumer(client)) return
    this.clients.push(client)
    const commit = client.commit.bind(client) as (options: Parameters<RawConsumer["commit"]>[0]) => Promise<void>
    Reflect.set(client, "commit", (options: Parameters<RawConsumer["commit"]>[0]) => {
      this.commits++
      for (const { offset, partition, topic } of options.offsets)
        this.mayCommit(`${topic}/${partition}`, Number(offset))
      return commit(options).then(() => {
        for (const { offset, partition, topic } of options.offsets) {
          const key = `${topic}/${partition}`
          this.confirmed.set(key, Math.max(this.confirmed.get(key) ?? 0, Number(offset)))
        }
      })
    })
  }

  private mayCommit(partition: string, position: number): void {
    const done = this.done.get(partition)
    let front = this.front.get(partition) ?? 0
    while (done?.has(front) === true) front++
    this.front.set(partition, front)
    if (position > front) this.problems.push(`${partition}: ${position} was committed, and ${front} is not done`)
  }

  /** A transaction was done. */
  finished(id: string, { offset, partition, topic }: Transaction.Metadata): void {
    this.ledger.out(id)
    this.out++
    const key = `${topic}/${partition}`
    const done = this.done.get(key)
    if (done === undefined) this.done.set(key, new Set([Number(offset)]))
    else done.add(Number(offset))
    if (this.out % 500 === 0) {
      this.memory = Math.max(this.memory, (process.memoryUsage().rss - this.baseline) / 1_048_576)
    }
    while (this.waiting[0] !== undefined && this.waiting[0].out <= this.out) {
      Deferred.doneUnsafe(this.waiting.shift()!.reached, Effect.void)
    }
  }

  /** Once so many came out; asked for in ascending order. */
  reached(out: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.out >= out) return Effect.void
      const reached = Deferred.makeUnsafe<void>()
      this.waiting.push({ out, reached })
      this.waiting.sort((left, right) => left.out - right.out)
      return Deferred.await(reached)
    })
  }

  /** A delivery has come to its end: the group has confirmed it, or somebody else has it. */
  ended({ _tag, transaction: { metadata } }: Outcome.Outcome<unknown, unknown, unknown>): void {
    this.ends[_tag] = (this.ends[_tag] ?? 0) + 1
    if (_tag !== "succeeded") return
    const position = `${metadata.topic}/${metadata.partition}/${metadata.offset}`
    if (this.settled.has(position)) this.problems.push(`${position} was settled twice`)
    this.settled.add(position)
  }

  /** Once all that went in has come out, and the group has confirmed all of it. */
  complete(count: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { in: went, lost } = this.ledger.balance()
      const committed = [...this.done].every(([key, done]) => (this.confirmed.get(key) ?? 0) >= done.size)
      return went === count && lost.length === 0 && committed
        ? Effect.void
        : Effect.andThen(Effect.sleep(100), this.complete(count))
    })
  }

  /** Nothing was lost, invented, or committed too far. */
  balance(name: string, count: number, most = count / 2): void {
    const balance = this.ledger.balance()
    process.stdout.write(
      `${name}: ${balance.text}; ${this.commits} commits; ${JSON.stringify(this.ends)}; at most ${
        Math.round(this.memory)
      } MiB more memory\n`
    )
    assert.deepStrictEqual(this.problems, [])
    assert.strictEqual(balance.in, count)
    assert.deepStrictEqual(balance.lost, [])
    assert.deepStrictEqual(balance.strange, [])
    assert.isAtMost(balance.duplicates, most)
    assert.isAtMost(this.memory, 300)
  }
}

/** Consumes with so many at once, each for a while; every end is told to the books. */
export const consume = (books: Books, work: Effect.Effect<void> = Effect.yieldNow) =>
  Task.consumer(
    "consume",
    Items,
    ({ id, metadata }) => Effect.andThen(work, Effect.sync(() => books.finished(id, metadata)))
  ).pipe(
    Task.discardFailures,
    Task.policy({
      loop: { concurrency: 64, ordering: "byKey", streaming: true },
      fetch: { batch: { size: 200 } }
    }),
    Task.outcomes,
    Stream.runForEach((outcome) => Effect.sync(() => books.ended(outcome)))
  )

// How far publishing is ahead of consuming, so that both go on while something fails.
const ahead = 2000

/** Publishes in batches; one that fails is sent again, as the engine would. */
export const publish = (books: Books, count: number, batch = 200) =>
  Effect.gen(function*() {
    const { sink } = yield* Sent
    const send = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>): Effect.Effect<void> =>
      sink.dispatch(transactions).pipe(
        Effect.catch((error: ConnectorError.DispatchError) => {
          assert.isTrue(error.reason.isRetryable, error.message)
          return Effect.andThen(Effect.sleep(100), send(transactions))
        })
      )
    for (let from = 0; from < count; from += batch) {
      yield* books.reached(from - ahead)
      const transactions = Array.from(
        { length: Math.min(batch, count - from) },
        (_, index) => Transaction.make(`item-${from + index}`, { n: from + index })
      )
      yield* send(transactions)
      for (const { id } of transactions) books.ledger.in(id)
    }
  })
