/**
 * Chance that is the same every time: a number that follows from a seed and a name, and dice that follow from one.
 *
 * What goes wrong is named (step, transaction, hand-over, attempt), so that it does not depend on how often chance was
 * asked before. Only the order of things is thrown with dice.
 */

/** 32 bits that follow from the parts, and change all over when one of them changes. */
export const hash = (...parts: ReadonlyArray<string | number>): number => {
  let mixed = 0x811c9dc5
  for (const part of parts) {
    const text = String(part)
    for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193)
    mixed = Math.imul(mixed ^ 0x1f, 0x01000193)
  }
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** At least 0 and below 1. */
export const chance = (...parts: ReadonlyArray<string | number>): number => hash(...parts) / 4_294_967_296

/** Dice: each throw follows from the one before. */
export class Dice {
  private state: number

  constructor(...parts: ReadonlyArray<string | number>) {
    this.state = hash(...parts) | 0
  }

  /** At least 0 and below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number, at least 0 and below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  pick<A>(values: readonly [A, ...Array<A>]): A
  pick<A>(values: ReadonlyArray<A>): A | undefined
  pick<A>(values: ReadonlyArray<A>): A | undefined {
    return values[this.below(values.length)]
  }

  /** `true` as often as `rate` says: 0 never, 1 always. */
  hits(rate: number): boolean {
    return rate > 0 && this.next() < rate
  }
}

/** From 1 to below 2 to the power of `doublings`, small ones as often as large ones; `part` is at least 0 and below 1. */
export const spread = (part: number, doublings: number): number => Math.floor(Math.exp(part * doublings * Math.LN2))
