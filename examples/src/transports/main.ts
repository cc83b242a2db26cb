/**
 * One task on any of seven systems: the Layer is swapped, nothing else.
 *
 *     TRANSPORT=rabbitmq AMQP_URL=amqp://guest:guest@localhost npx node --conditions=@ergon/source examples/src/transports/main.ts
 *
 * Where a system is found is said by its variables: POSTGRES_URL, MYSQL_URL, AMQP_URL, REDIS_URL, KAFKA_BROKERS.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Effect, Layer } from "effect"
import { program } from "./program.ts"
import { on, type Transport, transports } from "./transports.ts"

const names = Object.keys(transports) as ReadonlyArray<Transport>

const layers = Layer.unwrap(Effect.gen(function*() {
  const transport = yield* Config.Literals(names, "TRANSPORT").pipe(Config.withDefault("memory"))
  const prefix = yield* Config.String("PREFIX").pipe(Config.withDefault("shop"))
  return on(transport, prefix)
}))

program.pipe(Effect.provide(layers), NodeRuntime.runMain)
