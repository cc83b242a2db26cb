/**
 * Runs the shop under a thousand seeds and says what happened, or tells the shortest story of the one that broke a rule.
 */
import { Simulation } from "@ergon/core/testing"
import { Console, Effect } from "effect"
import { answered, shop, world } from "./shop.ts"

const program = Simulation.run(shop, { world, seeds: 1_000, invariants: [answered] }).pipe(
  Effect.flatMap(({ elapsed, faults, processes, seeds }) =>
    Console.log(
      `${seeds} seeds: ${faults} faults, ${processes} processes, ${
        Math.round(elapsed / 3_600_000)
      } hours of virtual time`
    )
  ),
  Effect.catch((failed) => Console.error(failed.message))
)

await Effect.runPromise(program)
