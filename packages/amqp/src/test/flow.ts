/**
 * What every fault test does: it sends so many transactions through a queue with two tasks, one that publishes and one
 * that consumes, while something happens to the server, and counts what went in and what came out.
 */
import { Connector, Task, Transaction } from "@ergon/core"
import { Ledger } from "@ergon/lab"
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Amqp, Broker } from "../index.ts"
import { queueName } from "./places.ts"

export class Items extends Connector.Queue<Items>()("items", Schema.Struct({ n: Schema.Int, note: Schema.String })) {}

const noted = (count: number) => {
  const ledger = Ledger.make()
  let out = 0
  const marks: Array<{ readonly at: number; readonly done: Deferred.Deferred<void> }> = []
  const seen = new Set<string>()
  return {
    in: ledger.in,
    balance: ledger.balance,
    count,
    out: (id: string) => {
      ledger.out(id)
      if (seen.has(id)) return
      seen.add(id)
      out++
      for (const mark of marks) if (out >= mark.at) Deferred.doneUnsafe(mark.done, Effect.void)
    },
    /** Once so many distinct ones came out. */
    reached: (at: number) =>
      Effect.suspend(() => {
        const done = Deferred.makeUnsafe<void>()
        if (out >= at) return Effect.void
        marks.push({ at, done })
        return Deferred.await(done)
      })
  }
}

export type Noted = ReturnType<typeof noted>

export interface Flow {
  readonly queue: string
  readonly ledger: Noted
  readonly context: Context.Context<Items>
  /** How much memory the process had at most beyond its beginning, in MiB. */
  readonly memory: () => number
}

/** The connector of a flow: a queue that is declared, with dead letters. */
export const connector = (
  queue: string,
  options: { readonly port: number; readonly broker?: Broker.Options; readonly queue?: Amqp.QueueOptions }
) =>
  Amqp.queue(Items, { queue, declare: true, deadLetter: `${queue}.dead`, ...options.queue }).pipe(
    Layer.provide(
      Broker.layer({ hosts: [`127.0.0.1:${options.port}`], heartbeat: "2 seconds", ...options.broker })
    )
  )

const watchMemory = Effect.gen(function*() {
  const before = process.memoryUsage().rss
  let most = before
  const look = Effect.forever(Effect.andThen(
    Effect.sync(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }),
    Effect.sleep("200 millis")
  ))
  yield* Effect.forkScoped(look)
  return () => Math.round((most - before) / 2 ** 20)
})

/** Until nothing waits and nothing is in flight: what is being settled is settled in a moment. */
const emptied = (source: Connector.SourceService, left = 100): Effect.Effect<void> =>
  Effect.gen(function*() {
    const count = yield* Effect.orDie(source.count ?? Effect.die("no count"))
    if (count.ready + count.inFlight + count.delayed === 0) return
    if (left === 0) assert.fail(`not settled: ${JSON.stringify(count)}`)
    yield* Effect.sleep("200 millis")
    yield* emptied(source, left - 1)
  })

/** Runs both tasks, and `fault` once a quarter has come out; answers when all has come out and is settled. */
export const flow = (options: {
  readonly name: string
  readonly port: number
  readonly adminPort?: number
  readonly count: number
  readonly fault: (flow: Flow) => Effect.Effect<unknown, unknown>
  readonly broker?: Broker.Options
  readonly queue?: Amqp.QueueOptions
  readonly process?: (n: number) => Effect.Effect<void>
  /** How fast is produced, as a policy says it. */
  readonly rate?: string
}) =>
  Effect.gen(function*() {
    const { count, port } = options
    const queue = yield* queueName(options.adminPort ?? port)
    const ledger = noted(count)
    const context = yield* Layer.build(connector(queue, options))
    const memory = yield* watchMemory

    const produce = Task.producer(
      "produce",
      Array.from({ length: count }, (_, n) => Transaction.make(`item-${n}`, n)),
      (transaction) => Effect.succeed({ n: transaction.payload, note: "x".repeat(60) })
    ).pipe(
      Task.dispatch(Items, ({ id }, item) => Transaction.make(id, item)),
      Task.onSuccess(({ id }) => Effect.sync(() => ledger.in(id))),
      Task.discardFailures,
      Task.policy({ loop: { concurrency: 256, rate: options.rate }, transaction: { timeout: "5 minutes" } })
    )
    const consume = Task.consumer("consume", Items, ({ id, payload }) =>
      Effect.andThen(
        options.process?.(payload.n) ?? Effect.void,
        Effect.sync(() => ledger.out(id))
      )).pipe(
        Task.policy({ loop: { concurrency: 64, streaming: true } })
      )
    const consuming = yield* Effect.forkScoped(Effect.provideContext(Task.run(consume), context))
    const producing = yield* Effect.forkScoped(Effect.provideContext(Task.run(produce), context))
    yield* ledger.reached(Math.floor(count / 4))
    yield* options.fault({ queue, ledger, context, memory })
    const produced = yield* Fiber.join(producing)
    yield* ledger.reached(count)
    yield* emptied(Context.get(context, Items).source)
    const running = consuming.pollUnsafe() === undefined
    yield* Fiber.interrupt(consuming)
    const balance = ledger.balance()
    process.stdout.write(`${options.name}: ${balance.text}; memory +${memory()} MiB\n`)
    assert.isTrue(running, "the consumer ended by itself")
    assert.strictEqual(produced.succeeded, count)
    assert.deepStrictEqual([balance.lost, balance.strange], [[], []])
    assert.isBelow(memory(), 300)
    return balance
  })
