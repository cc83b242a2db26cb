/**
 * The offsets of one partition while it is ours: which were handed over, and up to where all is done.
 *
 *     handed over -> open -> done, with all before it -> committed
 *
 * `position` is what may be committed: the offset after the last one up to which everything is done. It never goes back,
 * and never passes an offset that is open. Offsets have holes (compaction, control records): only what was handed over
 * counts.
 */
export class Offsets {
  /** Handed over and not done, ascending. */
  private handed: Array<bigint> = []
  private head = 0
  /** The offset after the last one that was handed over: lower ones are duplicates. */
  next: bigint
  position: bigint
  /** What the group has confirmed. */
  committed: bigint

  constructor(start: bigint) {
    this.next = start
    this.position = start
    this.committed = start
  }

  /** How many are handed over and not done. */
  get open(): number {
    return this.handed.length - this.head
  }

  /** Hands an offset over, if it was not before. */
  take(offset: bigint): boolean {
    if (offset < this.next) return false
    this.next = offset + 1n
    this.handed.push(offset)
    return true
  }

  /** An offset and everything that was handed over before it is done. */
  done(offset: bigint): void {
    if (offset >= this.next) throw new RangeError(`offset ${offset} was not handed over: the next one is ${this.next}`)
    while (this.head < this.handed.length && this.handed[this.head]! <= offset) this.head++
    if (this.head > 1024 && this.head * 2 > this.handed.length) {
      this.handed = this.handed.slice(this.head)
      this.head = 0
    }
    if (offset >= this.position) this.position = offset + 1n
  }

  /** What is to be committed; `undefined` where the group knows it already. */
  get due(): bigint | undefined {
    return this.position > this.committed ? this.position : undefined
  }

  /** The group has confirmed this position. */
  confirm(position: bigint): void {
    if (position > this.committed) this.committed = position
  }
}
