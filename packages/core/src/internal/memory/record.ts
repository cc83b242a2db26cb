/**
 * A sink that remembers what it received, for tests to look at.
 */
import * as Effect from "effect/Effect"
import type { SinkService } from "../../Connector.ts"
import type { Transaction } from "../../Transaction.ts"

/** Where the record hangs on the sink. */
export const recordKey = "~ergon/core/Memory/record"

export interface RecordingSink extends SinkService {
  readonly [recordKey]: ReadonlyArray<Transaction<unknown>>
}

export const recordingSink: Effect.Effect<RecordingSink> = Effect.sync(() => {
  const record: Array<Transaction<unknown>> = []
  return {
    [recordKey]: record,
    format: "json",
    dispatch: (transactions) =>
      Effect.sync(() => {
        for (const transaction of transactions) record.push(transaction)
      }),
    health: Effect.void
  }
})
