/**
 * A process that the fault tests start and kill: `node --conditions=@ergon/source orders.ts <port>` consumes `orders` and
 * says what it has worked on, and how often that was delivered before.
 */
import { type Connector, Task } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer } from "effect"
import { Postgres, Sql } from "../index.ts"
import { Orders } from "./flow.ts"

const port = Number(process.argv[2])

/** How often a transaction was delivered is the source's business: it is told here, where it is handed over. */
const telling = (source: Connector.SourceService): Connector.SourceService => ({
  ...source,
  fetch: (request) =>
    Effect.tap(source.fetch(request), (deliveries) =>
      Effect.forEach(
        deliveries.filter(({ deliveries }) => deliveries > 0),
        ({ transaction: { id } }) => say(`again ${id}`),
        { discard: true }
      ))
})

const consume = Effect.gen(function*() {
  const { sink, source } = yield* Orders
  yield* say("up")
  yield* Task.run(
    Task.consumer("ship", Orders, ({ id }) => Effect.andThen(Effect.sleep(40), say(`out ${id}`))).pipe(
      Task.policy({ loop: { concurrency: 16, streaming: true } })
    )
  ).pipe(Effect.provideService(Orders, { sink, source: telling(source) }))
})

await Effect.runPromise(
  Effect.provide(
    consume,
    Sql.queue(Orders, { lease: "2 seconds" }).pipe(
      Layer.provide(Postgres.layer({ host: "127.0.0.1", port, username: "postgres", database: "postgres" }))
    )
  )
)
