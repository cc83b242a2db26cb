/**
 * The exception step: what a failure comes to. The task's `onFailure` is asked first, under a budget of its own; then
 * the transaction goes where the disposition says. Nothing here acknowledges a transaction before its dead letter is
 * confirmed.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import { DispatchError } from "../../ConnectorError.ts"
import * as Disposition from "../../Disposition.ts"
import { describe, type Failure, reason as reasonOf } from "../../Failure.ts"
import { Timeout } from "../../Reason.ts"
import { attempt, wait } from "./attempt.ts"
import { bury } from "./deadLetter.ts"
import type { Engine } from "./engine.ts"
import { saysLeaseLost } from "./lease.ts"
import type { Slot } from "./slot.ts"
import { decodeOverdue, timedOut } from "./timedOut.ts"

/** A step has failed for good. `kind` is `timeout` when the transaction's deadline passed. */
export const fail = (
  engine: Engine,
  slot: Slot,
  failure: Failure<unknown, unknown>,
  kind: "failed" | "timeout" = "failed"
): void => {
  const item = slot.item!
  item.failure = failure
  item.kind = kind
  // The deadline ran until here, and cuts nothing of what follows.
  slot.deadline = Infinity
  slot.attemptDueAt = Infinity
  slot.schedule()
  slot.step = "exception"
  slot.attempt = 1
  if (item.lost) return engine.redeliver(slot, "its lease was lost while it was processed")
  if (engine.plan.exception.program === undefined) return bury(engine, slot, reasonOf(failure))
  tryOnce(engine, slot)
}

const tryOnce = (engine: Engine, slot: Slot): void => {
  const { program, timeout } = engine.plan.exception
  attempt(engine, slot, Effect.suspend(() => program!(slot.item!.failure!)), timeout, excepted)
}

const excepted = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
  if (slot.cut === "stop" || slot.cut === "deadline") return engine.cutOff(slot)
  if (slot.cut === "nothing" && Exit.isSuccess(exit)) return dispose(engine, slot, exit.value)
  if (slot.cut === "nothing" && Exit.isFailure(exit) && saysLeaseLost(exit.cause)) {
    return engine.redeliver(slot, "the exception step reports that its lease is lost")
  }
  const plan = engine.plan.exception
  const timeout = slot.cut === "attempt"
  slot.cut = "nothing"
  const cause = timeout || Exit.isSuccess(exit) ? Cause.die(timedOut("exception", plan.timeout)) : exit.cause
  if ((timeout || Cause.hasFails(cause)) && slot.attempt < plan.maxAttempts) {
    const again = (slot: Slot): void => {
      slot.attempt++
      tryOnce(engine, slot)
    }
    if (wait(engine, slot, plan.delay(slot.attempt), again)) return
  }
  engine.warn("the exception step failed; the transaction is requeued", {
    transaction: slot.item!.delivery.transaction.id,
    cause: shown(cause)
  }, slot.item)
  engine.finish(slot, "requeued", Disposition.requeue())
}

// A hook can fail with anything, also with what throws when it is looked at.
const shown = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause)
  } catch {
    return describe(Cause.squash(cause)).message
  }
}

const isDisposition = (u: unknown): u is Disposition.Disposition =>
  Predicate.hasProperty(u, "_tag") &&
  (u._tag === "Ack" || u._tag === "DeadLetter" || u._tag === "Release" ||
    (u._tag === "Requeue" && Predicate.hasProperty(u, "delay") && Duration.isDuration(u.delay)))

const dispose = (engine: Engine, slot: Slot, answer: unknown): void => {
  const item = slot.item!
  const disposition = isDisposition(answer) ? answer : Disposition.deadLetter(reasonOf(item.failure!))
  switch (disposition._tag) {
    case "DeadLetter":
      return bury(engine, slot, disposition.reason)
    case "Ack":
      return engine.finish(slot, item.kind, disposition)
    case "Requeue":
      return engine.finish(slot, "requeued", disposition)
    case "Release":
      return engine.finish(slot, "released", disposition)
  }
}

/** The work of a slot was cut off by the transaction's deadline or by the run's stop, wherever it was. */
export const cutOff = (engine: Engine, slot: Slot): void => {
  const why = slot.cut
  slot.cut = "nothing"
  if (why === "stop") return engine.finish(slot, "released", Disposition.release)
  // A connector was down until the deadline: nothing is wrong with the transaction.
  if (slot.step === "dispatch" && slot.retrying) return engine.finish(slot, "requeued", Disposition.requeue())
  fail(engine, slot, overdue(engine, slot), "timeout")
}

const overdue = (engine: Engine, slot: Slot): Failure<unknown, unknown> => {
  const item = slot.item!
  if (item.transaction === undefined) return decodeOverdue(engine.plan.deadline, item, slot.attempt)
  const error = timedOut("transaction", engine.plan.deadline)
  const common = { attempts: slot.attempt, deliveries: item.deliveries }
  const { transaction } = item
  switch (slot.step) {
    case "dispatch": {
      const reason = new Timeout({ message: error.message })
      const cause = Cause.fail(new DispatchError({ reason }))
      return { ...common, step: "dispatch", category: "timeout", transaction, cause }
    }
    case "success":
      return { ...common, step: "success", category: "timeout", transaction, cause: Cause.die(error) }
    default:
      return { ...common, step: "process", category: "timeout", transaction, cause: Cause.die(error) }
  }
}
