/**
 * What makes a worker end its task before its time: the host asks for it or is gone, or a signal came to the worker alone.
 *
 *     running -> draining -> stopping      Drain, or a signal; then Stop, or nobody is left to ask
 *
 * A task that still builds its Layers has no run to steer: interrupting it ends it. A task that is over does nothing.
 */
import type { Control } from "@ergon/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { isMainThread } from "node:worker_threads"
import type { ToWorker } from "./protocol.ts"

export interface Obeying {
  readonly control: Control.Control
  readonly running: Fiber.Fiber<unknown, unknown>
  readonly close: Duration.Duration
  /** Run after every change of the phase. */
  readonly changed: Effect.Effect<void>
}

export interface Obedience {
  readonly obey: (message: ToWorker | "gone") => void
  /** The signal that came to this worker first. */
  readonly signal: () => string | undefined
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

export const obedience = (
  { changed, close, control, running }: Obeying
): Effect.Effect<Obedience, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    let signal: string | undefined

    const change = (steer: Effect.Effect<void>): void => {
      const effect = Effect.gen(function*() {
        const { phase } = yield* control.status
        if (phase === "idle") running.interruptUnsafe()
        else yield* steer
        yield* changed
      })
      runFork(effect)
    }
    const orphaned = (): void => {
      change(control.stop)
      // Whatever resists, and whatever Layer does not close: nobody would ever see it end.
      if (isMainThread) setTimeout(() => process.exit(1), Duration.toMillis(close)).unref()
    }
    const obey: Obedience["obey"] = (message) => {
      if (message === "gone") return orphaned()
      switch (message._tag) {
        case "Drain":
          return change(control.drain)
        case "Stop":
          return change(control.stop)
        case "SetConcurrency":
          return void runFork(control.setConcurrency(message.concurrency))
        case "SetRate":
          return void runFork(control.setRate(message.rate))
      }
    }
    const hear = (name: NodeJS.Signals): void => {
      signal ??= name
      change(control.drain)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => signals.forEach((name) => process.on(name, hear))),
      () => Effect.sync(() => signals.forEach((name) => process.off(name, hear)))
    )
    return { obey, signal: () => signal }
  })
