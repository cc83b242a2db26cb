/**
 * Runs a program as the main program of a Node process.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { layer } from "./Runs.ts"

/**
 * @category running
 * @since 0.1.0
 */
export const runMain = <A, E>(effect: Effect.Effect<A, E>): void => {
  let signal = 0
  const teardown: Runtime.Teardown = (exit, done) =>
    signal !== 0 || Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      ? done(signal || 130)
      : Runtime.defaultTeardown(exit, done)
  const run = Runtime.makeRunMain(({ fiber, teardown }) => {
    const on = (code: number) => () => {
      if (signal === 0) signal = code
      fiber.interruptUnsafe()
    }
    process.on("SIGINT", on(130)).on("SIGTERM", on(143))
    fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
  })
  run(Effect.provide(effect, layer), { teardown })
}
