/**
 * The rules about settlements: each delivery is settled once, with good reason, and not before what it promises is done.
 */
import type { Settlement } from "../../Disposition.ts"
import type { Handover } from "./handover.ts"
import type { Watch } from "./watch.ts"

/** Every result is at its sink, and what was to follow is done. */
const succeeded = (watch: Watch, one: Handover): boolean =>
  one.succeeded && watch.confirmedAll(one) && (!watch.facts.hasSuccess || one.successDone)

/** It was given up, and somebody keeps it or said that nobody has to. */
const disposedOf = (watch: Watch, one: Handover): boolean => {
  if (one.letter || one.hookAnswer === "Ack" || one.decision === "Discard") return true
  const { deadLetters } = watch.facts
  return (deadLetters === "discard" || deadLetters === "nowhere") && failed(watch, one)
}

/** How often it was delivered before, by the source or as far as the engine can know. */
const deliveriesOf = (watch: Watch, one: Handover): number =>
  one.delivery.deliveries + (watch.capabilities.deliveries === "engine" ? one.requeued : 0)

/** Something of it failed, so that it may be given up or go back. */
const failed = (watch: Watch, one: Handover): boolean => {
  const { deadline, maxDeliveries } = watch.facts
  const lease = watch.capabilities.lease
  return one.troubled || one.hookFailed || one.undecodable || deliveriesOf(watch, one) > maxDeliveries ||
    one.delivery.malformed !== undefined || (one.begun ?? watch.startedAt) + deadline <= watch.now() ||
    // A deadline stays within a lease that cannot be extended.
    (lease?.extend === false && watch.time.now >= one.leaseUntil - 1)
}

const mayBeAcknowledged = (watch: Watch, one: Handover): boolean => succeeded(watch, one) || disposedOf(watch, one)

/** What resists its interruption is released while it still runs, when half of `shutdown.close` has passed. */
const leftBehind = ({ drainingSince, facts: { close, grace, loopTimeout }, now, startedAt }: Watch): boolean =>
  (drainingSince !== undefined && now() >= drainingSince + grace + close / 2 - 1) ||
  now() >= startedAt + loopTimeout + close / 2 - 1

const stopping = ({ drainingSince, facts: { loopTimeout }, now, startedAt }: Watch): boolean =>
  drainingSince !== undefined || now() >= startedAt + loopTimeout

/** The engine asks the source to settle this one. */
export const asked = (watch: Watch, one: Handover, { disposition, letter }: Settlement): void => {
  if (watch.dead) return
  const what = disposition._tag
  watch.tell(one, `settles ${one.id}: ${what}${one.tries > 0 ? `, attempt ${one.tries + 1}` : ""}`, "task", "source")
  watch.leaseHolds(one)
  if (one.told) watch.broken("settled once", one, `settled as ${what} after ${one.asked} was confirmed`)
  if (one.asked !== undefined && one.asked !== what) {
    watch.broken("settled once", one, `settled as ${one.asked}, then as ${what}`)
  }
  if (one.outcome !== undefined) watch.broken("settled once", one, `settled as ${what} after its end was told`)
  if (one.active > 0 && !leftBehind(watch)) {
    watch.broken("settled last", one, `settled as ${what} while its program still runs`)
  }
  if (one.scopes > 0 && !leftBehind(watch)) {
    watch.broken("a scope ends with its attempt", one, `settled as ${what} before the scope of its program had closed`)
  }
  one.tries++
  if (one.asked === undefined) {
    if (watch.capabilities.settlement === "watermark" && what === "Ack") {
      covers(watch, one)
      watch.commits(one)
    } else allowed(watch, one, what)
  }
  one.asked = what
  if (what === "DeadLetter" && (letter === undefined || letter.reason.trim() === "")) {
    watch.broken("a dead letter says why", one, "dead-lettered without a reason")
  }
}

const allowed = (watch: Watch, one: Handover, what: Settlement["disposition"]["_tag"]): void => {
  switch (what) {
    case "Ack":
      if (!mayBeAcknowledged(watch, one)) watch.broken("acknowledged last", one, missing(watch, one))
      return
    case "DeadLetter":
      if (!failed(watch, one)) watch.broken("given up for a reason", one, "dead-lettered though nothing failed")
      return
    case "Requeue":
      if (!failed(watch, one) && one.decision !== "Requeue") {
        watch.broken("requeued for a reason", one, "requeued though nothing failed")
      }
      if (watch.local && !stopping(watch)) {
        watch.broken("order by key", one, "sent back to the source, where it loses its place")
      }
      return
    case "Release": {
      const surplus = one.order >= watch.facts.limit
      const mayBeLost = watch.capabilities.settlement === "watermark" && lostOrUncertain(watch, one)
      if (!surplus && !stopping(watch) && one.hookAnswer !== "Release" && one.decision !== "Abort" && !mayBeLost) {
        watch.broken("released for a reason", one, "released in the middle of a run")
      }
    }
  }
}

