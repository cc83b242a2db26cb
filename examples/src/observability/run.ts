/** Runs the shop: both tasks, one after the other, each with telemetry of its own, so that what they send has their names. */
import { Task } from "@ergon/core"
import { Observability } from "@ergon/telemetry"
import { Effect } from "effect"
import { layers, place, ship } from "./shop.ts"

/** `input` is what the code says; the variables of OpenTelemetry are laid over it. */
export const shop = (input: Observability.Input = {}) => {
  const telemetry = (task: string) => Observability.layerConfig(input, { task })
  return Effect.gen(function*() {
    yield* Task.run(place).pipe(Effect.provide(telemetry(place.name)))
    return yield* Task.run(ship).pipe(Effect.provide(telemetry(ship.name)))
  }).pipe(Effect.provide(layers))
}
