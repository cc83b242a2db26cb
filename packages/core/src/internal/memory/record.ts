/**
 * A sink that remembers what it received, for tests to look at.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SinkService } from "../../Connector.ts"
import { DispatchError } from "../../ConnectorError.ts"
import { InvalidRequest } from "../../Reason.ts"
import type { Transaction } from "../../Transaction.ts"

/** Where the record hangs on the sink. */
export const recordKey = "~ergon/core/Memory/record"

export interface RecordingSink extends SinkService {
  readonly [recordKey]: ReadonlyArray<Transaction<unknown>>
}

/** A sink that adds to a record for as long as its scope is open. */
export const recordingSink = (record: Array<Transaction<unknown>>): Effect.Effect<RecordingSink, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => ({ closed: false })),
      (connection) =>
        Effect.sync(() => {
          connection.closed = true
        })
    ),
    (connection) => ({
      [recordKey]: record,
      format: "json",
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (connection.closed) {
            return Effect.fail(
              new DispatchError({ reason: new InvalidRequest({ message: "the connector is closed" }) })
            )
          }
          for (const transaction of transactions) record.push(transaction)
          return Effect.void
        }),
      health: Effect.void
    })
  )
