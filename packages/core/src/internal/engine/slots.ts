/**
 * The slots of a run: as many as were ever taken at the same time, used again and again. The watcher sees all of them.
 */
import type * as Context from "effect/Context"
import type { Item } from "./item.ts"
import { Slot } from "./slot.ts"
import type { Watcher } from "./watcher.ts"

export class Slots {
  private readonly context: Context.Context<never>
  private readonly watcher: Watcher
  private readonly due: (slot: Slot, now: number) => void
  private readonly all: Array<Slot> = []
  private readonly free: Array<Slot> = []
  /** How many are taken. */
  active = 0

  constructor(context: Context.Context<never>, watcher: Watcher, due: (slot: Slot, now: number) => void) {
    this.context = context
    this.watcher = watcher
    this.due = due
  }

  take(item: Item): Slot {
    const slot = this.free.pop() ?? this.make()
    slot.item = item
    slot.step = "decode"
    this.active++
    return slot
  }

  vacate(slot: Slot): void {
    slot.vacate()
    this.active--
    this.free.push(slot)
  }

  /** Those whose work goes on; the array may change while it is walked. */
  taken(): ReadonlyArray<Slot> {
    return this.all.filter((slot) => slot.item !== undefined)
  }

  /** Takes the item from a slot whose work goes on all the same. The slot is never used again. */
  leaveBehind(slot: Slot): Item {
    const item = slot.item!
    slot.item = undefined
    this.active--
    return item
  }

  /** How many were interrupted and go on all the same. */
  get resisting(): number {
    return this.all.reduce((count, slot) => slot.cut === "nothing" ? count : count + 1, 0)
  }

  /** When the transaction was started that has been worked on for longest. */
  get oldestSince(): number | undefined {
    let oldest: number | undefined
    for (const slot of this.all) {
      if (slot.item !== undefined && (oldest === undefined || slot.startedAt < oldest)) oldest = slot.startedAt
    }
    return oldest
  }

  private make(): Slot {
    const slot = new Slot(this.context, this.due)
    this.all.push(slot)
    this.watcher.add(slot)
    return slot
  }
}
