/**
 * Settles batches: what was done is acknowledged, what goes back goes back, and what is to be delayed or given up is
 * copied to its queue first and acknowledged once the broker has confirmed the copy. A crash in between leaves both: that
 * is a duplicate and never a loss.
 *
 * RabbitMQ does not answer an acknowledgement. A question on the same channel, which it answers after everything before
 * it, tells that a batch has arrived. A batch waits for its answer, and is reported as lost without one. Only of a busy
 * consumer, whose batches are large, up to a prefetch of acknowledgements may be without it, so that the next ones do not
 * wait for the way there and back: what of them is lost with its connection is delivered again, although it was reported
 * as settled.
 */
import { type Failed, SettleError } from "@ergon/core/ConnectorError"
import type { Settlement } from "@ergon/core/Disposition"
import * as Reason from "@ergon/core/Reason"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Message, Publisher } from "../client/publisher.ts"
import { Keys } from "../letters/kept.ts"
import { copyOf } from "../message/copy.ts"
import { ours } from "../message/headers.ts"
import type { SourceSettings } from "../settings/connectors.ts"
import { type Delays, longest, stepOf } from "./delay.ts"
import { letterMessage } from "./letter.ts"
import { Receipt, type Session } from "./session.ts"
import type { Subscription } from "./subscription.ts"

/** From so many acknowledgements at once on a consumer is busy. */
const busy = 32

const lost = new Reason.LeaseLost({
  message: "the channel over which it was delivered is closed: the broker delivers it again"
})
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })
const noGrave = new Reason.Unsupported({
  message: "the source has no dead letters: give it the option deadLetter, or the task Task.deadLetter"
})

export interface SettlerOptions {
  readonly settings: SourceSettings
  readonly subscription: Subscription
  readonly publisher: Publisher
  readonly delays: Delays
  readonly clock: Clock.Clock
}

/** One that is copied before it is acknowledged. */
interface Copy {
  readonly index: number
  readonly receipt: Receipt
  readonly message: Effect.Effect<Message, Reason.Reason>
}

/** A batch, sorted. */
class Sorted {
  readonly failed: Array<Failed> = []
  readonly places = new Map<Receipt, number>()
  readonly ack: Array<Receipt> = []
  readonly requeue: Array<Receipt> = []
  readonly release: Array<Receipt> = []
  readonly copies: Array<Copy> = []
  /** Written by an earlier try that was not answered. */
  readonly sent: Array<Receipt> = []
}

