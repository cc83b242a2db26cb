/**
 * One hand-over of an entry: what a settlement has to name, and what this process knows of it. It is `held` until it is
 * `settled` (settling again changes nothing) or `lost` (settling fails with LeaseLost).
 */
export class Receipt {
  state: "held" | "settled" | "lost" = "held"
  /** Its settlement was sent, and the answer did not come. */
  asked = false
  /** 1 for the stream, 2 for what the group delivers again. */
  readonly which: 1 | 2
  readonly id: string
  /** How often the group has handed this entry over: a later hand-over has a higher one. */
  readonly count: number
  /** Of the transaction, where its id is unique. */
  readonly unique: { readonly id: string; readonly retention: string } | undefined
  /** Milliseconds since the epoch. */
  until: number

  constructor(which: 1 | 2, id: string, count: number, unique: Receipt["unique"], until: number) {
    this.which = which
    this.id = id
    this.count = count
    this.unique = unique
    this.until = until
  }

  isHeld(now: number): boolean {
    return this.state === "held" && this.until > now
  }
}
