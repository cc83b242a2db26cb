/**
 * Transactions that the engine itself holds until later: a delayed requeue that the source cannot delay, or that must
 * not let go of its place in an order. They stay unsettled, and their leases are kept.
 */
import type { Watched, Watcher } from "./watcher.ts"

export class Hold<A> {
  private readonly watcher: Watcher
  private readonly entry: Watched
  private readonly ready: (values: ReadonlyArray<A>) => void
  // Kept in the order of their times; there are few.
  private held: Array<{ readonly at: number; readonly value: A }> = []

  /** `ready` gets everything that is due at once: what it starts may be over before it returns. */
  constructor(watcher: Watcher, ready: (values: ReadonlyArray<A>) => void) {
    this.watcher = watcher
    this.ready = ready
    this.entry = watcher.entry((now) => this.due(now))
  }

  get size(): number {
    return this.held.length
  }

  until(at: number, value: A): void {
    let index = this.held.length
    while (index > 0 && this.held[index - 1]!.at > at) index--
    this.held.splice(index, 0, { at, value })
    this.watcher.set(this.entry, this.held[0]!.at)
  }

  drain(): ReadonlyArray<A> {
    const values = this.held.map((held) => held.value)
    this.held = []
    this.entry.dueAt = Infinity
    return values
  }

  private due(now: number): void {
    let count = 0
    while (count < this.held.length && this.held[count]!.at <= now) count++
    const ready = this.held.splice(0, count)
    if (this.held.length > 0) this.watcher.set(this.entry, this.held[0]!.at)
    this.ready(ready.map(({ value }) => value))
  }
}