export const settling = (options: SettlerOptions) => {
  const keys = new Keys()
  const { clock, delays, publisher, settings, subscription } = options

  const copy = (settlement: Settlement, index: number, receipt: Receipt, delay: number): Copy | Reason.Reason => {
    const { delivery, disposition, letter } = settlement
    const { id } = delivery.transaction
    if (disposition._tag === "DeadLetter") {
      return settings.grave === undefined
        ? noGrave
        : {
          index,
          receipt,
          message: Effect.succeed(letterMessage({
            message: receipt.message,
            id,
            queue: receipt.queue.name,
            reason: disposition.reason,
            letter,
            key: keys.next(clock.currentTimeMillisUnsafe())
          }, settings.grave))
        }
    }
    const step = stepOf(delay)
    if (step === undefined) {
      return new Reason.InvalidRequest({ message: `a delay of ${delay} ms is longer than ${longest} ms (30 days)` })
    }
    const queue = settings.queues.find(({ name }) => name === receipt.queue.name)!
    return {
      index,
      receipt,
      message: Effect.map(
        delays.queueFor(queue, step),
        (routingKey) =>
          copyOf(
            receipt.message,
            id,
            { exchange: "", routingKey },
            // The engine counts by itself where the broker does not.
            queue.isQuorum ? { [ours.deliveries]: delivery.deliveries + 1 } : {}
          )
      )
    }
  }

  /**
   * A settlement that cannot be. For good: the delivery goes back to the queue, as nobody will settle it again. Else it is
   * tried again; if it is not, the subscription gives it back after a while.
   */
  const refuse = (sorted: Sorted, index: number, receipt: Receipt, reason: Reason.Reason): void => {
    sorted.places.delete(receipt)
    sorted.failed.push({ index, reason })
    if (!receipt.isHeld) return
    if (reason.isRetryable) subscription.unsettled.set(receipt, clock.currentTimeMillisUnsafe())
    else sorted.requeue.push(receipt)
  }

  const place = (sorted: Sorted, settlement: Settlement, index: number): void => {
    const { delivery: { receipt }, disposition } = settlement
    if (!(receipt instanceof Receipt)) return void sorted.failed.push({ index, reason: foreign })
    if (receipt.state === "settled" || sorted.places.has(receipt)) return
    subscription.unsettled.delete(receipt)
    if (!receipt.session.isAlive) return void sorted.failed.push({ index, reason: lost })
    if (receipt.state === "sent") {
      sorted.places.set(receipt, index)
      return void sorted.sent.push(receipt)
    }
    if (receipt.state === "copied") {
      sorted.places.set(receipt, index)
      return void sorted.ack.push(receipt)
    }
    const delay = disposition._tag === "Requeue" ? Duration.toMillis(disposition.delay) : 0
    if (disposition._tag === "DeadLetter" || delay > 0) {
      const one = copy(settlement, index, receipt, delay)
      if (!("receipt" in one)) return refuse(sorted, index, receipt, one)
      sorted.places.set(receipt, index)
      return void sorted.copies.push(one)
    }
    sorted.places.set(receipt, index)
    if (disposition._tag === "Ack") sorted.ack.push(receipt)
    else if (disposition._tag === "Requeue") sorted.requeue.push(receipt)
    else sorted.release.push(receipt)
  }

  /** Copies, and adds what the broker has confirmed to what is acknowledged. */
  const publishCopies = (sorted: Sorted): Effect.Effect<void> =>
    Effect.gen(function*() {
      const ready: Array<{ readonly copy: Copy; readonly message: Message }> = []
      for (const one of sorted.copies) {
        yield* Effect.match(one.message, {
          onFailure: (reason) => refuse(sorted, one.index, one.receipt, reason),
          onSuccess: (message) => void ready.push({ copy: one, message })
        })
      }
      const reasons = yield* publisher.publish(ready.map(({ message }) => message))
      ready.forEach(({ copy }, place) => {
        const reason = reasons[place]
        if (reason === undefined) {
          copy.receipt.state = "copied"
          sorted.ack.push(copy.receipt)
        } else refuse(sorted, copy.index, copy.receipt, reason)
      })
    })

  const write = (sorted: Sorted): ReadonlyArray<Session> => {
    const sessions = new Map<Session, { ack: Array<Receipt>; requeue: Array<Receipt> }>()
    const of = (session: Session) => {
      let group = sessions.get(session)
      if (group === undefined) sessions.set(session, group = { ack: [], requeue: [] })
      return group
    }
    for (const receipt of sorted.sent) of(receipt.session)
    for (const receipt of sorted.ack) of(receipt.session).ack.push(receipt)
    for (const receipt of sorted.requeue) of(receipt.session).requeue.push(receipt)
    for (const [session, { ack, requeue }] of sessions) {
      if (!session.isAlive) continue
      try {
        session.ack(ack)
        for (const receipt of requeue) session.requeue(receipt)
      } catch (error) {
        // The channel has closed under it.
        session.end(error)
      }
    }
    return [...sessions.keys()]
  }

  const finish = (sorted: Sorted, reasons: ReadonlyMap<Session, Reason.Reason>): Effect.Effect<void, SettleError> => {
    for (const [receipt, index] of sorted.places) {
      const reason = receipt.session.isAlive ? reasons.get(receipt.session) : lost
      if (receipt.state !== "sent" && receipt.session.isAlive) continue
      if (reason === undefined) receipt.state = "settled"
      else sorted.failed.push({ index, reason })
    }
    const { failed } = sorted
    const [first] = failed
    return first === undefined ? Effect.void : Effect.fail(new SettleError({ reason: first.reason, failed }))
  }

  return (settlements: ReadonlyArray<Settlement>): Effect.Effect<void, SettleError> =>
    Effect.suspend(() => {
      const sorted = new Sorted()
      settlements.forEach((settlement, index) => place(sorted, settlement, index))
      const release = Effect.sync(() => {
        subscription.putBack(sorted.release)
        for (const receipt of sorted.release) sorted.places.delete(receipt)
      })
      const settled = Effect.suspend(() => {
        const sessions = write(sorted)
        const reasons = new Map<Session, Reason.Reason>()
        const lately = sorted.ack.length >= busy &&
          sorted.copies.length + sorted.requeue.length + sorted.sent.length === 0
        const confirm = Effect.forEach(sessions, (session) =>
          session.isAlive
            ? (lately ? session.nearlyConfirmed(sorted.ack.length) : session.confirmed).pipe(
              Effect.catch((reason) =>
                Effect.sync(() => {
                  if (session.isAlive) reasons.set(session, reason)
                })
              )
            )
            : Effect.void, { discard: true })
        return Effect.flatMap(confirm, () => finish(sorted, reasons))
      })
      const after = Effect.andThen(release, settled)
      return sorted.copies.length === 0 ? after : Effect.andThen(publishCopies(sorted), after)
    })
}
