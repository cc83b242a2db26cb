/**
 * A delivery on its way through the engine: one record from the fetch to the confirmed settlement, so that a
 * transaction costs one allocation of ours. It is the `Settlement` that the source receives in the end.
 */
import type * as Tracer from "effect/Tracer"
import type { DeadLetter } from "../../DeadLetter.ts"
import type { Delivery } from "../../Delivery.ts"
import { type Disposition, release } from "../../Disposition.ts"
import type { Failure } from "../../Failure.ts"
import type { Kind, Outcome } from "../../Outcome.ts"
import type { Transaction } from "../../Transaction.ts"

export interface Item {
  readonly delivery: Delivery
  // How often it was delivered before, with what the engine counted where the source does not.
  deliveries: number
  // The lane, where the task keeps an order.
  key: string | undefined
  // When its lease runs out, 0 where there is none: a small integer costs no allocation of its own, Infinity would.
  expiresAt: number
  // Once decoded.
  transaction: Transaction<unknown> | undefined
  // Tries of the process step.
  attempts: number
  result: unknown
  failure: Failure<unknown, unknown> | undefined
  // The lease is known to be gone: nothing is routed any more, and nothing is settled.
  lost: boolean

  // What becomes of it; `release` until something better is known.
  disposition: Disposition
  letter: DeadLetter | undefined
  kind: Kind
  // Tries of the settlement, and the time until which it is tried again; 0 until the first one has failed.
  settleAttempts: number
  settleUntil: number

  // When it was started, in milliseconds; -1 unless somebody wants to know how long it took.
  startedAt: number
  // From its start to its end, when a tracer listens.
  span: Tracer.Span | undefined
}

export const make = (delivery: Delivery, deliveries: number, key: string | undefined, expiresAt: number): Item => ({
  delivery,
  deliveries,
  key,
  expiresAt,
  transaction: undefined,
  attempts: 0,
  result: undefined,
  failure: undefined,
  lost: false,
  disposition: release,
  letter: undefined,
  kind: "released",
  settleAttempts: 0,
  settleUntil: 0,
  startedAt: -1,
  span: undefined
})

export const outcome = (item: Item): Outcome<unknown, unknown, unknown> => ({
  _tag: item.kind,
  transaction: item.delivery.transaction,
  disposition: item.disposition,
  attempts: item.attempts,
  deliveries: item.deliveries,
  result: item.result,
  failure: item.failure
})
