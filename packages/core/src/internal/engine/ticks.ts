/**
 * The turns of the loop: what is asked for soon happens together in the next one, and after `startsPerTick` starts the
 * loop lets the event loop turn once, so that timers and connections come to their right.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

const startsPerTick = 128
const twoTurns = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

export class Ticks {
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private readonly turned: () => void
  private tasks: Array<() => void> = []
  private ticking = false
  private starts = 0
  /** Nothing is started before the next turn. */
  yielding = false
  private rests = false

  /** `turned` is called in every turn, after what was asked for. */
  constructor(fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>, turned: () => void) {
    this.fork = fork
    this.turned = turned
  }

  get idle(): boolean {
    return this.tasks.length === 0
  }

  soon(task: () => void): void {
    this.tasks.push(task)
    this.tick()
  }

  /** One more was started. `false` when it was the last one of this turn. */
  started(): boolean {
    if (++this.starts < startsPerTick) return true
    this.yielding = true
    this.tick()
    return false
  }

  /** Nothing is started before what others have asked for in this turn, later than now, is done as well. */
  rest(): void {
    this.rests = true
    this.yielding = true
    this.tick()
  }

  private tick(): void {
    if (this.ticking) return
    this.ticking = true
    this.fork(this.rests ? twoTurns : Effect.yieldNow).addObserver(() => {
      this.ticking = false
      this.yielding = false
      this.rests = false
      this.starts = 0
      for (const task of this.tasks.splice(0)) task()
      this.turned()
    })
  }
}
