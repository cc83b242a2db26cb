/**
 * One queue for everything that can run, and the seed decides what runs next. Fibers are made to yield at operations
 * that the seed chooses, so that what could be interleaved is.
 *
 * Every process has a scheduler of its own over the one queue. A process that has crashed runs nothing any more: its
 * tasks are dropped, and a fiber of it that somebody else wakes stops at its first operation.
 */
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type { Dice } from "./chance.ts"

/** How the seed interleaves: `yields` is the chance of a yield at each operation; in order means first in, first out. */
export interface Interleaving {
  readonly yields: number
  readonly inOrder: boolean
}

interface Task {
  readonly run: () => void
  readonly of: ProcessScheduler | undefined
}

/** What can run, of every process. */
export class Runnable {
  private tasks: Array<Task> = []
  /** How many have run. */
  steps = 0

  add(run: () => void, of: ProcessScheduler | undefined): void {
    this.tasks.push({ run, of })
  }

  get waiting(): number {
    return this.tasks.length
  }

  /** Runs one of them; `false` when there is none. */
  step(dice: Dice, inOrder: boolean): boolean {
    while (this.tasks.length > 0) {
      const index = inOrder || this.tasks.length === 1 ? 0 : dice.below(this.tasks.length)
      const task = this.tasks[index]!
      this.tasks.splice(index, 1)
      if (task.of?.dead === true) continue
      this.steps++
      if (task.of !== undefined) task.of.undivided = false
      task.run()
      return true
    }
    return false
  }
}

// As the scheduler that effect uses by default: what does not end must yield.
const mostOperations = 2048

export class ProcessScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  /** The process has crashed. */
  dead = false
  /** Until the next task nothing yields: what was just decided and its answer are one step. */
  undivided = false
  private readonly runnable: Runnable
  private readonly dice: Dice
  private readonly yields: number
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private last: Fiber.Fiber<unknown, unknown> | undefined

  constructor(runnable: Runnable, dice: Dice, interleaving: Interleaving) {
    this.runnable = runnable
    this.dice = dice
    this.yields = interleaving.yields
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.dead) return true
    if (fiber !== this.last) {
      this.last = fiber
      this.fibers.add(fiber)
    }
    if (this.undivided) return false
    return fiber.currentOpCount >= mostOperations || (this.yields > 0 && this.dice.next() < this.yields)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => {
        if (!this.dead) this.runnable.add(task, this)
      },
      flush: () => {}
    }
  }

  /** How many of its fibers have not ended. */
  get alive(): number {
    let alive = 0
    for (const fiber of this.fibers) {
      if (fiber.pollUnsafe() === undefined) alive++
      else this.fibers.delete(fiber)
    }
    return alive
  }
}
