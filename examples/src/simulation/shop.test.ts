import { it } from "@effect/vitest"
import { Simulation } from "@ergon/core/testing"
import { answered, shop, world } from "./shop.ts"

it.live("every order is answered, whatever goes wrong", () =>
  Simulation.run(shop, { world, seeds: 100, invariants: [answered] }))
