/**
 * What becomes of a delivery at its source.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { DeadLetter as Letter } from "./DeadLetter.ts"
import type { Delivery } from "./Delivery.ts"

/**
 * Done: the source forgets the delivery. Sent only after every sink confirmed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ack {
  readonly _tag: "Ack"
}

/**
 * Again, after `delay`. Raises the delivery count.
 *
 * @category models
 * @since 0.1.0
 */
export interface Requeue {
  readonly _tag: "Requeue"
  readonly delay: Duration.Duration
}

/**
 * Given up, with a reason: to the task's dead-letter sink where there is one, else to the source's own dead letters.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetter {
  readonly _tag: "DeadLetter"
  readonly reason: string
}

/**
 * Given back untouched: the engine's own, for what it did not process. Does not raise the delivery count where the
 * transport allows it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Release {
  readonly _tag: "Release"
}

/**
 * What becomes of a delivery at its source.
 *
 * @category models
 * @since 0.1.0
 */
export type Disposition = Ack | Requeue | DeadLetter | Release

/**
 * A delivery together with what becomes of it. Sources receive them in batches.
 *
 * **Details**
 * `letter` is the envelope of a `DeadLetter`; a source with a native dead letter keeps it. With every other disposition
 * it means nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settlement {
  readonly delivery: Delivery
  readonly disposition: Disposition
  readonly letter: Letter | undefined
}

/**
 * Done: forget the delivery.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ack: Disposition = Object.freeze({ _tag: "Ack" })

/**
 * Given back untouched.
 *
 * @category constructors
 * @since 0.1.0
 */
export const release: Disposition = Object.freeze({ _tag: "Release" })

const requeueNow: Disposition = Object.freeze({ _tag: "Requeue", delay: Duration.zero })

/**
 * Again, after `delay` (none unless given).
 *
 * @category constructors
 * @since 0.1.0
 */
export const requeue = (delay?: Duration.Input): Disposition =>
  delay === undefined ? requeueNow : { _tag: "Requeue", delay: Duration.fromInputUnsafe(delay) }

/**
 * Given up, with a reason that a person can act on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const deadLetter = (reason: string): Disposition => ({ _tag: "DeadLetter", reason })

/**
 * Makes a settlement; `letter` goes with a `DeadLetter`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settlement = (delivery: Delivery, disposition: Disposition, letter?: Letter): Settlement => ({
  delivery,
  disposition,
  letter
})
