/**
 * One connection to a SQLite file over `node:sqlite`, as effect's SQL client wants it.
 *
 * Everything here is synchronous but for one wait: a database that another process has locked is tried again after a
 * few milliseconds, without blocking the event loop, for at most `busy`. Inside a transaction nothing waits: it began
 * with the write lock.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { classifySqliteError, type Connection, type Row, SqlError } from "../effectSql.ts"
import { resultCode } from "./resultCode.ts"

export interface ConnectionOptions {
  readonly filename: string
  readonly synchronous: "full" | "normal"
  /** Milliseconds. */
  readonly busy: number
}

export interface SqliteConnection extends Connection {
  /** Whether a transaction is open. */
  readonly isTransaction: () => boolean
}

const inMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

// How long SQLite itself waits for a lock: this blocks the event loop.
const blocking = 10
// Between two tries, which do not block.
const pause = Duration.millis(5)
const mostStatements = 500

const toInput = (value: unknown): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
      return value
    case "boolean":
      return value ? 1 : 0
    case "undefined":
      return null
    default:
      if (value === null || value instanceof Uint8Array) return value
      if (value instanceof Date) return value.toISOString()
      throw new TypeError(`a value of type ${typeof value} cannot be bound to a SQLite parameter`)
  }
}

const sqlError = (cause: unknown, operation: string, about: string): SqlError => {
  const reason = classifySqliteError(
    cause instanceof Error ? Object.assign(cause, { errno: resultCode(cause) }) : cause,
    { message: `${about}${cause instanceof Error ? cause.message : String(cause)}`, operation }
  )
  return new SqlError({ reason })
}

const isBusy = (cause: unknown): boolean => {
  const code = resultCode(cause) & 0xff
  return code === 5 || code === 6
}

/** Opens the file, making its folder where it is missing. Fails after `busy` when it stays locked. */
export const open = (options: ConnectionOptions): Effect.Effect<SqliteConnection, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const retrying = <A>(
      operation: string,
      attempt: () => A,
      mayWait: () => boolean,
      about = ""
    ): Effect.Effect<A, SqlError> => {
      let until: number | undefined
      const once: Effect.Effect<A, SqlError> = Effect.suspend(() => {
        try {
          return Effect.succeed(attempt())
        } catch (cause) {
          const now = clock.currentTimeMillisUnsafe()
          until ??= now + options.busy
          return isBusy(cause) && mayWait() && now < until
            ? Effect.flatMap(clock.sleep(pause), () => once)
            : Effect.fail(sqlError(cause, operation, about))
        }
      })
      return once
    }

    const database = yield* Effect.acquireRelease(
      retrying("open", () => openDatabase(options), () => true, `${options.filename}: `),
      (database) => Effect.sync(() => database.close())
    )
    const statements = new Map<string, StatementSync>()
    const prepare = (sql: string): StatementSync => {
      const found = statements.get(sql)
      if (found !== undefined) return found
      const statement = database.prepare(sql)
      if (statements.size >= mostStatements) {
        const oldest = statements.keys().next()
        if (oldest.done !== true) statements.delete(oldest.value)
      }
      statements.set(sql, statement)
      return statement
    }
    const isTransaction = () => database.isTransaction
    const mayWait = () => !database.isTransaction
    const run = <A>(
      operation: string,
      statement: (sql: string) => StatementSync,
      sql: string,
      params: ReadonlyArray<unknown>,
      read: (statement: StatementSync, params: Array<SQLInputValue>) => A
    ) => retrying(operation, () => read(statement(sql), params.map(toInput)), mayWait)
    const fresh = (sql: string) => database.prepare(sql)
    const all = (statement: StatementSync, params: Array<SQLInputValue>): ReadonlyArray<Row> => statement.all(...params)
    const values = (statement: StatementSync, params: Array<SQLInputValue>): ReadonlyArray<ReadonlyArray<unknown>> =>
      statement.all(...params).map((row) => Object.values(row))

    return {
      isTransaction,
      execute: (sql, params, transform) =>
        Effect.map(
          run("execute", prepare, sql, params, all),
          (rows) => transform === undefined ? rows : transform(rows)
        ),
      executeUnprepared: (sql, params, transform) =>
        Effect.map(run("execute", fresh, sql, params, all), (rows) => transform === undefined ? rows : transform(rows)),
      executeRaw: (sql, params) =>
        run("executeRaw", prepare, sql, params, (statement, params) => statement.run(...params)),
      executeValues: (sql, params) => run("executeValues", prepare, sql, params, values),
      executeValuesUnprepared: (sql, params) => run("executeValues", fresh, sql, params, values),
      executeStream: (sql, params, transform) =>
        Stream.unwrap(Effect.map(
          run("executeStream", fresh, sql, params, (statement, params) => statement.iterate(...params)),
          (rows) => {
            const next = Effect.suspend(() => {
              try {
                const { done, value } = rows.next()
                if (done === true) return Effect.undefined
                return Effect.succeed([transform === undefined ? value : transform([value])[0], undefined] as const)
              } catch (cause) {
                return Effect.fail(sqlError(cause, "executeStream", ""))
              }
            })
            // An iterator that is left open keeps its place in the file.
            return Stream.ensuring(Stream.unfold(undefined, () => next), Effect.sync(() => void rows.return?.()))
          }
        ))
    }
  })

const openDatabase = ({ filename, synchronous }: ConnectionOptions): DatabaseSync => {
  if (!inMemory(filename)) fs.mkdirSync(path.dirname(path.resolve(filename)), { recursive: true })
  const database = new DatabaseSync(filename, { timeout: blocking })
  try {
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous.toUpperCase()}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
