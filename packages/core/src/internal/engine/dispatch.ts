/**
 * The dispatch step: the results of a transaction, encoded and sent to its sinks. It is over when every sink has
 * confirmed; what a sink has confirmed is not sent to it again.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { DispatchError } from "../../ConnectorError.ts"
import * as Disposition from "../../Disposition.ts"
import { describe } from "../../Failure.ts"
import { InvalidRequest, Unknown } from "../../Reason.ts"
import type { Reason } from "../../Reason.ts"
import * as Transaction from "../../Transaction.ts"
import { attempt, wait } from "./attempt.ts"
import { delayAfter } from "./reconnect.ts"
import type { Engine } from "./engine.ts"
import { fail } from "./exception.ts"
import { isLeaseLost, type Parcel } from "./gather.ts"
import type { Outputs } from "./plan.ts"
import type { Slot } from "./slot.ts"
import { success } from "./success.ts"
import { carrying, headersIn } from "./traceparent.ts"

export const dispatch = (engine: Engine, slot: Slot): void => {
  const item = slot.item!
  const { outputs } = engine.plan
  if (item.lost) return engine.redeliver(slot, "its lease was lost while it was processed")
  if (outputs.length === 0) return success(engine, slot)
  slot.step = "dispatch"
  slot.attempt = 1
  slot.retrying = false
  const encoded = encodeAll(outputs, item.transaction!, item.result)
  if (Exit.isExit(encoded)) return dispatchEncoded(engine, slot, encoded)
  attempt(engine, slot, encoded, Infinity, dispatchEncoded)
}

type Encoded = ReadonlyArray<ReadonlyArray<Transaction.Transaction<unknown>>>

const dispatchEncoded = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
  if (slot.cut !== "nothing") return engine.cutOff(slot)
  if (Exit.isFailure(exit)) {
    const error = Cause.squash(exit.cause)
    return giveUp(
      engine,
      slot,
      new InvalidRequest({ message: `the result cannot be encoded: ${describe(error).message}`, cause: error })
    )
  }
  const item = slot.item!
  const encoded = exit.value as Encoded
  const parcels: Array<Parcel> = []
  for (let sink = 0; sink < encoded.length; sink++) {
    if (encoded[sink]!.length > 0 || engine.plan.commit !== undefined) {
      parcels.push({
        sink,
        item,
        transactions: encoded[sink]!,
        reason: undefined,
        alone: false,
        abandoned: false,
        span: undefined,
        done: noop
      })
    }
  }
  if (engine.plan.commit !== undefined) {
    item.kind = "succeeded"
    item.disposition = Disposition.ack
  }
  send(engine, slot, parcels)
}

const noop = (): void => {}

const send = (engine: Engine, slot: Slot, parcels: ReadonlyArray<Parcel>): void => {
  if (parcels.length === 0) return success(engine, slot)
  let outstanding = parcels.length
  const done = (): void => {
    if (--outstanding > 0) return
    slot.abandon = undefined
    arrived(engine, slot, sent)
    engine.pump()
  }
  const sent = parcels.map((parcel): Parcel => ({ ...traced(engine, slot, parcel), done }))
  slot.abandon = () => sent.every((parcel) => engine.sinks[parcel.sink]!.abandon(parcel))
  for (const parcel of sent) engine.sinks[parcel.sink]!.push(parcel)
}

/** Its span goes along with what it sends; what is sent again carries the span of the first attempt. */
const traced = (engine: Engine, slot: Slot, parcel: Parcel): Parcel => {
  if (engine.signals.trace === undefined) return parcel
  const span = engine.signals.trace.dispatch(parcel.item, engine.plan.outputs[parcel.sink]!.id, slot)
  const carried = span ?? parcel.item.span
  if (carried === undefined || slot.attempt > 1) return { ...parcel, span }
  const from = headersIn(parcel.item.delivery.transaction.metadata)
  return { ...parcel, span, transactions: parcel.transactions.map((output) => carrying(output, carried, from)) }
}

const arrived = (engine: Engine, slot: Slot, sent: ReadonlyArray<Parcel>): void => {
  const failed = sent.filter((parcel) => parcel.reason !== undefined)
  if (failed.length === 0) {
    return engine.plan.commit === undefined ? success(engine, slot) : engine.finishCommitted(slot)
  }
  if (slot.cut !== "nothing") return engine.cutOff(slot)
  const decisive = failed.find((parcel) => !parcel.reason!.isRetryable) ?? failed[0]!
  const reason = decisive.reason!
  if (isLeaseLost(reason)) return engine.redeliver(slot, reason.message)
  const policy = engine.plan.dispatch
  // Nothing is known about an Unknown: it gets the tries of the policy. A retryable reason gets all the time there is.
  const tryAgain = reason.isRetryable || (reason instanceof Unknown && slot.attempt < policy.maxAttempts)
  if (!tryAgain) return giveUp(engine, slot, reason)
  slot.retrying = true
  const delay = delayAfter(engine.plan, engine.plan.dispatch, slot.attempt, reason)
  const again = (slot: Slot): void => {
    slot.attempt++
    send(engine, slot, failed)
  }
  if (!wait(engine, slot, delay, again)) {
    engine.finish(slot, "requeued", Disposition.requeue(Duration.millis(delay)))
  }
}

const giveUp = (engine: Engine, slot: Slot, reason: Reason): void =>
  fail(engine, slot, {
    step: "dispatch",
    category: "system",
    transaction: slot.item!.transaction!,
    cause: Cause.fail(new DispatchError({ reason })),
    attempts: slot.attempt,
    deliveries: slot.item!.deliveries
  })

/** What goes to each sink. An `Exit` where no encoder needs anything asynchronous. */
const encodeAll = (
  sinks: ReadonlyArray<Outputs>,
  transaction: Transaction.Transaction<unknown>,
  result: unknown
): Effect.Effect<Encoded, unknown> => {
  const encoded: Array<Array<Transaction.Transaction<unknown>>> = []
  const later: Array<Effect.Effect<void, unknown>> = []
  try {
    for (const { encode, outputs } of sinks) {
      const to: Array<Transaction.Transaction<unknown>> = []
      encoded.push(to)
      const made = outputs(transaction, result)
      const list: ReadonlyArray<Transaction.Transaction<unknown>> = Array.isArray(made)
        ? made
        : [made as Transaction.Transaction<unknown>]
      for (const output of list) {
        const payload = encode(output.payload)
        if (!Exit.isExit(payload)) {
          const index = to.push(output) - 1
          later.push(Effect.map(payload, (payload) => {
            to[index] = Transaction.withPayload(output, payload)
          }))
        } else if (Exit.isFailure(payload)) return Exit.failCause(payload.cause)
        else to.push(Transaction.withPayload(output, payload.value))
      }
    }
  } catch (defect) {
    return Exit.die(defect)
  }
  return later.length === 0 ? Exit.succeed(encoded) : Effect.as(Effect.all(later, { discard: true }), encoded)
}
