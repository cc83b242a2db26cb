/**
 * Waiting for a change without polling: look, wait for the next change or for the time when something becomes due, look
 * again.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Those who wait for a change. Each is woken once. */
export class Waiters {
  private readonly waiting = new Set<() => void>()

  /** Calls `wake` at the next change; answers with a way to stop waiting. */
  add(wake: () => void): () => void {
    this.waiting.add(wake)
    return () => {
      this.waiting.delete(wake)
    }
  }

  wake(): void {
    if (this.waiting.size === 0) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }
}

/**
 * Looks at once, then after each change, until `look` finds something or the time `until` has come. What it finds is
 * taken in the last, synchronous step: an interrupted wait takes nothing. Worst case: `until`.
 */
export const lookUntil = <A, E, B, E2>(options: {
  readonly clock: Clock.Clock
  readonly waiters: Waiters
  readonly look: () => Effect.Effect<A, E> | undefined
  /** When something changes by the mere passing of time. */
  readonly nextChange: () => number
  readonly until: number
  readonly otherwise: () => Effect.Effect<B, E2>
}): Effect.Effect<A | B, E | E2> =>
  Effect.suspend(() => {
    const found = options.look()
    if (found !== undefined) return found
    const now = options.clock.currentTimeMillisUnsafe()
    if (now >= options.until) return options.otherwise()
    const change = Effect.callback<void>((resume) => {
      const stop = options.waiters.add(() => resume(Effect.void))
      return Effect.sync(stop)
    })
    const at = Math.min(options.until, options.nextChange())
    return Effect.flatMap(
      at === Infinity
        ? change
        : Effect.raceFirst(change, options.clock.sleep(Duration.millis(Math.max(0, at - now)))),
      () => lookUntil(options)
    )
  })
