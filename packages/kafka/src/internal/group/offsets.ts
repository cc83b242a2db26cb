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
  private handed: Array<number> = []
  private head = 0
  /** Given back and not handed over again, ascending. */
  private readonly back: Array<number> = []
  /** The offset after the last one that was handed over: lower ones are duplicates. */
  next: number
  position: number
  /** What the group has confirmed. */
  committed: number

  constructor(start: number) {
    this.next = start
    this.position = start
    this.committed = start
  }

  /** How many are handed over and not done. */
  get open(): number {
    return this.handed.length - this.head
  }

  /** Hands an offset over, if it was not before, or was given back. */
  take(offset: number): boolean {
    if (offset < this.next) return this.takeAgain(offset)
    this.next = offset + 1
    this.handed.push(offset)
    return true
  }

  private takeAgain(offset: number): boolean {
    const index = this.back.indexOf(offset)
    if (index < 0) return false
    this.back.splice(index, 1)
    insert(this.handed, this.head, offset)
    return true
  }

  /** Not done, and to be handed over again. `false` when it is not open. */
  giveBack(offset: number): boolean {
    const index = this.handed.indexOf(offset, this.head)
    if (index < 0) return false
    this.handed.splice(index, 1)
    insert(this.back, 0, offset)
    return true
  }

  /** An offset and everything that was handed over before it is done. */
  done(offset: number): void {
    if (offset >= this.next) throw new RangeError(`offset ${offset} was not handed over: the next one is ${this.next}`)
    const { handed } = this
    const { length } = handed
    let { head } = this
    while (head < length && handed[head]! <= offset) head++
    if (head > 1024 && head * 2 > length) {
      this.handed = handed.slice(head)
      head = 0
    }
    this.head = head
    const [first] = this.back
    const position = first !== undefined && first <= offset ? first : offset + 1
    if (position > this.position) this.position = position
  }

  /** What is to be committed; `undefined` where the group knows it already. */
  get due(): number | undefined {
    return this.position > this.committed ? this.position : undefined
  }

  /** The group has confirmed this position. */
  confirm(position: number): void {
    if (position > this.committed) this.committed = position
  }
}

/** Keeps a list ascending; what is put in comes near its end. */
const insert = (list: Array<number>, from: number, value: number): void => {
  let index = list.length
  while (index > from && list[index - 1]! > value) index--
  list.splice(index, 0, value)
}
