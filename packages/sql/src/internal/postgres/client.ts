/**
 * Effect's SQL client over a pool of PostgreSQL sessions. Every statement ends within a time, also where the server, or
 * the way to it, is silent: then its session is given up, and the statement may have taken effect.
 */
import type { PgConnection, PgPool } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  Client,
  type Connection,
  ConnectionError,
  type Reactivity,
  SqlError,
  StatementTimeoutError
} from "../effectSql.ts"
import type { Driver } from "./driver.ts"
import { reasonOf } from "./reason.ts"

/** What the sessions of one database have in common; times are milliseconds. */
export interface Settings {
  readonly pool: PgPool.Config
  readonly statementTimeout: number
  /** Of what traces say, where it is known. */
  readonly namespace: string | undefined
}

/** Real time: what is waited for is not of this process. */
const expiry = (millis: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

const silent = (operation: string, millis: number): SqlError => {
  const message = `PostgreSQL did not answer within ${millis} ms`
  return new SqlError({ reason: new StatementTimeoutError({ cause: new Error(message), message, operation }) })
}

/**
 * Fails when it takes longer. The driver ends an interrupted statement by asking the server to cancel it, and gives its
 * session up 5 seconds later. Neither region of the caller changes what is interrupted.
 */
export const bounded = <A, R>(
  effect: Effect.Effect<A, SqlError, R>,
  millis: number,
  operation = "execute"
): Effect.Effect<A, SqlError, R> =>
  Effect.raceFirst(effect, Effect.flatMap(expiry(millis), () => Effect.fail(silent(operation, millis))))

const ends = /^(ROLLBACK|RELEASE SAVEPOINT)/

/**
 * What a session had begun ends with it: a transaction that fails because its session was lost fails with that, not with a
 * ROLLBACK that can't be said any more. One that is not answered costs the session.
 */
const rolledBack = (text: string, error: SqlError): Effect.Effect<ReadonlyArray<never>, SqlError> => {
  const { _tag } = reasonOf(error)
  return _tag === "ConnectionLost" || (text === "ROLLBACK" && _tag === "Timeout")
    ? Effect.succeed([])
    : Effect.fail(error)
}

const connectionOf = (session: PgConnection.PgConnection, timeout: number): Connection => {
  const query = (text: string, params: ReadonlyArray<unknown>, prepare = true) =>
    bounded(session.query(text, params, prepare), timeout)
  const values = (text: string, params: ReadonlyArray<unknown>, prepare = true) =>
    bounded(session.queryValues(text, params, prepare), timeout)
  return {
    execute: (text, params, transform) => {
      const rows = Effect.map(query(text, params), ({ rows }) => transform === undefined ? rows : transform(rows))
      return ends.test(text) ? rows.pipe(Effect.catch((error) => rolledBack(text, error))) : rows
    },
    executeUnprepared: (text, params, transform) =>
      Effect.map(query(text, params, false), ({ rows }) => transform === undefined ? rows : transform(rows)),
    executeRaw: query,
    executeValues: values,
    executeValuesUnprepared: (text, params) => values(text, params, false),
    executeStream: (text, params) => session.stream(text, params)
  }
}

const commandOf = (result: unknown): unknown =>
  typeof result === "object" && result !== null && "command" in result ? result.command : undefined

/** PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK. */
const commit = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) => {
    if (commandOf(result) !== "ROLLBACK") return Effect.void
    const message = "the transaction had failed and was rolled back"
    return Effect.fail(
      new SqlError({ reason: new ConnectionError({ cause: new Error(message), message, operation: "commit" }) })
    )
  })

/** The number of rows that a raw result has changed. */
export const changesOf = (result: unknown): number =>
  typeof result === "object" && result !== null && "rowCount" in result ? Number(result.rowCount) : 0

/** Opens the pool; a session is opened when the first statement needs it. */
export const makeClient = (
  driver: Driver,
  { namespace, pool: config, statementTimeout }: Settings
): Effect.Effect<Client.SqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.flatMap(driver.pool.make(config), (pool) =>
    Client.make({
      acquirer: Effect.map(pool.get, (session) => connectionOf(session, statementTimeout)),
      borrower: (use) => pool.use((session) => use(connectionOf(session, statementTimeout))),
      transactionAcquirer: Effect.map(pool.reserve, (session) => connectionOf(session, statementTimeout)),
      compiler: driver.client.makeCompiler(),
      driver: "pg",
      prepareTransactionControls: true,
      commit,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      spanAttributes: [
        ["db.system.name", "postgresql"],
        ...(namespace === undefined ? [] : [["db.namespace", namespace] as const])
      ]
    }))
