/**
 * Who waits for a change of a table that this process makes. Changes of other processes are found by looking, or told
 * where the database can.
 */
import * as Effect from "effect/Effect"

export class Changes {
  private readonly waiting = new Map<string, Set<() => void>>()
  private readonly counts = new Map<string, number>()

  /** How many changes there were. */
  count(table: string): number {
    return this.counts.get(table) ?? 0
  }

  /** Succeeds once there were more than `seen` changes of the table. */
  after(table: string, seen: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.count(table) > seen) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      const waiters = this.waiting.get(table) ?? new Set()
      this.waiting.set(table, waiters.add(wake))
      return Effect.sync(() => void waiters.delete(wake))
    })
  }

  /** Wakes everybody who waits. */
  changed(table: string): void {
    this.counts.set(table, this.count(table) + 1)
    const waiters = this.waiting.get(table)
    if (waiters === undefined) return
    this.waiting.delete(table)
    for (const wake of waiters) wake()
  }

  /** Tells other processes of a change of the table, where the database can; at once or soon. */
  tell(_table: string): void {}

  /** There may have been changes of any table: wakes everybody who waits for one. */
  anyChanged(): void {
    for (const table of Array.from(this.waiting.keys())) this.changed(table)
  }
}
