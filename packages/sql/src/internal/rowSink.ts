/**
 * A sink of rows, for queues and tables alike: every transaction is a row or cannot be stored, and then says why. Those
 * that can be are written; the error names the others.
 */
import { type Connector, ConnectorError, Reason, type Transaction } from "@ergon/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Database } from "../Database.ts"
import type { SqlError } from "./effectSql.ts"

/** Why a connector does nothing any more. */
export const closed = new Reason.InvalidRequest({ message: "the connector is closed" })

export interface RowSinkOptions<Row> {
  readonly database: Database["Service"]
  /** The row of a transaction, or what is wrong with it. */
  readonly rowOf: (transaction: Transaction.Transaction<unknown>) => Row | string
  /** Writes at least one row, all or none. */
  readonly write: (rows: ReadonlyArray<Row>) => Effect.Effect<unknown, SqlError>
}

/** Opens a sink, which is closed with the scope. */
export const openRowSink = <Row extends object>(
  { database, rowOf, write }: RowSinkOptions<Row>
): Effect.Effect<Connector.SinkService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const dispatchError = (error: SqlError) =>
      new ConnectorError.DispatchError({ reason: database.dialect.reasonOf(error) })
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    return {
      format: "json",
      database,
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (isClosed) return Effect.fail(new ConnectorError.DispatchError({ reason: closed }))
          const failed: Array<ConnectorError.Failed> = []
          const rows: Array<Row> = []
          transactions.forEach((transaction, index) => {
            const row = rowOf(transaction)
            if (typeof row !== "string") return rows.push(row)
            return failed.push({ index, reason: new Reason.InvalidRequest({ message: `"${transaction.id}": ${row}` }) })
          })
          const written = rows.length === 0 ? Effect.void : Effect.asVoid(Effect.mapError(write(rows), dispatchError))
          const [first] = failed
          return first === undefined
            ? written
            : Effect.andThen(written, Effect.fail(new ConnectorError.DispatchError({ reason: first.reason, failed })))
        }).pipe(Effect.uninterruptible),
      health: Effect.asVoid(Effect.mapError(database.sql`SELECT 1`, dispatchError))
    }
  })
