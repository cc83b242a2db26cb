/**
 * Later again: by the source, where it can wait and nothing is in order; otherwise from here, held in memory.
 *
 * What is held stays unsettled, its lease is kept, and of an order it does not let go: a watermark and a lane stay
 * behind it. Worst case: a delay that the engine holds is lost with the process; the source then delivers again as after
 * any crash.
 */
import { requeue } from "../../Disposition.ts"
import { Hold } from "./hold.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import type { Watcher } from "./watcher.ts"

export interface RequeuesOptions {
  readonly plan: Plan
  readonly watcher: Watcher
  // To the source; the item's lane goes on.
  readonly settle: (item: Item) => void
  readonly leaveLane: (item: Item) => void
  // Once more from here.
  readonly runAgain: (item: Item) => void
  readonly pump: () => void
}

export class Requeues {
  private readonly options: RequeuesOptions
  private readonly hold: Hold<Item>
  /** Whether nothing goes back to the source for later: it would lose its place there. */
  readonly local: boolean
  private readonly delays: boolean

  constructor(options: RequeuesOptions) {
    const { lanes, source: { capabilities } } = options.plan
    this.options = options
    // A source that keeps an order cannot keep it for what it has handed over already.
    this.local = lanes || capabilities.settlement !== "each" || capabilities.ordering === "total"
    this.delays = capabilities.requeueDelay === "native"
    this.hold = new Hold(options.watcher, (items) => {
      for (const item of items) this.due(item)
      options.pump()
    })
  }

  get size(): number {
    return this.hold.size
  }

  requeue(item: Item, delay: number): void {
    if (!this.local) this.options.leaveLane(item)
    if (!this.local && (delay === 0 || this.delays)) return this.options.settle(item)
    this.hold.until(this.options.watcher.now() + delay, item)
  }

  drain(): ReadonlyArray<Item> {
    return this.hold.drain()
  }

  private due(item: Item): void {
    if (this.local) return this.options.runAgain(item)
    item.disposition = requeue()
    this.options.settle(item)
  }
}
