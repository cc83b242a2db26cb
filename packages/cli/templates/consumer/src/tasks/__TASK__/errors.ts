import { Decision } from "@ergon/core"
import { Schema } from "effect"
import type { MailerBusy } from "../../services/mailer.ts"

/** The notification came too late. */
export class Expired extends Schema.TaggedError<Expired>()("Expired", { validUntil: Schema.DateTimeUtc }) {}

/**
 * What becomes of a notification, for every error that the task can fail with. The compiler insists that none is
 * missing: a new error of the mailer does not compile until somebody has decided about it here.
 */
export const decisions = {
  Expired: Decision.discard,
  AddressRejected: Decision.deadLetter,
  MailerBusy: (error: MailerBusy) => Decision.retryAfter(error.retryAfter)
}
