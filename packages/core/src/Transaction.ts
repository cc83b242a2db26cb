/**
 * The atomic unit of work: what sources hand over, tasks process and sinks receive.
 *
 * The engine never splits, merges or changes a transaction. Its top level is frozen; what lies below is readonly by
 * type.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

/**
 * Plain data about a transaction: where it came from, and what travels in the headers of its transport.
 *
 * **Details**
 * The keys `traceparent` and `tracestate` carry the W3C trace context; a transport that has headers takes all of the
 * metadata in and out of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Metadata {
  readonly [key: string]: string | number | boolean
}

/**
 * An atomic unit of work with a payload of type `A`.
 *
 * **Details**
 * `id` is stable across redelivery: the message id, row id or stream id of the source, never a handle of one delivery.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transaction<out A> {
  readonly id: string
  readonly payload: A
  readonly metadata: Metadata
}

const noMetadata: Metadata = Object.freeze({})

/**
 * Makes a transaction. The result is frozen at its top level.
 *
 * **Gotchas**
 * Throws a `TypeError` when `id` is not a non-empty string: a transaction without an id could not be settled,
 * de-duplicated or found again.
 *
 * **Example** (Making a transaction)
 * ```ts import.meta.vitest
 * import { Transaction } from "@ergon/core"
 *
 * const transaction = Transaction.make("order-1", { quantity: 2 }, { queue: "orders" })
 * transaction.payload.quantity // => 2
 * transaction.metadata.queue // => "orders"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A>(id: string, payload: A, metadata: Metadata = noMetadata): Transaction<A> => {
  if (typeof id !== "string" || id.length === 0) {
    throw new TypeError(
      `Transaction.make: id must be a non-empty string, got ${typeof id === "string" ? "\"\"" : String(id)}`
    )
  }
  return Object.freeze({ id, payload, metadata })
}

/**
 * The same transaction with another payload; id and metadata stay.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withPayload = <B>(self: Transaction<unknown>, payload: B): Transaction<B> =>
  Object.freeze({ id: self.id, payload, metadata: self.metadata })

/**
 * Whether a value has the shape of a transaction.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTransaction = (u: unknown): u is Transaction<unknown> =>
  Predicate.hasProperty(u, "id") && typeof u.id === "string" && u.id.length > 0 &&
  Predicate.hasProperty(u, "payload") &&
  Predicate.hasProperty(u, "metadata") && Predicate.isObject(u.metadata)
