/**
 * The sink side of a queue: a batch is one statement, and confirmed once it is committed. An id that the queue knows is
 * confirmed and changes nothing.
 */
import { type Connector, ConnectorError, type Transaction } from "@ergon/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Dialect } from "../dialect.ts"
import { openRowSink } from "../rowSink.ts"
import type { Enqueued, Store } from "./store.ts"

export interface SinkOptions {
  readonly key: ((transaction: Transaction.Transaction<unknown>) => string | undefined) | undefined
  readonly priority: ((transaction: Transaction.Transaction<unknown>) => number | undefined) | undefined
  readonly delay: ((transaction: Transaction.Transaction<unknown>) => Duration.Input | undefined) | undefined
}

export const openSink = (
  store: Store,
  options: SinkOptions
): Effect.Effect<Connector.SinkService, never, Scope.Scope> =>
  openRowSink({
    database: store.database,
    rowOf: (transaction) => rowOf(transaction, options, store.database.dialect),
    write: (rows) => store.enqueue(rows)
  })

/** How a queue takes back what was given up: as it was enqueued, without a delay, and with a count of 0. */
export const openTakeBack = (
  store: Store,
  options: SinkOptions
): Effect.Effect<NonNullable<Connector.SourceService["takeBack"]>, never, Scope.Scope> =>
  Effect.map(
    openRowSink({
      database: store.database,
      rowOf: (transaction) => rowOf(transaction, { ...options, delay: undefined }, store.database.dialect),
      write: (rows) => store.takeBack(rows)
    }),
    ({ dispatch }) => (transactions) =>
      Effect.mapError(
        dispatch(transactions),
        ({ failed, reason }) => new ConnectorError.LettersError({ reason, failed })
      )
  )

/** The row of a transaction, or what is wrong with it. */
const rowOf = (
  transaction: Transaction.Transaction<unknown>,
  options: SinkOptions,
  { isStorable, longestId }: Dialect
): Enqueued | string => {
  const { id, metadata, payload } = transaction
  const problem = (what: string, text: string) =>
    longestId !== undefined && text.length > longestId
      ? `${what} has at most ${longestId} characters here, got ${text.length}`
      : isStorable(text)
      ? undefined
      : `${what} with the character U+0000 or half of a surrogate pair cannot be stored`
  const unstorable = problem("an id", id)
  if (unstorable !== undefined) return unstorable
  const key = options.key?.(transaction) ?? null
  const keyProblem = key === null ? undefined : problem("a key", key)
  if (keyProblem !== undefined) return keyProblem
  const priority = options.priority?.(transaction) ?? 0
  if (!Number.isSafeInteger(priority)) return `priority must be an integer, got ${priority}`
  const delay = Duration.toMillis(Duration.fromInputUnsafe(options.delay?.(transaction) ?? 0))
  if (!Number.isFinite(delay)) return "delay must be finite"
  try {
    return {
      id,
      payload: JSON.stringify(payload) ?? "null",
      metadata: JSON.stringify(metadata),
      key,
      priority,
      delay
    }
  } catch (error) {
    return `the payload is no JSON: ${error instanceof Error ? error.message : String(error)}`
  }
}
