/**
 * One watcher for everything that is due at some time: deadlines, timeouts, waits, backoffs. It sleeps until the
 * earliest of them and costs a running transaction two assignments: a timer or an `Effect.timeout` each would cost
 * several microseconds.
 *
 * An entry is registered once and re-used: its `dueAt` moves, `Infinity` means nothing is due. Moving it later needs
 * no call at all: the watcher wakes at the earlier time, finds nothing due and sleeps on. Only an earlier time needs
 * `arm`.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export interface Watched {
  // Milliseconds on the run's clock.
  dueAt: number
  // Called once when due; `dueAt` is `Infinity` by then.
  onDue(now: number): void
}

// Node's timers hold 31 bits of milliseconds; a longer sleep is slept in parts.
const longestSleep = 2 ** 31 - 1

export class Watcher {
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly entries = new Set<Watched>()
  private sleeper: Fiber.Fiber<void> | undefined
  private wakeAt = Infinity
  private closed = false

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>) {
    this.clock = clock
    this.fork = fork
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  add(entry: Watched): void {
    this.entries.add(entry)
    this.arm(entry.dueAt)
  }

  remove(entry: Watched): void {
    this.entries.delete(entry)
  }

  /** An entry that calls `onDue` once it is due; not due until its `dueAt` is set and armed. */
  entry(onDue: (now: number) => void): Watched {
    const entry = { dueAt: Infinity, onDue }
    this.entries.add(entry)
    return entry
  }

  /** Makes `entry` due at `dueAt`. */
  set(entry: Watched, dueAt: number): void {
    entry.dueAt = dueAt
    this.arm(dueAt)
  }

  /** Makes sure that the watcher wakes at `dueAt` or before. */
  arm(dueAt: number): void {
    if (dueAt < this.wakeAt && !this.closed) this.sleepUntil(dueAt)
  }

  close(): void {
    this.closed = true
    this.entries.clear()
    this.sleeper?.interruptUnsafe()
  }

  private sleepUntil(dueAt: number): void {
    this.wakeAt = dueAt
    const previous = this.sleeper
    this.sleeper = undefined
    previous?.interruptUnsafe()
    // Whole milliseconds: clocks count no parts of them. What is due now is seen in the next turn, never in this one.
    const millis = Math.min(longestSleep, Math.ceil(dueAt - this.now()))
    const fiber = this.fork(millis > 0 ? Effect.sleep(Duration.millis(millis)) : Effect.yieldNow)
    this.sleeper = fiber
    fiber.addObserver(() => {
      if (this.sleeper === fiber) this.wake()
    })
  }

  private wake(): void {
    this.sleeper = undefined
    this.wakeAt = Infinity
    const now = this.now()
    for (const entry of this.entries) {
      if (entry.dueAt <= now) {
        entry.dueAt = Infinity
        entry.onDue(now)
      }
    }
    let earliest = Infinity
    for (const entry of this.entries) {
      if (entry.dueAt < earliest) earliest = entry.dueAt
    }
    if (earliest < this.wakeAt) this.arm(earliest)
  }
}
