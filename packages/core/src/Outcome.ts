/**
 * How transactions ended, one by one and summed up.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { Disposition } from "./Disposition.ts"
import type { Failure } from "./Failure.ts"
import type { Transaction } from "./Transaction.ts"

/**
 * How a transaction ended.
 *
 * **Details**
 * - `succeeded`: processed, its results confirmed, acknowledged.
 * - `failed`: given up: dead-lettered or discarded.
 * - `requeued`: given back for another try.
 * - `timeout`: its deadline passed, and it was given up.
 * - `redelivered`: its settlement could not be made; the source delivers it again.
 * - `released`: given back untouched by a drain.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "succeeded" | "failed" | "requeued" | "timeout" | "redelivered" | "released"

/**
 * The end of one delivery, as told once its settlement is confirmed.
 *
 * **Details**
 * `result` is there when the process step succeeded, `failure` when a step failed for good. `attempts` counts the tries
 * of the process step, `deliveries` the hand-overs before this one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcome<out A, out B, out E> {
  readonly _tag: Kind
  readonly transaction: Transaction<unknown>
  readonly disposition: Disposition
  readonly attempts: number
  readonly deliveries: number
  readonly result: B | undefined
  readonly failure: Failure<A, E> | undefined
}

/**
 * What a run did.
 *
 * **Details**
 * Every fetched delivery is in exactly one of the six outcome counts. `deadLettered` and `discarded` say what became of
 * `failed` and `timeout`; `reasons` counts both by tag of their error (at most 100 different ones; the rest
 * under `other`). `retries` counts the second and later tries of all steps. `delayed` is what the source holds for
 * later, where it can count.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  readonly fetched: number
  readonly succeeded: number
  readonly failed: number
  readonly requeued: number
  readonly timeout: number
  readonly redelivered: number
  readonly released: number
  readonly deadLettered: number
  readonly discarded: number
  readonly reasons: Readonly<Record<string, number>>
  readonly retries: number
  readonly delayed: number
  readonly duration: Duration.Duration
}
