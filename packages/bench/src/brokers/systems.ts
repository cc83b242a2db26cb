/** The systems, one after another: each with the servers that run, or one of its own. */
import type { System } from "./system.ts"

export const systems = async (use: (system: System) => Promise<void>): Promise<void> => {
  for (const system of [] as ReadonlyArray<System>) await use(system)
}
