/**
 * One hand-over of a message: what a settlement has to name, and what this process knows of it. It is `held` until it
 * is `settled` (settling again changes nothing) or `lost` (settling fails with LeaseLost).
 */
export class Receipt {
  state: "held" | "settled" | "lost" = "held"
  readonly seq: number
  readonly claim: number
  readonly key: string | null
  /** Milliseconds since the epoch. */
  until: number

  constructor(seq: number, claim: number, key: string | null, until: number) {
    this.seq = seq
    this.claim = claim
    this.key = key
    this.until = until
  }

  isHeld(now: number): boolean {
    return this.state === "held" && this.until > now
  }
}