const missing = (watch: Watch, one: Handover): string => {
  if (!one.succeeded) return "acknowledged though its program did not succeed and nobody keeps it"
  if (!watch.confirmedAll(one)) {
    const open = Array.from(one.outputs ?? []).filter(([, state]) => state !== "confirmed")
    if (open.length === 0) return "acknowledged before anything was sent to its sinks"
    return `acknowledged before ${open.map(([name]) => name.replace("|", " had confirmed ")).join(" and ")}`
  }
  return "acknowledged before the success step had succeeded"
}

/** A position stands for everything before it in its partition. */
const covers = (watch: Watch, last: Handover): void => {
  for (const one of watch.handovers) {
    if (one.order > last.order || one.delivery.partition !== last.delivery.partition) continue
    if (one.told && one.asked === "Ack") continue
    if (one.toldLost !== undefined && one !== last) continue
    if (one.active > 0 || !mayBeAcknowledged(watch, one)) {
      watch.broken("the watermark waits", one, `${last.id} was committed past it: ${missing(watch, one)}`)
    }
  }
}

/** The source has answered, and the engine has heard it. */
export const told = (watch: Watch, one: Handover, failure: string | undefined): void => {
  if (watch.dead) return
  if (failure !== undefined) {
    one.uncertain = true
    watch.tell(one, `${one.id} is not settled: ${failure}`, "source", "task")
    return
  }
  watch.tell(one, `${one.id} is settled`, "source", "task")
  one.told = true
  if (watch.capabilities.settlement !== "watermark" || one.asked !== "Ack") return
  watch.committedAt(one)
  for (const other of watch.handovers) {
    if (other.order > one.order || other.delivery.partition !== one.delivery.partition) continue
    if (other.asked === undefined) other.asked = "Ack"
    other.told = true
  }
}

/** The engine says how a delivery has ended. */
export const ended = (watch: Watch, one: Handover, kind: string): void => {
  if (watch.dead) return
  watch.tell(one, `${one.id} has ended: ${kind}`, "task", "task")
  if (one.outcome !== undefined) watch.broken("one outcome", one, `ended as ${one.outcome}, then as ${kind}`)
  one.outcome = kind
  if (kind === "requeued") watch.requeued(one)
  else if (kind !== "redelivered" && kind !== "released") watch.forgets(one)
  if (one.active > 0 && !leftBehind(watch)) watch.broken("settled last", one, "has ended while its program still runs")
  const { settlement } = watch.capabilities
  if (kind === "succeeded") {
    if (!succeeded(watch, one)) watch.broken("acknowledged last", one, `told as succeeded: ${missing(watch, one)}`)
    const end = Math.max(one.last?.at ?? 0, one.lastConfirmed)
    if (watch.exact && !watch.local && one.begun !== undefined && end > one.begun + watch.facts.deadline + 1) {
      watch.broken("deadline", one, `succeeded after ${end - one.begun} ms`)
    }
  }
  if (settlement === "each" && kind !== "redelivered" && !one.told) {
    watch.broken("confirmed, then told", one, `told as ${kind} before the source had confirmed`)
  }
  const given = kind === "succeeded" || kind === "failed" || kind === "timeout"
  if (settlement === "watermark" && given && !one.told) {
    watch.broken("confirmed, then told", one, `told as ${kind} before its position was committed`)
  }
  if (kind === "redelivered" && !lostOrUncertain(watch, one)) {
    watch.broken("redelivered for a reason", one, "told as redelivered though its source has not failed")
  }
}

const lostOrUncertain = (watch: Watch, one: Handover): boolean =>
  one.toldLost !== undefined || one.uncertain || watch.extendsBadly || one.lostAt < Infinity || stopping(watch) ||
  watch.time.now >= one.leaseUntil || (!watch.exact && watch.capabilities.lease !== undefined) ||
  watch.capabilities.settlement === "watermark"
