/**
 * What happened to each order, as a trace. Where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector, everything goes there;
 * else a small receiver in this process takes it, and the traces are printed as trees.
 *
 *     npx node --conditions=@ergon/source examples/src/observability/main.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Task } from "@ergon/core"
import { Observability } from "@ergon/telemetry"
import { Config, Console, Effect, Logger, Option } from "effect"
import * as Receiver from "./receiver.ts"
import { layers, place, ship } from "./shop.ts"
import { tree } from "./tree.ts"

/** Both tasks, each with telemetry of its own: what they send has their names. */
const shop = (input: Observability.Input) => {
  const telemetry = (task: string) => Observability.layerConfig(input, { task })
  return Effect.gen(function*() {
    yield* Task.run(place).pipe(Effect.provide(telemetry(place.name)))
    return yield* Task.run(ship).pipe(Effect.provide(telemetry(ship.name)))
  }).pipe(Effect.provide(layers))
}

const here = Effect.gen(function*() {
  const receiver = yield* Receiver.make
  // What is logged goes to the receiver, and stands in the tree.
  const { deadLettered, redelivered, retries, succeeded } = yield* shop({ otlp: { endpoint: receiver.url } }).pipe(
    Effect.provide(Logger.layer([]))
  )
  // The fetches of a run are in the trace of the run.
  const orders = new Set(
    receiver.spans.filter(({ name }) => name === "transaction place").map(({ traceId }) => traceId)
  )
  yield* Console.log(tree(receiver.spans.filter(({ traceId }) => orders.has(traceId)), receiver.lines))
  yield* Console.log(
    `\n${succeeded} shipped, ${deadLettered} given up, ${redelivered} delivered twice, ${retries} attempts more than the first`
  )
})

Effect.gen(function*() {
  const collector = yield* Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT"))
  yield* Option.isNone(collector) ? Effect.scoped(here) : shop({ otlp: {} })
}).pipe(NodeRuntime.runMain)
