/**
 * The process step: the task's program, tried as often as policy and decisions allow.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Decision from "../../Decision.ts"
import * as Disposition from "../../Disposition.ts"
import { describe } from "../../Failure.ts"
import { Aborted } from "../../TaskError.ts"
import type { Program } from "../definition.ts"
import { attempt, wait } from "./attempt.ts"
import { dispatch } from "./dispatch.ts"
import type { Engine } from "./engine.ts"
import { fail } from "./exception.ts"
import { saysLeaseLost } from "./lease.ts"
import type { Slot } from "./slot.ts"
import { timedOut } from "./timedOut.ts"

export const process = (engine: Engine, slot: Slot): void => {
  slot.step = "process"
  slot.attempt = 1
  tryOnce(engine, slot)
}

const tryOnce = (engine: Engine, slot: Slot): void => {
  const item = slot.item!
  item.attempts = slot.attempt
  const { process } = engine.plan
  let program: Program
  try {
    program = process.program(item.transaction!)
  } catch (defect) {
    program = Exit.die(defect)
  }
  attempt(engine, slot, program, process.timeout, processed)
}

const processed = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
  if (slot.cut !== "nothing") {
    if (slot.cut !== "attempt") return engine.cutOff(slot)
    slot.cut = "nothing"
    const timeout = Cause.die(timedOut("process", engine.plan.process.timeout))
    return undecided(engine, slot, timeout, "timeout")
  }
  if (Exit.isSuccess(exit)) {
    slot.item!.result = exit.value
    return dispatch(engine, slot)
  }
  failed(engine, slot, exit.cause)
}

const failed = (engine: Engine, slot: Slot, cause: Cause.Cause<unknown>): void => {
  const found = Cause.findError(cause)
  if (Result.isFailure(found)) return giveUp(engine, slot, cause, "system")
  const error = found.success
  if (saysLeaseLost(cause)) return engine.redeliver(slot, "the process step reports that its lease is lost")
  if (Decision.isNonRetryable(cause)) return giveUp(engine, slot, cause, "business")
  let decision: Decision.Decision | "undecided"
  try {
    decision = decide(engine, error)
  } catch (defect) {
    return giveUp(engine, slot, Cause.combine(cause, Cause.die(defect)), "system")
  }
  if (decision === "undecided") return undecided(engine, slot, cause, "business")
  switch (decision._tag) {
    case "Retry":
      return undecided(engine, slot, cause, "business")
    case "RetryAfter":
      return undecided(engine, slot, cause, "business", Duration.toMillis(decision.delay))
    case "Requeue":
      return engine.finish(slot, "requeued", Disposition.requeue(decision.delay))
    case "DeadLetter":
      return giveUp(engine, slot, cause, "business")
    case "Discard":
      slot.item!.failure = failure(slot, cause, "business")
      return engine.finish(slot, "failed", Disposition.ack)
    case "Abort":
      return engine.abort(slot, aborted(engine, slot, error))
  }
}

const aborted = (engine: Engine, slot: Slot, error: unknown): Aborted => {
  const { message, tag } = describe(error)
  return new Aborted({
    task: engine.plan.name,
    transaction: slot.item!.delivery.transaction.id,
    reason: message === tag ? tag : `${tag}: ${message}`,
    cause: error
  })
}

const decisions: ReadonlySet<unknown> = new Set(["Retry", "RetryAfter", "Requeue", "DeadLetter", "Discard", "Abort"])

const isDecision = (u: unknown): u is Decision.Decision =>
  Predicate.hasProperty(u, "_tag") && decisions.has(u._tag) &&
  ((u._tag !== "RetryAfter" && u._tag !== "Requeue") ||
    (Predicate.hasProperty(u, "delay") && Duration.isDuration(u.delay)))

/** What the task decides; untyped code can answer with anything. */
const decide = (engine: Engine, error: unknown): Decision.Decision | "undecided" => {
  const decision = engine.plan.decide(error)
  if (decision === "undecided" || isDecision(decision)) return decision
  throw new TypeError("Task.decide answered with something that is no decision")
}

const undecided = (
  engine: Engine,
  slot: Slot,
  cause: Cause.Cause<unknown>,
  category: "business" | "timeout",
  retryAfter?: number
): void => {
  const { process } = engine.plan
  if (slot.attempt >= process.maxAttempts) return giveUp(engine, slot, cause, category)
  const delay = retryAfter ?? process.delay(slot.attempt)
  const again = (slot: Slot) => {
    slot.attempt++
    tryOnce(engine, slot)
  }
  if (!wait(engine, slot, delay, again)) {
    engine.finish(slot, "requeued", Disposition.requeue(Duration.millis(delay)))
  }
}

const failure = (slot: Slot, cause: Cause.Cause<unknown>, category: "business" | "system" | "timeout") => ({
  step: "process" as const,
  category,
  transaction: slot.item!.transaction!,
  cause,
  attempts: slot.attempt,
  deliveries: slot.item!.deliveries
})

const giveUp = (
  engine: Engine,
  slot: Slot,
  cause: Cause.Cause<unknown>,
  category: "business" | "system" | "timeout"
): void => fail(engine, slot, failure(slot, cause, category))
