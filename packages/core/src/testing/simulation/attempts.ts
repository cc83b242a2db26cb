/**
 * The rules about attempts: which delivery may begin, and which attempt may follow another.
 */
import type { Transaction } from "../../Transaction.ts"
import { backoff, type Facts } from "./facts.ts"
import type { Handover } from "./handover.ts"
import type { Watch } from "./watch.ts"

/** The first attempt of a delivery. */
export const begins = (watch: Watch, one: Handover, transaction: Transaction<unknown>): void => {
  const now = watch.now()
  one.begun = now
  watch.begun++
  const { limit, maxDeliveries, orderBy, rate } = watch.facts
  if (one.toldLost !== undefined && one.toldLost < now) {
    watch.broken("nothing after a lost lease", one, "begun although it was known to be lost")
  }
  if (one.prompt && !watch.isHeld(one)) {
    watch.broken("nothing after a lost lease", one, "begun although the source had taken it back")
  }
  if (watch.capabilities.deliveries === "engine" && one.requeued > maxDeliveries) {
    watch.broken("maxDeliveries", one, `processed although it was requeued ${one.requeued} times`)
  }
  if (watch.drainingSince !== undefined && now > watch.drainingSince) {
    watch.broken("drain", one, "begun after the drain had begun")
  }
  if (watch.begun > limit) watch.broken("limit", one, `number ${watch.begun} of at most ${limit}`)
  if (one.delivery.deliveries > maxDeliveries) {
    watch.broken("maxDeliveries", one, `processed although it was delivered ${one.delivery.deliveries} times before`)
  }
  if (watch.facts.lanes) one.key = orderBy === undefined ? one.delivery.key : keyOf(orderBy, transaction)
  if (rate === undefined) return
  watch.starts.push(now)
  const before = watch.starts.at(-1 - rate.limit)
  if (before !== undefined && now - before < rate.interval) {
    watch.broken("rate", one, `${rate.limit + 1} started within ${now - before} ms`)
  }
}

/** Whether this attempt may follow the one before. */
export const follows = (watch: Watch, one: Handover): void => {
  const { last } = one
  if (one.active > 0) watch.broken("one attempt at a time", one, "begun again while its program still runs")
  if (one.scopes > 0) watch.broken("a scope ends with its attempt", one, "begun again before its scope had closed")
  // What the engine holds for later comes again in the same delivery: its attempts begin anew.
  if (last === undefined || watch.local) return
  // What a program leaves behind is part of its attempt, and may outlast its timeout.
  const timedOut = watch.now() - one.attemptAt >= watch.facts.process.timeout
  if (last.succeeded && !timedOut) return watch.broken("processed once", one, "processed again though it had succeeded")
  if (one.hooks > 0) return watch.broken("processed once", one, "processed again after its exception step")
  if (last.defect && !last.typed) return watch.broken("a defect is not retried", one, "tried again after a defect")
  const { retry } = watch.facts.process
  if (one.attempts >= retry.maxAttempts) {
    return watch.broken("maxAttempts", one, `attempt ${one.attempts + 1} of at most ${retry.maxAttempts}`)
  }
  if (one.decision !== undefined && one.decision !== "Retry" && one.decision !== "RetryAfter") {
    return watch.broken("decisions are kept", one, `tried again although the task decided ${one.decision}`)
  }
  const delay = one.retryAfter ?? (retry.jitter === "none" ? backoff(retry, one.attempts) : 0)
  const waited = watch.now() - last.at
  if (waited < delay - 1) watch.broken("backoff", one, `tried again after ${waited} ms instead of ${delay} ms`)
}

const keyOf = (orderBy: NonNullable<Facts["orderBy"]>, transaction: Transaction<unknown>): string | undefined => {
  try {
    return orderBy(transaction)
  } catch {
    return undefined
  }
}
