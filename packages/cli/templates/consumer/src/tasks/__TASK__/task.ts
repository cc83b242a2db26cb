import { Task } from "@ergon/core"
import { DateTime, Effect } from "effect"
import { Notifications } from "../../connectors/notifications.ts"
import { Mailer } from "../../services/mailer.ts"
import { decisions, Expired } from "./errors.ts"
import { policy } from "./policy.ts"

/**
 * Sends notifications. One is acknowledged after it was sent: when the process dies in between, it is delivered again.
 * That is why the mailer is given the id of the transaction, which stays the same.
 */
export const __TASK_ID__ = Task.consumer(
  "__TASK__",
  Notifications,
  Effect.fnUntraced(function*({ id, payload: { subject, text, to, validUntil } }) {
    if (validUntil !== undefined && (yield* DateTime.isPast(validUntil))) return yield* new Expired({ validUntil })
    const mailer = yield* Mailer
    yield* mailer.send({ key: id, to, subject, text })
  })
).pipe(Task.policy(policy), Task.decide(decisions))
