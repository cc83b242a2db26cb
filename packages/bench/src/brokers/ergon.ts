/** Ergon on any of them: a producer task that publishes, a consumer with the default policy, 64 at a time. */
import { Connector, Task, Transaction } from "@ergon/core"
import { Effect, type Layer, ManagedRuntime, Stream } from "effect"
import { concurrency, type Contender, numberOf, Payload, payload, stopwatch } from "./contender.ts"

export class Queued extends Connector.Queue<Queued>()("payloads", Payload) {}

/** The transactions with these numbers, made as they are pulled. */
function* transactions(count: number) {
  for (let n = 0; n < count; n++) yield Transaction.make(`p-${n}`, payload(n))
}

/** `layer` is the queue: a connector of its own for each run that is made of it. */
export const ergon = <E>(layer: Layer.Layer<Queued, E>, close: () => Promise<void>): Contender => {
  const runtime = ManagedRuntime.make(layer)
  return {
    name: "Ergon",
    publish: async (count) => {
      const produce = Task.producer("produce", transactions(count), (one) => Effect.succeed(one.payload)).pipe(
        Task.dispatch(Queued, (one, value) => Transaction.make(one.id, value)),
        Task.policy({ loop: { concurrency, mode: "continuous" } }),
        Task.discardFailures
      )
      const started = performance.now()
      const { succeeded } = await runtime.runPromise(Task.run(produce))
      if (succeeded !== count) throw new Error(`${succeeded} of ${count} published`)
      return performance.now() - started
    },
    consume: async (count) => {
      const watch = stopwatch()
      const consume = Task.consumer("consume", Queued, () => {
        watch.first()
        return Effect.void
      }).pipe(Task.policy({ loop: { concurrency, limit: count, streaming: true } }))
      // The clock stops before the connector closes.
      const run = Effect.flatMap(Task.run(consume), ({ succeeded }) =>
        succeeded === count
          ? Effect.sync(() => watch.milliseconds())
          : Effect.die(new Error(`${succeeded} of ${count} succeeded`)))
      return Effect.runPromise(Effect.provide(run, layer))
    },
    enqueue: (n) => runtime.runPromise(Connector.send(Queued, Transaction.make(`p-${n}`, payload(n)))),
    start: async (settled) => {
      const consume = Task.consumer("consume", Queued, () => Effect.void).pipe(
        Task.policy({ loop: { concurrency, streaming: true } })
      )
      const ended = new AbortController()
      const running = Effect.runPromiseExit(
        Task.outcomes(consume).pipe(
          Stream.runForEach(({ transaction }) => Effect.sync(() => settled(numberOf(transaction.id)))),
          Effect.provide(layer)
        ),
        { signal: ended.signal }
      )
      return async () => {
        ended.abort()
        await running
      }
    },
    close: async () => {
      await runtime.dispose()
      await close()
    }
  }
}
