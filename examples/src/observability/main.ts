/**
 * What happened to each order, as a trace. Where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector, everything goes there;
 * else a small receiver in this process takes it, and the traces are printed as trees.
 *
 *     npx node --conditions=@ergon/source examples/src/observability/main.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Logger, Option } from "effect"
import * as Receiver from "./receiver.ts"
import { shop } from "./run.ts"
import { tree } from "./tree.ts"

const here = Effect.gen(function*() {
  const receiver = yield* Receiver.make
  // What is logged goes to the receiver, and stands in the tree.
  const { deadLettered, redelivered, retries, succeeded } = yield* shop({ otlp: { endpoint: receiver.url } }).pipe(
    Effect.provide(Logger.layer([]))
  )
  yield* Console.log(tree(Receiver.tracesOf(receiver, "transaction place"), receiver.lines))
  yield* Console.log(
    `\n${succeeded} shipped, ${deadLettered} given up, ${redelivered} delivered twice, ${retries} attempts more than the first`
  )
})

Effect.gen(function*() {
  const collector = yield* Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT"))
  yield* Option.isNone(collector) ? Effect.scoped(here) : shop()
}).pipe(NodeRuntime.runMain)
