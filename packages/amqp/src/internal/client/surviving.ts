/**
 * Loops that a connector depends on: a defect in one is told, and the loop begins again.
 */
import * as Effect from "effect/Effect"

export const surviving = (what: string, loop: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchDefect(loop, (defect) =>
    Effect.logError(`${what}: a defect; beginning again`, defect).pipe(
      Effect.andThen(Effect.sleep("1 second")),
      Effect.andThen(Effect.suspend(() => surviving(what, loop)))
    ))
