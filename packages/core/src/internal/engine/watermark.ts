/**
 * Settlement by position: a source that commits one position per partition may only commit up to the first delivery
 * that is not finished.
 *
 * Per partition the deliveries stand in the order of their fetch. Finishing one marks it; what stands finished at the
 * front is one commit, of its last delivery. A delivery that was given back stays a gap: nothing behind it is ever
 * committed by this run, and the source delivers it, and what follows it, again. One that the source took back, with its
 * partition, leaves none: what is delivered of the partition from then on begins with it.
 */
import type { Item } from "./item.ts"

interface Entry {
  readonly item: Item
  finished: boolean
}

const none: ReadonlyArray<Item> = []

export class Watermarks {
  private readonly partitions = new Map<string, Array<Entry>>()
  private readonly entries = new Map<Item, Entry>()

  /** How many are finished and stand behind one that is not. */
  behind = 0

  /** Deliveries in the order of their fetch. */
  fetched(item: Item): void {
    const partition = item.delivery.partition ?? ""
    const entry: Entry = { item, finished: false }
    this.entries.set(item, entry)
    const open = this.partitions.get(partition)
    if (open === undefined) this.partitions.set(partition, [entry])
    else open.push(entry)
  }

  /** Another hand-over, by the engine itself, of the same position. */
  replace(old: Item, item: Item): void {
    const open = this.partitions.get(old.delivery.partition ?? "")
    const index = open?.findIndex((entry) => entry.item === old) ?? -1
    this.entries.delete(old)
    if (open === undefined || index < 0) return
    const entry: Entry = { item, finished: false }
    open[index] = entry
    this.entries.set(item, entry)
  }

  finished(item: Item): void {
    const entry = this.entries.get(item)
    if (entry === undefined || entry.finished) return
    entry.finished = true
    this.behind++
  }

  /** Given back, or no longer ours: it stays a gap. */
  forget(item: Item): void {
    this.entries.delete(item)
  }

  /** No longer ours, and neither is anything else of its time: it leaves no gap to those that come after it. */
  drop(item: Item): void {
    this.entries.delete(item)
    const partition = item.delivery.partition ?? ""
    const open = this.partitions.get(partition)
    if (open === undefined) return
    const index = open.findIndex((entry) => entry.item === item)
    if (index >= 0) open.splice(index, 1)
    if (open.length === 0) this.partitions.delete(partition)
  }

  /** What stands finished at the front of the partition of this delivery; the last one is its commit. */
  takeFinished({ delivery: { partition = "" } }: Item): ReadonlyArray<Item> {
    const open = this.partitions.get(partition)
    if (open === undefined || open[0]?.finished !== true) return none
    let count = 1
    while (count < open.length && open[count]!.finished) count++
    this.behind -= count
    const run = open.splice(0, count).map((entry) => entry.item)
    for (const item of run) this.entries.delete(item)
    if (open.length === 0) this.partitions.delete(partition)
    return run
  }

  /** What is finished but stands behind a gap. */
  takeStranded(): Array<Item> {
    const stranded: Array<Item> = []
    for (const open of this.partitions.values()) {
      for (const entry of open) {
        if (entry.finished) {
          stranded.push(entry.item)
          this.entries.delete(entry.item)
          entry.finished = false
          this.behind--
        }
      }
    }
    return stranded
  }
}
