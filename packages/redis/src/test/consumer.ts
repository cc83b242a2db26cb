/**
 * A consumer in a process of its own: says what it works on before it is acknowledged.
 */
import { Task } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer, Stream } from "effect"
import { Redis, RedisClient } from "../index.ts"
import { Orders } from "./flow.ts"

const port = Number(process.argv[2])
const source = Redis.queue(Orders, { lease: "2 seconds", poll: "200 millis" }).pipe(
  Layer.provide(RedisClient.layer({ port }))
)

const task = Task.consumer("ship", Orders, ({ id }) => Effect.andThen(say(`out ${id}`), Effect.sleep("15 millis")))
  .pipe(Task.policy({ loop: { concurrency: 8, streaming: true }, fetch: { empty: { cap: "200 millis" } } }))

const told = Stream.runForEach(
  Task.outcomes(task),
  ({ deliveries, transaction }) => deliveries > 0 ? say(`again ${transaction.id}`) : Effect.void
)
await Effect.runPromise(Effect.provide(told, source))
