import { Schema } from "effect"

/** What arrives. A payload that does not fit never reaches the task: it becomes a dead letter that says why. */
export const Order = Schema.Struct({
  customer: Schema.String,
  lines: Schema.NonEmptyArray(Schema.Struct({
    sku: Schema.String,
    quantity: Schema.Int.check(Schema.isGreaterThan(0))
  }))
})
export type Order = typeof Order.Type

/** What leaves. `total` is in cents: money is not for floating point. */
export const Receipt = Schema.Struct({ order: Schema.String, customer: Schema.String, total: Schema.Int })
export type Receipt = typeof Receipt.Type
