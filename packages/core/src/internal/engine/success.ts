/**
 * The success step: the task's `onSuccess`, after every sink confirmed and before the settlement. When it fails, the
 * program is not run again.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Disposition from "../../Disposition.ts"
import { attempt, wait } from "./attempt.ts"
import type { Engine } from "./engine.ts"
import { fail } from "./exception.ts"
import { saysLeaseLost } from "./lease.ts"
import type { Slot } from "./slot.ts"
import { timedOut } from "./timedOut.ts"

export const success = (engine: Engine, slot: Slot): void => {
  if (engine.plan.success === undefined) return engine.finish(slot, "succeeded", Disposition.ack)
  slot.step = "success"
  slot.attempt = 1
  tryOnce(engine, slot)
}

const tryOnce = (engine: Engine, slot: Slot): void => {
  const { program, timeout } = engine.plan.success!
  const item = slot.item!
  attempt(engine, slot, Effect.suspend(() => program(item.transaction!, item.result)), timeout, succeeded)
}

const succeeded = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
  if (slot.cut === "deadline" || slot.cut === "stop") return engine.cutOff(slot)
  if (slot.cut === "nothing" && Exit.isSuccess(exit)) return engine.finish(slot, "succeeded", Disposition.ack)
  if (slot.cut === "nothing" && Exit.isFailure(exit) && saysLeaseLost(exit.cause)) {
    return engine.redeliver(slot, "the success step reports that its lease is lost")
  }
  const plan = engine.plan.success!
  const timeout = slot.cut === "attempt"
  slot.cut = "nothing"
  const cause = timeout || Exit.isSuccess(exit) ? Cause.die(timedOut("success", plan.timeout)) : exit.cause
  const retryable = timeout || Cause.hasFails(cause)
  if (retryable && slot.attempt < plan.maxAttempts) {
    const again = (slot: Slot) => {
      slot.attempt++
      tryOnce(engine, slot)
    }
    if (wait(engine, slot, plan.delay(slot.attempt), again)) return
  }
  fail(engine, slot, {
    step: "success",
    category: timeout ? "timeout" : Cause.hasFails(cause) ? "business" : "system",
    transaction: slot.item!.transaction!,
    cause,
    attempts: slot.attempt,
    deliveries: slot.item!.deliveries
  })
}
