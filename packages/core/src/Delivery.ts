/**
 * One hand-over of a transaction by a source. Connectors make deliveries; user code sees transactions only.
 *
 * @since 0.1.0
 */
import type { Transaction } from "./Transaction.ts"

/**
 * One hand-over of a transaction by a source: the transaction with its payload still encoded, how often it was
 * delivered before, and the source's own receipt.
 *
 * **Details**
 * - `deliveries`: how often the source delivered this transaction before; 0 the first time.
 * - `receipt`: whatever the source needs to settle exactly this hand-over (a lease token, a delivery tag). Opaque.
 * - `key`: the ordering key of the transport, used by `ordering: "byKey"`.
 * - `partition`: the partition of a watermark source. Deliveries of one partition are committed in the order in which
 *   they were fetched.
 * - `malformed`: why the payload could not even be read (a broken line, say). Such a delivery is dead-lettered as
 *   `invalid` without being decoded; its payload is the raw input.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  readonly transaction: Transaction<unknown>
  readonly deliveries: number
  readonly receipt: unknown
  readonly key: string | undefined
  readonly partition: string | undefined
  readonly malformed: string | undefined
}

/**
 * Makes a delivery. `deliveries` is 0 unless given.
 *
 * **Example** (A first delivery)
 * ```ts import.meta.vitest
 * import { Delivery, Transaction } from "@ergon/core"
 *
 * const delivery = Delivery.make(Transaction.make("order-1", { quantity: 2 }), { key: "customer-7" })
 * delivery.deliveries // => 0
 * delivery.key // => "customer-7"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (transaction: Transaction<unknown>, options: {
  readonly deliveries?: number | undefined
  readonly receipt?: unknown
  readonly key?: string | undefined
  readonly partition?: string | undefined
  readonly malformed?: string | undefined
} = {}): Delivery => ({
  transaction,
  deliveries: options.deliveries ?? 0,
  receipt: options.receipt,
  key: options.key,
  partition: options.partition,
  malformed: options.malformed
})
