/**
 * One question to the broker: bounded, and its failure has a reason.
 */
import * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import { reasonOf } from "./reason.ts"

/** How long the broker may take to answer one question. */
export const answering = 30_000

/** Asks; `what` says in an error what was asked. Worst case: 30 seconds. */
export const call = <A>(what: string, ask: () => Promise<A>, bound = answering): Effect.Effect<A, Reason.Reason> =>
  Effect.timeoutOrElse(
    Effect.tryPromise({ try: ask, catch: (error) => reasonOf(what, error) }),
    {
      duration: bound,
      orElse: () =>
        Effect.fail(new Reason.Timeout({ message: `${what}: the broker did not answer within ${bound} ms` }))
    }
  )
