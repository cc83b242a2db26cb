/**
 * At most `limit` starts in any window of `interval`: the times of the last `limit` starts decide about the next one.
 * Only the starts of the last window are kept, so that a large limit costs what is used of it.
 */
export class RateLimit {
  private limit: number
  private interval: number
  private starts: Array<number> = []
  /** The oldest start that still counts. */
  private oldest = 0

  constructor(limit: number, interval: number) {
    this.limit = limit
    this.interval = interval
  }

  /** Changes the rate. What has started counts for the new one as well. */
  set(limit: number, interval: number): this {
    this.limit = limit
    this.interval = interval
    return this
  }

  /** When the next start is allowed; at most `now` when it is allowed already. */
  allowedAt(): number {
    const deciding = this.starts.length - this.limit
    return deciding < this.oldest ? -Infinity : this.starts[deciding]! + this.interval
  }

  started(now: number): void {
    this.starts.push(now)
    while (this.starts[this.oldest]! + this.interval <= now) this.oldest++
    if (this.oldest > 1000 && this.oldest * 2 > this.starts.length) {
      this.starts = this.starts.slice(this.oldest)
      this.oldest = 0
    }
  }
}
