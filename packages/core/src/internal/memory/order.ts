/**
 * The two orders that a queue in memory keeps: first in, first out; and sorted, the next one last.
 */

/** First in, first out. `push` and `shift` take constant time on average. */
export class Fifo<A> {
  private items: Array<A | undefined> = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }

  push(item: A): void {
    this.items.push(item)
  }

  shift(): A | undefined {
    if (this.head === this.items.length) return undefined
    const item = this.items[this.head]
    this.items[this.head++] = undefined
    if (this.head === this.items.length) {
      this.items = []
      this.head = 0
    } else if (this.head >= 1024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  /** Takes out the first one that matches. Linear. */
  remove(matches: (item: A) => boolean): A | undefined {
    for (let index = this.head; index < this.items.length; index++) {
      const item = this.items[index]
      if (item !== undefined && matches(item)) {
        this.items.splice(index, 1)
        return item
      }
    }
    return undefined
  }

  toArray(): Array<A> {
    return this.items.slice(this.head).filter((item) => item !== undefined)
  }
}

/** Inserts into an array whose ranks fall, after all greater ones and before all equal ones: `pop` gives the first. */
export const insertSorted = <A>(sorted: Array<A>, item: A, rank: (item: A) => number): void => {
  const at = rank(item)
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = sorted[middle]
    if (other !== undefined && rank(other) > at) low = middle + 1
    else high = middle
  }
  sorted.splice(low, 0, item)
}
