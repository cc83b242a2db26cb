/**
 * The source of a producer: a Stream, pulled as slots come free. It settles nothing; what is requeued is held in
 * memory by the engine.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Capabilities, SourceService } from "../../Connector.ts"
import { FetchError } from "../../ConnectorError.ts"
import * as Delivery from "../../Delivery.ts"
import { describe } from "../../Failure.ts"
import { Unknown } from "../../Reason.ts"
import type { Transaction } from "../../Transaction.ts"

export const nothingSettled: Capabilities = {
  settlement: "none",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "none"
}

/** A source service over a stream, and the cause with which the stream itself failed, if it did. */
export const make = (
  stream: Stream.Stream<Transaction<unknown>, unknown>
): Effect.Effect<
  { readonly source: SourceService; readonly failure: () => Cause.Cause<unknown> | undefined },
  never,
  Scope.Scope
> =>
  Effect.map(Stream.toPull(stream), (pull) => {
    let chunk: ReadonlyArray<Transaction<unknown>> = []
    let head = 0
    let failure: Cause.Cause<unknown> | undefined
    const take = (max: number): ReadonlyArray<Delivery.Delivery> => {
      // A chunk may be as large as the whole stream: it is not copied to be shortened.
      const taken = chunk.slice(head, head + max)
      head += taken.length
      return taken.map((transaction) => Delivery.make(transaction))
    }
    const failed = (cause: Cause.Cause<unknown>): Effect.Effect<never, FetchError> => {
      failure = cause
      const error = Cause.squash(cause)
      return Effect.fail(new FetchError({ reason: new Unknown({ message: describe(error).message, cause: error }) }))
    }
    const source: SourceService = {
      format: "native",
      capabilities: nothingSettled,
      fetch: ({ max }) =>
        Effect.suspend(() => {
          if (head < chunk.length) return Effect.succeed(take(max))
          return Effect.matchCauseEffect(pull, {
            onSuccess: (next) => {
              chunk = next
              head = 0
              return Effect.succeed(take(max))
            },
            onFailure: (cause): Effect.Effect<never, FetchError | Cause.Done> =>
              Pull.isDoneCause(cause) ? Cause.done() : Cause.hasInterruptsOnly(cause) ? Effect.interrupt : failed(cause)
          })
        }),
      settle: () => Effect.void
    }
    return { source, failure: () => failure }
  })
