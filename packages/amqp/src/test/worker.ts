/**
 * A process that consumes: it says each id that it has processed. Its arguments are the port and the queue.
 */
import { Task } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import * as Effect from "effect/Effect"
import { connector, Items } from "./flow.ts"

const [, , port, queue = ""] = process.argv

const consume = Task.consumer("consume", Items, ({ id }) => say(id)).pipe(
  Task.policy({ loop: { concurrency: 16, streaming: true } })
)

await Effect.runPromise(Effect.provide(Task.run(consume), connector(queue, { port: Number(port) })))
