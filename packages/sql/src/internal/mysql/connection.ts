/**
 * One connection to MariaDB or MySQL over `mysql2`, as effect's SQL client wants it.
 *
 *     open ──lost, late, interrupted──▶ given up: every statement fails with the reason, the pool replaces it
 *
 *     no transaction ──BEGIN──▶ open ──COMMIT, ROLLBACK──▶ no transaction
 *                                │
 *                                └──deadlock──▶ over: the server has rolled back all of it. What follows would commit by
 *                                               itself, so that it fails with the deadlock, COMMIT too
 *
 * A statement that is interrupted or late leaves an answer on the wire: the connection is given up, the server is asked
 * to stop, and ends its transaction. A statement outside of a transaction that a deadlock has undone is tried again; it
 * had no effect.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type * as mysql2 from "mysql2"
import type { Socket } from "node:net"
import type { Connection, Row, SqlError } from "../effectSql.ts"
import { connectionError, isFatal, isRolledBack, sqlError, timeoutError } from "./sqlError.ts"

type Transform = (<A extends object>(row: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

// Tries of a statement that deadlocks undo, the first included.
const mostTries = 10
// Milliseconds for each try so far; a random part of them is waited.
const pause = 10
// Rows that a stream may have read ahead.
const ahead = 256

const begins = /^\s*(begin|start\s+transaction)\b/i
const ends = /^\s*(commit|rollback(?!\s+(work\s+)?to))\b/i
// Texts that begin or end transactions are short.
const longestControl = 200

const toInput = (value: unknown): string | number | boolean | null | Date | Buffer => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value
    case "bigint":
      return value.toString()
    case "undefined":
      return null
    default:
      if (value === null || value instanceof Date) return value
      if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      throw new TypeError(`a value of type ${typeof value} cannot be bound to a parameter`)
  }
}

const rowsOf = (result: unknown): ReadonlyArray<Row> => Array.isArray(result) ? result : []
const valuesOf = (result: unknown): ReadonlyArray<ReadonlyArray<unknown>> => Array.isArray(result) ? result : []

export class MysqlConnection implements Connection {
  private readonly connection: mysql2.Connection
  private readonly socket: Socket
  /** Asks the server to stop what a session is at. */
  private readonly stop: (thread: number) => void
  /** Milliseconds. */
  private readonly patience: number
  private readonly watching = new Set<(error: SqlError) => void>()
  private gaveUp: SqlError | undefined
  private transaction: "none" | "open" | SqlError = "none"

  constructor(connection: mysql2.Connection, socket: Socket, patience: number, stop: (thread: number) => void) {
    this.connection = connection
    this.socket = socket
    this.stop = stop
    this.patience = patience
    // Also what is lost while nothing is asked.
    const lost = (error?: unknown) => this.giveUp(sqlError(error ?? closed, "connection"))
    connection.on("error", lost)
    connection.on("end", lost)
  }

  get isUsable(): boolean {
    return this.gaveUp === undefined
  }

  /** Whether there is a transaction to roll back. */
  get isTransaction(): boolean {
    return this.gaveUp === undefined && this.transaction === "open"
  }

  /** Before it goes back to the pool: a transaction that somebody has left open must not be the next one's. */
  returned(): void {
    if (this.transaction === "open") this.giveUp(connectionError("a transaction was left open", "release"))
    this.transaction = "none"
  }

  /** Gives up in the middle of a statement: the server should not go on with it. */
  private abandon(error: SqlError): void {
    if (this.gaveUp !== undefined) return
    this.giveUp(error)
    this.stop(this.connection.threadId)
  }

  giveUp(error: SqlError): void {
    if (this.gaveUp !== undefined) return
    this.gaveUp = error
    this.connection.destroy()
    this.socket.destroy()
    const watching = Array.from(this.watching)
    this.watching.clear()
    for (const fail of watching) fail(error)
  }

  /** Says goodbye, and does not wait for an answer for longer than `within` milliseconds. */
  close(within: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.gaveUp !== undefined) return resume(Effect.void)
      const timer = setTimeout(() => done(), within)
      const done = () => {
        clearTimeout(timer)
        this.giveUp(connectionError("the connection is closed", "close"))
        resume(Effect.void)
      }
      this.connection.end(done)
    })
  }

  /** Ends the transaction. When it is not known whether it is committed, the connection is given up. */
  get commit(): Effect.Effect<void, SqlError> {
    return Effect.asVoid(Effect.tapError(this.query("commit", "COMMIT", [], false), (error) =>
      Effect.sync(() => {
        if (!isRolledBack(error)) this.giveUp(error)
      })))
  }

  execute(text: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return this.rows("execute", text, params, transform)
  }

  executeUnprepared(text: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return this.rows("executeUnprepared", text, params, transform)
  }

  executeRaw(text: string, params: ReadonlyArray<unknown>) {
    return this.again(this.query("executeRaw", text, params, false))
  }

  executeValues(text: string, params: ReadonlyArray<unknown>) {
    return Effect.map(this.again(this.query("executeValues", text, params, true)), valuesOf)
  }

  executeValuesUnprepared(text: string, params: ReadonlyArray<unknown>) {
    return this.executeValues(text, params)
  }

  executeStream(text: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return Stream.unwrap(Effect.sync(() => {
      const rows = this.reader(text, params)
      const next = Effect.map(
        rows.next,
        (row) =>
          row === undefined ? undefined : [transform === undefined ? row : transform([row])[0], undefined] as const
      )
      return Stream.ensuring(Stream.unfold(undefined, () => next), Effect.sync(rows.end))
    }))
  }

  private rows(operation: string, text: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return Effect.map(this.again(this.query(operation, text, params, false)), (result) => {
      const rows = rowsOf(result)
      return transform === undefined ? rows : transform(rows)
    })
  }

  /** Again what a deadlock has undone, where that was all of it. */
  private again<A>(statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    const attempt = (tries: number): Effect.Effect<A, SqlError> =>
      Effect.catchIf(statement, isRolledBack, (error) =>
        this.transaction === "none" && tries < mostTries
          ? Effect.andThen(pauseAfter(tries), attempt(tries + 1))
          : Effect.fail(error))
    return Effect.suspend(() => this.transaction === "none" ? attempt(1) : statement)
  }

  private query(
    operation: string,
    text: string,
    params: ReadonlyArray<unknown>,
    rowsAsArray: boolean
  ): Effect.Effect<unknown, SqlError> {
    return Effect.callback<unknown, SqlError>((resume) => {
      const ending = text.length <= longestControl && ends.test(text)
      const refused = this.gaveUp ?? this.overWith(ending)
      if (refused !== undefined) return resume(Effect.fail(refused))
      let isOpen = true
      const settle = (exit: Effect.Effect<unknown, SqlError>) => {
        if (!isOpen) return
        isOpen = false
        clearTimeout(timer)
        this.watching.delete(fail)
        resume(exit)
      }
      const fail = (error: SqlError) => settle(Effect.fail(error))
      const timer = setTimeout(
        () =>
          this.abandon(timeoutError(`no answer within ${this.patience} ms; the connection was given up`, operation)),
        this.patience
      )
      this.watching.add(fail)
      const answer = (error: unknown, result: unknown) => {
        if (error === null || error === undefined) {
          this.moved(text, ending)
          return settle(Effect.succeed(result))
        }
        const failure = sqlError(error, operation)
        if (isFatal(error)) return this.giveUp(failure)
        if (isRolledBack(failure) && this.transaction === "open") this.transaction = failure
        return fail(failure)
      }
      try {
        // Transaction control cannot be prepared everywhere.
        if (params.length === 0) this.connection.query({ sql: text, rowsAsArray }, answer)
        else this.connection.execute({ sql: text, rowsAsArray, values: params.map(toInput) }, answer)
      } catch (error) {
        fail(sqlError(error, operation))
      }
      return Effect.sync(() => {
        if (isOpen) this.abandon(connectionError("a statement was interrupted; the connection was given up", operation))
      })
    })
  }

  /** A transaction that the server has rolled back takes no more statements; its end is told once. */
  private overWith(ending: boolean): SqlError | undefined {
    if (typeof this.transaction === "string") return undefined
    const error = this.transaction
    if (ending) this.transaction = "none"
    return error
  }

  private moved(text: string, ending: boolean): void {
    if (ending) this.transaction = "none"
    else if (text.length <= longestControl && begins.test(text)) this.transaction = "open"
  }

  /** The rows of one result as they come, with a bound on what is read ahead. */
  private reader(text: string, params: ReadonlyArray<unknown>) {
    const rows: Array<Row> = []
    let state: "reading" | "ended" | SqlError = "reading"
    let waiting: (() => void) | undefined
    let paused = false
    const wake = () => {
      const resume = waiting
      waiting = undefined
      resume?.()
    }
    const fail = (error: SqlError) => {
      if (state === "reading") state = error
      wake()
    }
    const finish = () => {
      this.watching.delete(fail)
      if (state === "reading") state = "ended"
      wake()
    }
    if (this.gaveUp !== undefined) state = this.gaveUp
    else {
      this.watching.add(fail)
      const command = params.length === 0
        ? this.connection.query(text)
        : this.connection.execute(text, params.map(toInput))
      command.on("result", (row: Row) => {
        rows.push(row)
        if (rows.length >= ahead && !paused) {
          paused = true
          this.connection.pause()
        }
        wake()
      })
      command.on("error", (error: unknown) => {
        const failure = sqlError(error, "executeStream")
        if (isFatal(error)) this.giveUp(failure)
        fail(failure)
      })
      command.on("end", finish)
    }
    const take: Effect.Effect<Row | undefined, SqlError> = Effect.suspend(() => {
      const row = rows.shift()
      if (row !== undefined) {
        if (paused && rows.length === 0) {
          paused = false
          this.connection.resume()
        }
        return Effect.succeed(row)
      }
      if (state === "ended") return Effect.undefined
      if (state !== "reading") return Effect.fail(state)
      return Effect.andThen(more, take)
    })
    const more = Effect.callback<void>((resume) => {
      const timer = setTimeout(
        () =>
          this.abandon(timeoutError(`no row within ${this.patience} ms; the connection was given up`, "executeStream")),
        this.patience
      )
      waiting = () => {
        clearTimeout(timer)
        resume(Effect.void)
      }
      return Effect.sync(() => {
        clearTimeout(timer)
        waiting = undefined
      })
    })
    const end = () => {
      if (paused) this.connection.resume()
      // The rest of the result is still to come: what is left of it is not read.
      if (state === "reading") this.abandon(connectionError("a stream was left before its end", "executeStream"))
    }
    return { next: take, end }
  }
}

const closed = Object.assign(new Error("the server closed the connection"), { code: "PROTOCOL_CONNECTION_LOST" })

const pauseAfter = (tries: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (part) => Effect.sleep(part * pause * tries))
