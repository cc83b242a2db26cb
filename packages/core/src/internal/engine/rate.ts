/**
 * At most `limit` starts in any window of `interval`: the times of the last `limit` starts decide about the next one.
 */
export class RateLimit {
  private readonly interval: number
  private readonly starts: Float64Array
  private next = 0

  constructor(limit: number, interval: number) {
    this.interval = interval
    this.starts = new Float64Array(limit).fill(-Infinity)
  }

  /** When the next start is allowed; at most `now` when it is allowed already. */
  allowedAt(): number {
    return this.starts[this.next]! + this.interval
  }

  started(now: number): void {
    this.starts[this.next] = now
    this.next = (this.next + 1) % this.starts.length
  }
}
