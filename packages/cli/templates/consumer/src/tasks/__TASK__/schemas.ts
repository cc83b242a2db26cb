import { Schema } from "effect"

/** What arrives. A payload that does not fit never reaches the task: it becomes a dead letter that says why. */
export const Notification = Schema.Struct({
  to: Schema.String,
  subject: Schema.String,
  text: Schema.String,
  /** After this time it helps nobody any more. */
  validUntil: Schema.optionalKey(Schema.DateTimeUtc)
})
export type Notification = typeof Notification.Type
