/** The same work by the engine: a producer that enqueues, and a consumer with the default policy, 64 at a time. */
import { Connector, Task } from "@ergon/core"
import { Sql, Sqlite } from "@ergon/sql"
import { Effect, Layer } from "effect"
import { encoded, noop, Payload } from "../engine/payload.ts"

class Queued extends Connector.Queue<Queued>()("payloads", Payload) {}

const concurrency = 64

export const ergon = (
  filename: string,
  count: number
): Promise<{ readonly enqueue: number; readonly consume: number }> => {
  const produce = Task.producer("produce", encoded(count), (transaction) => Effect.succeed(transaction)).pipe(
    Task.dispatch(Queued, (transaction) => transaction),
    Task.policy({ loop: { concurrency, mode: "continuous" } }),
    Task.discardFailures
  )
  const consume = Task.consumer("consume", Queued, noop).pipe(Task.policy({ loop: { concurrency } }))
  const timed = <E, R>(task: Task.Any<E, R>) =>
    Effect.suspend(() => {
      const started = performance.now()
      return Effect.flatMap(Task.run(task), ({ succeeded }) =>
        succeeded === count
          ? Effect.sync(() => (performance.now() - started) * 1000 / count)
          : Effect.die(new Error(`${succeeded} of ${count} succeeded`)))
    })
  return Effect.gen(function*() {
    return { enqueue: yield* timed(produce), consume: yield* timed(consume) }
  }).pipe(
    Effect.provide(Sql.queue(Queued).pipe(Layer.provide(Sqlite.layer({ filename })))),
    Effect.runPromise
  )
}
