/**
 * Those who wait for a change. Changes are numbered, so that one between looking and waiting is not missed.
 */
import * as Effect from "effect/Effect"

export class Waiters {
  private readonly waiting = new Set<() => void>()
  /** How many changes there were. */
  count = 0

  get size(): number {
    return this.waiting.size
  }

  /** Until there were more changes than `seen`. An interrupted wait leaves nothing behind. */
  after(seen: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.count > seen) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      this.waiting.add(wake)
      return Effect.sync(() => void this.waiting.delete(wake))
    })
  }

  wake(): void {
    this.count++
    if (this.waiting.size === 0) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }
}
