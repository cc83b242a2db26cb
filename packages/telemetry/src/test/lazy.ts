/**
 * Prints how many modules of OpenTelemetry are loaded: once this package is, under Layers that nobody asked anything of, and
 * under one with an exporter.
 */
import * as Effect from "effect/Effect"
import { registerHooks } from "node:module"

let loaded = 0
registerHooks({
  load: (url, context, next) => {
    if (url.includes("/@opentelemetry/")) loaded++
    return next(url, context)
  }
})
const tell = (when: string) => Effect.sync(() => void process.stdout.write(`${when} ${loaded}\n`))

const { Observability } = await import("../index.ts")
await Effect.runPromise(tell("imported"))
await Effect.runPromise(
  Effect.provide(tell("off"), [Observability.layerConfig({}, { task: "lazy" }), Observability.layerRuns()])
)
await Effect.runPromise(Effect.provide(tell("on"), Observability.layer({ traces: { exporters: ["console"] } })))
