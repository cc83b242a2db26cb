/**
 * A process that consumes and may be killed: `node --conditions=@ergon/source consumer.ts <port>`. It says what is done.
 */
import { Task } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer } from "effect"
import { Kafka } from "../index.ts"
import { Items } from "./books.ts"
import { cluster } from "./mock.ts"

const port = Number(process.argv[2])

const task = Task.consumer("consume", Items, ({ id, metadata }) =>
  Effect.andThen(
    Effect.sleep(1),
    say(`done ${id} ${metadata.partition} ${metadata.offset}`)
  )).pipe(
    Task.discardFailures,
    Task.policy({ loop: { concurrency: 64, ordering: "byKey", streaming: true }, fetch: { batch: { size: 200 } } })
  )

const source = Kafka.source(Items, { group: "items", session: "4 seconds", heartbeat: "400 millis" }).pipe(
  Layer.provide(cluster(port))
)

Effect.runFork(Effect.provide(Task.run(task), source))
