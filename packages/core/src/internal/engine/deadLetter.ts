/**
 * Where a transaction goes that was given up: to the task's dead-letter sink and only then acknowledged, or to the
 * source's own dead letters. If neither takes it, it is requeued: it is never acknowledged without a trace.
 */
import * as DateTime from "effect/DateTime"
import * as Exit from "effect/Exit"
import { DeadLetter } from "../../DeadLetter.ts"
import * as Disposition from "../../Disposition.ts"
import { describeFailure } from "../../Failure.ts"
import type { Reason } from "../../Reason.ts"
import * as Transaction from "../../Transaction.ts"
import { attempt, wait } from "./attempt.ts"
import { delayAfter } from "./reconnect.ts"
import type { Engine } from "./engine.ts"
import type { Parcel } from "./gather.ts"
import type { Slot } from "./slot.ts"
import { carrying, headersIn } from "./traceparent.ts"

export const bury = (engine: Engine, slot: Slot, reason: string): void => {
  const item = slot.item!
  const { deadLetters } = engine.plan
  if (deadLetters._tag === "nowhere") engine.tally.lose(item.delivery.transaction.id, reason)
  if (deadLetters._tag === "discard" || deadLetters._tag === "nowhere") {
    return engine.finish(slot, item.kind, Disposition.ack)
  }
  item.letter = letter(engine, slot, reason)
  if (deadLetters._tag === "source") return engine.finish(slot, item.kind, Disposition.deadLetter(reason))
  slot.attempt = 1
  const until = engine.watcher.now() + engine.plan.exception.timeout
  const encoded = deadLetters.encode(item.letter)
  const withPayload = (_: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
    if (slot.cut === "stop") return engine.cutOff(slot)
    slot.cut = "nothing"
    if (Exit.isFailure(exit)) return refused(engine, slot, "the dead letter cannot be encoded")
    send(engine, slot, Transaction.withPayload(item.delivery.transaction, exit.value), until)
  }
  if (Exit.isExit(encoded)) withPayload(engine, slot, encoded)
  else attempt(engine, slot, encoded, engine.plan.exception.timeout, withPayload)
}

/**
 * A delivery that came back more often than `maxDeliveries` allows: a transaction that kills its worker must not kill
 * it for ever. It is given up unseen: not decoded, not processed, and no hook runs.
 */
export const poisoned = (engine: Engine, slot: Slot): void => {
  slot.step = "fetch"
  slot.item!.kind = "failed"
  // It is given up already: its deadline has nothing to cut.
  slot.deadline = Infinity
  slot.schedule()
  bury(
    engine,
    slot,
    `delivered ${
      slot.item!.deliveries
    } times before, more than transaction.maxDeliveries (${engine.plan.maxDeliveries}) allows`
  )
}

const send = (engine: Engine, slot: Slot, transaction: Transaction.Transaction<unknown>, until: number): void => {
  const sink = engine.deadLetters!
  const item = slot.item!
  const span = engine.signals.trace?.dispatch(item, deadLetterSink(engine), slot)
  const carried = span ?? item.span
  const parcel: Parcel = {
    sink: 0,
    item,
    // Whoever finds the letter finds the trace of its failure; the envelope has the one of its producer.
    transactions: [
      carried === undefined ? transaction : carrying(transaction, carried, headersIn(transaction.metadata))
    ],
    reason: undefined,
    alone: false,
    abandoned: false,
    span,
    done: () => {
      slot.abandon = undefined
      if (parcel.reason === undefined) engine.finish(slot, slot.item!.kind, Disposition.ack)
      else tryAgain(engine, slot, transaction, until, parcel.reason)
      engine.pump()
    }
  }
  slot.abandon = () => sink.abandon(parcel)
  sink.push(parcel)
}

const deadLetterSink = ({ plan: { deadLetters } }: Engine): string => deadLetters._tag === "sink" ? deadLetters.id : ""

const tryAgain = (
  engine: Engine,
  slot: Slot,
  transaction: Transaction.Transaction<unknown>,
  until: number,
  reason: Reason
): void => {
  const delay = delayAfter(engine.plan, engine.plan.dispatch, slot.attempt, reason)
  if (!reason.isRetryable || engine.watcher.now() + delay > until) {
    return refused(engine, slot, `${reason._tag}: ${reason.message}`)
  }
  wait(engine, slot, delay, (slot) => {
    slot.attempt++
    send(engine, slot, transaction, until)
  })
}

const refused = (engine: Engine, slot: Slot, why: string): void => {
  slot.item!.letter = undefined
  engine.warn("the dead letter could not be kept; the transaction is requeued", {
    transaction: slot.item!.delivery.transaction.id,
    reason: why
  }, slot.item)
  engine.finish(slot, "requeued", Disposition.requeue())
}

const letter = (engine: Engine, slot: Slot, reason: string): DeadLetter => {
  const { delivery, deliveries, failure } = slot.item!
  const { transaction } = delivery
  return new DeadLetter({
    id: transaction.id,
    payload: transaction.payload,
    metadata: transaction.metadata,
    reason,
    step: failure?.step ?? "fetch",
    category: failure?.category ?? "system",
    error: failure === undefined ? { tag: "MaxDeliveries", message: reason } : describeFailure(failure),
    attempts: failure?.attempts ?? 0,
    deliveries,
    task: engine.plan.name,
    source: engine.plan.sourceId,
    failedAt: DateTime.formatIso(DateTime.makeUnsafe(engine.watcher.now()))
  }, { disableChecks: true })
}
