/** Runs the shop: both tasks, one after the other. What each of them sends has its name. */
import { Task } from "@ergon/core"
import { Observability } from "@ergon/telemetry"
import { Effect, Layer } from "effect"
import { layers, place, ship } from "./shop.ts"

/** `input` is what the code says; the variables of OpenTelemetry are laid over it. */
export const shop = (input: Observability.Input = {}) =>
  Effect.andThen(Task.run(place), Task.run(ship)).pipe(
    Effect.provide(Layer.merge(layers, Observability.layerRuns(input)))
  )
