/**
 * Ordering by key: one lane per key, and everything without a key unordered.
 *
 * A lane is open while a transaction of its key is being worked on; later ones wait in it, in their order. Worst case:
 * a key whose head never ends holds everything behind it, and nothing else.
 */
import * as Cause from "effect/Cause"
import type { Transaction } from "../../Transaction.ts"
import type { Item } from "./item.ts"

export class Lanes {
  private readonly lanes = new Map<string, Array<Item>>()
  /** How many wait behind a head. */
  waiting = 0

  /** Whether `item` may start now. If not, it waits in its lane. */
  enter(item: Item): boolean {
    const key = item.key
    if (key === undefined) return true
    const lane = this.lanes.get(key)
    if (lane === undefined) {
      this.lanes.set(key, [])
      return true
    }
    lane.push(item)
    this.waiting++
    return false
  }

  /** The head of this key's lane has ended: the next one of the lane, which may start now. */
  leave(key: string | undefined): Item | undefined {
    if (key === undefined) return undefined
    const lane = this.lanes.get(key)
    if (lane === undefined) return undefined
    const next = lane.shift()
    if (next === undefined) this.lanes.delete(key)
    else this.waiting--
    return next
  }

  /** Empties every lane; heads that run keep theirs. */
  drain(): Array<Item> {
    const waiting: Array<Item> = []
    for (const lane of this.lanes.values()) {
      for (const item of lane) waiting.push(item)
      lane.length = 0
    }
    this.waiting = 0
    return waiting
  }
}

/** The lane of a decoded item, by `Task.orderBy`. A key that cannot be computed is a defect of the task. */
export const orderKey = (orderBy: (transaction: Transaction<unknown>) => string, item: Item): void => {
  const { transaction } = item
  if (transaction === undefined) return
  try {
    item.key = orderBy(transaction)
  } catch (defect) {
    item.failure = {
      step: "process",
      category: "system",
      transaction,
      cause: Cause.die(defect),
      attempts: 0,
      deliveries: item.deliveries
    }
  }
}
