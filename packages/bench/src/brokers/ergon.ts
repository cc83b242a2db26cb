/** Ergon on any of them: a producer task that publishes, a consumer with the default policy, 64 at a time. */
import { Connector, Task, Transaction } from "@ergon/core"
import { Effect, type Layer, ManagedRuntime, Stream } from "effect"
import { concurrency, type Contender, numberOf, Payload, payload, publishedAtOnce, stopwatch } from "./contender.ts"

export class Queued extends Connector.Queue<Queued>()("payloads", Payload) {}

export class Sent extends Connector.Sink<Sent>()("sent", Payload) {}

/** `count` transactions from this number on, made as they are pulled. */
function* transactions(from: number, count: number) {
  for (let n = from; n < from + count; n++) yield Transaction.make(`p-${n}`, payload(n))
}

/** `layer` is made for each run that consumes, `sent` once: who publishes does not consume. */
export const ergon = <E>(
  layer: Layer.Layer<Queued, E>,
  sent: Layer.Layer<Sent, E>,
  close: () => Promise<void>
): Contender => {
  const runtime = ManagedRuntime.make(sent)
  // A queue may know an id for ever: none is used twice.
  let used = 0
  return {
    name: "Ergon",
    publish: async (count) => {
      const produce = Task.producer("produce", transactions(used, count), (one) => Effect.succeed(one.payload)).pipe(
        Task.dispatch(Sent, (one, value) => Transaction.make(one.id, value)),
        Task.policy({ loop: { concurrency: publishedAtOnce, mode: "continuous" } }),
        Task.discardFailures
      )
      const started = performance.now()
      const { succeeded } = await runtime.runPromise(Task.run(produce))
      used += count
      if (succeeded !== count) throw new Error(`${succeeded} of ${count} published`)
      return performance.now() - started
    },
    consume: async (count) => {
      const watch = stopwatch()
      const consume = Task.consumer("consume", Queued, () => {
        watch.first()
        return Effect.void
      }).pipe(Task.policy({ loop: { concurrency, limit: count, streaming: true } }), Task.discardFailures)
      // The clock stops before the connector closes.
      const run = Effect.flatMap(Task.run(consume), ({ succeeded }) =>
        succeeded === count
          ? Effect.sync(() => watch.milliseconds())
          : Effect.die(new Error(`${succeeded} of ${count} succeeded`)))
      return Effect.runPromise(Effect.provide(run, layer))
    },
    enqueue: (n) => runtime.runPromise(Connector.send(Sent, Transaction.make(`p-${used + n}`, payload(n)))),
    start: (settled) => {
      const from = used
      const consume = Task.consumer("consume", Queued, () => Effect.void).pipe(
        Task.policy({ loop: { concurrency, streaming: true } }),
        Task.discardFailures
      )
      const ended = new AbortController()
      const running = Effect.runPromiseExit(
        Task.outcomes(consume).pipe(
          Stream.runForEach(({ transaction }) => Effect.sync(() => settled(numberOf(transaction.id) - from))),
          Effect.provide(layer)
        ),
        { signal: ended.signal }
      )
      return Promise.resolve(async () => {
        ended.abort()
        await running
        used += 10_000_000
      })
    },
    close: async () => {
      await runtime.dispose()
      await close()
    }
  }
}
