/** What a run counts. Plain numbers, so that counting costs nothing; the summary reads them at the end. */
import * as Duration from "effect/Duration"
import { describeFailure } from "../../Failure.ts"
import type { Summary } from "../../Outcome.ts"
import type { Item } from "./item.ts"

const mostReasons = 100
const mostIds = 100

export class Tally {
  // Milliseconds on the run's clock.
  startedAt = 0
  endedAt = Infinity
  fetched = 0
  retries = 0
  succeeded = 0
  failed = 0
  requeued = 0
  timeout = 0
  redelivered = 0
  released = 0
  deadLettered = 0
  discarded = 0
  readonly reasons = new Map<string, number>()
  // What a producer gave up that has nowhere to keep it: how many, the first of their ids, and why the first one.
  lost = 0
  readonly lostIds: Array<string> = []
  lostReason = ""

  /** An item has ended: its settlement is confirmed, or never will be. */
  count(item: Item): void {
    // Most do; a keyed update of all kinds is slower than this test.
    if (item.kind === "succeeded") {
      this.succeeded++
      return
    }
    this[item.kind]++
    if (item.kind !== "failed" && item.kind !== "timeout") return
    if (item.letter === undefined) this.discarded++
    else this.deadLettered++
    // Without a failure it came back too often, and was given up unseen.
    const tag = item.failure === undefined
      ? item.letter?.error.tag ?? "MaxDeliveries"
      : describeFailure(item.failure).tag
    const key = this.reasons.has(tag) || this.reasons.size < mostReasons ? tag : "other"
    this.reasons.set(key, (this.reasons.get(key) ?? 0) + 1)
  }

  /** A transaction was given up, and nothing is left of it. */
  lose(id: string, reason: string): void {
    if (this.lost++ === 0) this.lostReason = reason
    if (this.lostIds.length < mostIds) this.lostIds.push(id)
  }

  /** What has been done by now; once the run has ended, what it did. */
  soFar(now: number): Summary {
    return this.summary(0, Math.min(now, this.endedAt) - this.startedAt)
  }

  summary(delayed: number, duration: number): Summary {
    return {
      fetched: this.fetched,
      succeeded: this.succeeded,
      failed: this.failed,
      requeued: this.requeued,
      timeout: this.timeout,
      redelivered: this.redelivered,
      released: this.released,
      deadLettered: this.deadLettered,
      discarded: this.discarded,
      reasons: Object.fromEntries(this.reasons),
      retries: this.retries,
      delayed,
      duration: Duration.millis(duration)
    }
  }
}
