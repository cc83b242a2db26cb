/**
 * Waiting for a change without polling. Each waiter is woken once; who needs more looks again.
 */
import * as Effect from "effect/Effect"

export class Signal {
  private readonly waiting = new Set<() => void>()

  wake(): void {
    if (this.waiting.size === 0) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const one of waiting) one()
  }

  /** The next change, or the end of this time: whichever comes first. */
  change(millis: number): Effect.Effect<void> {
    const change = Effect.callback<void>((resume) => {
      const one = () => resume(Effect.void)
      this.waiting.add(one)
      return Effect.sync(() => {
        this.waiting.delete(one)
      })
    })
    return millis === Infinity ? change : Effect.raceFirst(change, Effect.sleep(millis))
  }
}
