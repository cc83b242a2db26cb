/**
 * Whether the queues of a subscription are empty: asked only by a fetch that may not wait, whose answer ends a run.
 */
import type * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import type { Waiters } from "../client/waiters.ts"
import type { Session } from "./session.ts"

/** What the broker says of a queue. */
export interface Waiting {
  readonly name: string
  readonly isSingleActive: boolean
  readonly messages: number
  readonly consumers: number
}

/** Whether some of what waits could be ours now. Of a queue with a single active consumer it may be another one's. */
export const canHaveMore = (session: Pick<Session, "queues" | "share">, waiting: ReadonlyArray<Waiting>): boolean =>
  waiting.some(({ isSingleActive, messages, name }) =>
    messages > 0 && !isSingleActive &&
    session.queues.some((queue) => queue.name === name && queue.open < session.share)
  )

/** What of a subscription is asked here. */
interface Asked {
  readonly changes: Waiters
  readonly buffered: number
  readonly waiting: Effect.Effect<ReadonlyArray<Waiting>, Reason.Reason>
}

const nextTurn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/**
 * Whether nothing is there, or nothing that we may have. Messages that wait and do not come within 5 seconds are a fault:
 * the session is ended, and the next one asks again.
 */
export const isEmpty = (subscription: Asked, session: Session): Effect.Effect<boolean, Reason.Reason> => {
  const look = (left: number): Effect.Effect<boolean, Reason.Reason> =>
    Effect.gen(function*() {
      const waiting = yield* subscription.waiting
      if (!session.isAlive) return false
      const before = subscription.changes.count
      // What the broker has sent before it counted is here once it has answered this.
      yield* session.confirmed.pipe(
        Effect.catch((reason) => session.isAlive ? Effect.fail(reason) : Effect.void)
      )
      yield* nextTurn
      if (subscription.buffered > 0 || !session.isAlive) return false
      if (!canHaveMore(session, waiting)) return true
      if (left === 0) {
        session.end(new Error("messages wait in the queue and none arrives"))
        return false
      }
      yield* Effect.timeoutOption(subscription.changes.after(before), "1 second")
      return subscription.buffered > 0 || !session.isAlive ? false : yield* look(left - 1)
    })
  return look(5)
}
