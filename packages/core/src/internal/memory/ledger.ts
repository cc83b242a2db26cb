/**
 * The dead letters in memory: what is kept under keys that rise, the oldest first, and goes by its key. A place that
 * becomes free is not used again, so that walking goes on while others are added and removed.
 */

interface Entry<A> {
  readonly key: number
  value: A | undefined
}

export class Ledger<A extends object> {
  private entries: Array<Entry<A>> = []
  private last = 0
  private gone = 0

  add(value: A): void {
    this.entries.push({ key: ++this.last, value })
  }

  /** At most `max` that were added after the one with this key; 0 begins with the oldest. */
  after(key: number, max: number): ReadonlyArray<readonly [key: number, value: A]> {
    const found: Array<readonly [number, A]> = []
    for (let place = this.place(key + 1); place < this.entries.length && found.length < max; place++) {
      const { key, value } = this.entries[place]!
      if (value !== undefined) found.push([key, value])
    }
    return found
  }

  /** All of them with their keys. */
  all(): ReadonlyArray<readonly [key: number, value: A]> {
    return this.after(0, Infinity)
  }

  values(): Array<A> {
    return this.all().map(([, value]) => value)
  }

  /** Takes one out; `undefined` when it is no longer there. */
  remove(key: number): A | undefined {
    const entry = this.entries[this.place(key)]
    if (entry?.key !== key || entry.value === undefined) return undefined
    const { value } = entry
    entry.value = undefined
    this.gone++
    if (this.gone * 2 > this.entries.length) {
      this.entries = this.entries.filter((entry) => entry.value !== undefined)
      this.gone = 0
    }
    return value
  }

  /** The first place whose key is at least this. */
  private place(key: number): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.entries[middle]!.key < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
