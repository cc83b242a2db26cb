/**
 * The decode step: from the delivery's encoded payload to the typed transaction. Never retried: what does not fit its
 * schema does not fit it the next time either.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { type DecodeFailure, describe } from "../../Failure.ts"
import * as Transaction from "../../Transaction.ts"
import { attempt } from "./attempt.ts"
import type { Engine } from "./engine.ts"
import { fail } from "./exception.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import { process } from "./process.ts"
import type { Slot } from "./slot.ts"
import { decodeOverdue } from "./timedOut.ts"

export const decode = (engine: Engine, slot: Slot): void => {
  const item = slot.item!
  slot.step = "decode"
  slot.attempt = 1
  if (item.failure !== undefined) {
    return fail(engine, slot, item.failure, item.failure.category === "timeout" ? "timeout" : "failed")
  }
  if (item.transaction !== undefined) return process(engine, slot)
  const effect = decodeItem(engine.plan, item)
  // A schema that needs nothing asynchronous has answered already.
  if (Exit.isExit(effect)) return decoded(engine, slot, effect)
  attempt(engine, slot, effect, Infinity, decoded)
}

const decoded = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>): void => {
  if (slot.cut !== "nothing") return engine.cutOff(slot)
  const item = slot.item!
  accept(engine.plan, item, exit)
  if (item.failure !== undefined) return fail(engine, slot, item.failure)
  process(engine, slot)
}

const decodeItem = (plan: Plan, item: Item): Effect.Effect<unknown, unknown> => {
  const { delivery } = item
  if (delivery.malformed !== undefined) {
    return Exit.fail(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: delivery.malformed })))
  }
  if (plan.decode === undefined) return Exit.succeed(delivery.transaction.payload)
  try {
    return plan.decode.decode(delivery.transaction.payload)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Keeps what decoding came to: the transaction, or the failure with every problem there is. */
const accept = (plan: Plan, item: Item, exit: Exit.Exit<unknown, unknown>): void => {
  const { transaction } = item.delivery
  if (Exit.isSuccess(exit)) {
    item.transaction = plan.decode === undefined ? transaction : Transaction.withPayload(transaction, exit.value)
    return
  }
  const failure: DecodeFailure = {
    step: "decode",
    category: "invalid",
    transaction,
    issue: explain(plan, item, exit.cause),
    attempts: 1,
    deliveries: item.deliveries
  }
  item.failure = failure
}

// The first problem was enough to fail; a person wants to know all of them.
const explain = (plan: Plan, item: Item, cause: Cause.Cause<unknown>): Schema.SchemaError => {
  if (item.delivery.malformed === undefined && plan.decode !== undefined) {
    try {
      const all = plan.decode.explain(item.delivery.transaction.payload)
      if (Exit.isExit(all) && Exit.isFailure(all)) {
        const found = Cause.findError(all.cause)
        if (Result.isSuccess(found) && found.success instanceof Schema.SchemaError) return found.success
      }
    } catch {
      // The defect is in `cause`.
    }
  }
  const error = Cause.squash(cause)
  return error instanceof Schema.SchemaError
    ? error
    : new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: describe(error).message }))
}

/**
 * Decodes a whole fetch side by side, ahead of the slots: for tasks whose order depends on the payload. What does not
 * end within the transaction's deadline has failed by it; what is interrupted is left to be decoded in its slot.
 */
export const decodeAhead = (plan: Plan, items: ReadonlyArray<Item>): Effect.Effect<void> => {
  const later: Array<Effect.Effect<void>> = []
  for (const item of items) {
    const effect = decodeItem(plan, item)
    if (Exit.isExit(effect)) accept(plan, item, effect)
    else later.push(decodeBounded(plan, item, effect))
  }
  return later.length === 0 ? Effect.void : Effect.all(later, { concurrency: "unbounded", discard: true })
}

const decodeBounded = (plan: Plan, item: Item, effect: Effect.Effect<unknown, unknown>): Effect.Effect<void> => {
  const decoding = Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) accept(plan, item, exit)
  })
  if (plan.deadline === Infinity) return decoding
  return Effect.timeoutOrElse(decoding, {
    duration: plan.deadline,
    orElse: () =>
      Effect.sync(() => {
        item.failure = decodeOverdue(plan.deadline, item, 1)
      })
  })
}
