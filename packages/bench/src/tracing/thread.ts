/** The entry of the threads of `Crunch`: a span, and a line in it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Offload } from "@ergon/node"
import { Observability } from "@ergon/telemetry"
import { Effect } from "effect"
import { Crunch } from "./order.ts"

Offload.serve(
  Crunch,
  (number) => Effect.as(Effect.logInfo(`crunches ${number}`), number * 2).pipe(Effect.withSpan("crunch"))
).pipe(
  Effect.provide(Observability.layerRuns()),
  NodeRuntime.runMain
)
