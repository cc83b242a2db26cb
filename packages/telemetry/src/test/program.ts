/**
 * A program with telemetry from the environment: `program.ts HOW`. It makes a span with a log line and a metric, then
 * succeeds, fails, dies or waits for a signal.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { Observability } from "../index.ts"

class ItFailed extends Data.TaggedError("ItFailed")<{}> {
  override readonly message = "it failed"
}

const how = process.argv[2]

const done = Metric.counter("program.done", { incremental: true })

const work = Effect.gen(function*() {
  yield* Effect.logInfo("working")
  yield* Metric.update(done, 1)
}).pipe(Effect.withSpan("work"))

const end = Effect.suspend(() => {
  switch (how) {
    case "fail":
      return Effect.fail(new ItFailed())
    case "die":
      return Effect.die(new Error("it died"))
    case "wait":
      process.stdout.write("ready\n")
      return Effect.never
    default:
      return Effect.void
  }
})

work.pipe(
  Effect.andThen(end),
  Effect.provide(Observability.layerConfig({ logs: { console: { format: "json" } } }, { task: "program", worker: 1 })),
  NodeRuntime.runMain
)
