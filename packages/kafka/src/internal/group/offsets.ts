/**
 * The offsets of one partition while it is ours: which were handed over, and up to where all is done.
 *
 *     handed over -> open -> done, with all before it -> committed
 *         ^            |
 *         +------------+  given back: it is handed over again, first
 *
 * `position` is what may be committed: the offset after the last one up to which everything is done. It never goes back,
 * and never passes an offset that is given back. Offsets have holes (compaction, control records): only what was handed over
 * counts.
 */
export class Offsets {
  /** Handed over and not done, ascending. */
  private handed: Array<bigint> = []
  private head = 0
  /** Given back and not handed over again, ascending. */
  private readonly back: Array<bigint> = []
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

  /** Hands an offset over, if it was not before, or was given back. */
  take(offset: bigint): boolean {
    if (offset < this.next) return this.takeAgain(offset)
    this.next = offset + 1n
    this.handed.push(offset)
    return true
  }

  private takeAgain(offset: bigint): boolean {
    const index = this.back.indexOf(offset)
    if (index < 0) return false
    this.back.splice(index, 1)
    insert(this.handed, this.head, offset)
    return true
  }

  /** Not done, and to be handed over again. `false` when it is not open. */
  giveBack(offset: bigint): boolean {
    const index = this.handed.indexOf(offset, this.head)
    if (index < 0) return false
    this.handed.splice(index, 1)
    insert(this.back, 0, offset)
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
    const [first] = this.back
    const position = first !== undefined && first <= offset ? first : offset + 1n
    if (position > this.position) this.position = position
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

/** Keeps a list ascending; what is put in comes near its end. */
const insert = (list: Array<bigint>, from: number, value: bigint): void => {
  let index = list.length
  while (index > from && list[index - 1]! > value) index--
  list.splice(index, 0, value)
}
