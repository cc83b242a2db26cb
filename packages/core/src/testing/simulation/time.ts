/**
 * Virtual time: it stands still while anything can run, and then jumps to the next moment at which something is due.
 *
 * There is one true time, and each process has a clock that may be off by an offset and run fast or slow.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ProcessScheduler, Runnable } from "./scheduler.ts"

interface Timer {
  readonly at: number
  readonly order: number
  readonly of: ProcessScheduler | undefined
  readonly fire: () => void
}

/** Where every simulation begins: 2030-01-01, in milliseconds. */
export const beginning = 1_893_456_000_000

/** How a clock is off: `offset` milliseconds, and this many milliseconds pass in one true millisecond. */
export interface Skew {
  readonly offset: number
  readonly rate: number
}

export const noSkew: Skew = { offset: 0, rate: 1 }

export class Time {
  now = beginning
  // Latest first: the next one is the last element.
  private readonly timers: Array<Timer> = []
  private order = 0
  private readonly runnable: Runnable

  constructor(runnable: Runnable) {
    this.runnable = runnable
  }

  /** When something is due next; `Infinity` when nothing ever is. */
  get next(): number {
    this.drop()
    return this.timers.at(-1)?.at ?? Infinity
  }

  /** How many timers of this process are left. */
  pendingOf(process: ProcessScheduler): number {
    return this.timers.reduce((count, timer) => timer.of === process ? count + 1 : count, 0)
  }

  /** Jumps to the next moment; what is due then can run. `false` when nothing ever is. */
  advance(): boolean {
    const { next } = this
    if (next === Infinity) return false
    this.now = Math.max(this.now, next)
    for (let last = this.timers.at(-1); last !== undefined && last.at <= this.now; last = this.timers.at(-1)) {
      this.timers.pop()
      if (last.of?.dead !== true) this.runnable.add(last.fire, last.of)
    }
    return true
  }

  /** Calls `fire` at this time; answers with a way to call it off. */
  at(at: number, of: ProcessScheduler | undefined, fire: () => void): () => void {
    let called = false
    const timer: Timer = {
      at,
      order: this.order++,
      of,
      fire: () => {
        if (!called) fire()
      }
    }
    let low = 0
    let high = this.timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timers[middle]!.at > at) low = middle + 1
      else high = middle
    }
    this.timers.splice(low, 0, timer)
    return () => {
      called = true
      const index = this.timers.indexOf(timer)
      if (index >= 0) this.timers.splice(index, 1)
    }
  }

  /** The clock of a process; without one, the true time. */
  clock(of: ProcessScheduler | undefined, skew: Skew = noSkew): Clock.Clock {
    const millis = skew === noSkew
      ? () => this.now
      : () => beginning + skew.offset + (this.now - beginning) * skew.rate
    const currentTimeMillisUnsafe = () => Math.floor(millis())
    const currentTimeNanosUnsafe = () => BigInt(Math.floor(millis())) * 1_000_000n
    const monotonicTimeNanosUnsafe = () => BigInt(Math.floor(millis() - beginning - skew.offset)) * 1_000_000n
    return {
      currentTimeMillisUnsafe,
      currentTimeNanosUnsafe,
      monotonicTimeNanosUnsafe,
      currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
      currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
      monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe),
      sleep: (duration) => {
        const wait = Duration.toMillis(duration)
        if (wait === Infinity) return Effect.never
        return wait <= 0 ? Effect.yieldNow : Effect.callback<void>((resume) => {
          const off = this.at(this.now + wait / skew.rate, of, () => resume(Effect.void))
          return Effect.sync(off)
        })
      }
    }
  }

  private drop(): void {
    while (this.timers.at(-1)?.of?.dead === true) this.timers.pop()
  }
}
