/** The systems, one after another, on the servers that run; Kafka's mock broker is started. */
import { Kafka } from "@ergon/lab"
import { Effect } from "effect"
import { kafka } from "./kafka/system.ts"
import { postgres } from "./postgres/system.ts"
import { rabbitmq } from "./rabbitmq/system.ts"
import { redis } from "./redis/system.ts"
import type { System } from "./system.ts"

/** Those that consumers in other processes find. */
export const served: ReadonlyArray<System> = [rabbitmq(5672), postgres(5432), redis(6379)]

export const systems = async (use: (system: System) => Promise<void>): Promise<void> => {
  for (const system of served) await use(system)
  await Effect.runPromise(
    Effect.scoped(Effect.flatMap(Kafka.mock, ({ port }) => Effect.promise(() => use(kafka(port)))))
  )
}
