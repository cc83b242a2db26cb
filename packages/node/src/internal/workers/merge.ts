/** What several workers did, and do, as one. */
import type { Control, Outcome } from "@ergon/core"
import * as Duration from "effect/Duration"

const sum = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number => all.reduce((total, one) => total + of(one), 0)

const earliest = (times: ReadonlyArray<number | undefined>): number | undefined => {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

// As many different reasons as the summary of one run has.
const mostReasons = 100

const reasons = (summaries: ReadonlyArray<Outcome.Summary>): Outcome.Summary["reasons"] => {
  const merged = new Map<string, number>()
  for (const summary of summaries) {
    for (const [tag, count] of Object.entries(summary.reasons)) {
      const key = merged.has(tag) || merged.size < mostReasons ? tag : "other"
      merged.set(key, (merged.get(key) ?? 0) + count)
    }
  }
  return Object.fromEntries(merged)
}

/**
 * Counts add up. All workers ask the same source what it holds for later: the largest answer counts. The duration is not
 * theirs.
 */
export const summaries = (all: ReadonlyArray<Outcome.Summary>, duration: Duration.Duration): Outcome.Summary => ({
  fetched: sum(all, (one) => one.fetched),
  succeeded: sum(all, (one) => one.succeeded),
  failed: sum(all, (one) => one.failed),
  requeued: sum(all, (one) => one.requeued),
  timeout: sum(all, (one) => one.timeout),
  redelivered: sum(all, (one) => one.redelivered),
  released: sum(all, (one) => one.released),
  deadLettered: sum(all, (one) => one.deadLettered),
  discarded: sum(all, (one) => one.discarded),
  reasons: reasons(all),
  retries: sum(all, (one) => one.retries),
  delayed: Math.max(0, ...all.map((one) => one.delayed)),
  duration
})

export const nothing: Outcome.Summary = summaries([], Duration.zero)

/** The numbers add up; what is oldest of all is what is oldest in one of them. Summary and phase are not theirs. */
export const statuses = (
  all: ReadonlyArray<Control.Status>,
  own: Pick<Control.Status, "phase" | "summary">
): Control.Status => ({
  ...own,
  fetched: own.summary.fetched,
  inFlight: sum(all, (one) => one.inFlight),
  buffered: sum(all, (one) => one.buffered),
  held: sum(all, (one) => one.held),
  settling: sum(all, (one) => one.settling),
  resisting: sum(all, (one) => one.resisting),
  concurrency: sum(all, (one) => one.concurrency),
  fetchingSince: earliest(all.map((one) => one.fetchingSince)),
  oldestSince: earliest(all.map((one) => one.oldestSince)),
  fetchFailures: Math.max(0, ...all.map((one) => one.fetchFailures))
})

/** The shares of a limit: they add up to it, and differ by at most one. */
export const shares = (limit: number, count: number): ReadonlyArray<number> =>
  Array.from(
    { length: count },
    (_, id) => limit === Infinity ? Infinity : Math.floor(limit / count) + (id < limit % count ? 1 : 0)
  )
