/**
 * The connections of one database: made when they are needed, lent, and replaced where they were given up.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Pool from "effect/Pool"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { ConnectionOptions, SslOptions } from "mysql2"
import * as net from "node:net"
import * as tls from "node:tls"
import type { SqlError } from "../effectSql.ts"
import { MysqlConnection } from "./connection.ts"
import type { Driver } from "./driver.ts"
import { connectionError, sqlError } from "./sqlError.ts"

export interface PoolOptions {
  readonly host: string
  readonly port: number
  readonly socketPath: string | undefined
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly database: string
  readonly ssl: SslOptions | undefined
  readonly connections: number
  /** Milliseconds each. */
  readonly connectTimeout: number
  readonly statementTimeout: number
  readonly lockTimeout: number
  readonly idle: number
}

// Statements that one connection keeps prepared. The server bounds them over all connections of all processes.
const mostPrepared = 100
const keepAliveInitialDelay = 10_000
// A connection that says goodbye, of the 5 seconds that closing may take.
const goodbye = 1000

const where = ({ host, port, socketPath }: PoolOptions): string => socketPath ?? `${host}:${port}`

const open = (
  driver: Driver,
  options: PoolOptions,
  stop: (thread: number) => void
): Effect.Effect<MysqlConnection, SqlError> =>
  Effect.callback<MysqlConnection, SqlError>((resume) => {
    // Ours, so that giving up a connection closes it at once: the library waits for the server's goodbye.
    const socket = options.socketPath === undefined
      ? net.connect({ host: options.host, port: options.port, noDelay: true, keepAlive: true, keepAliveInitialDelay })
      : net.connect(options.socketPath)
    // Node verifies this name where the library gives none, which it does not for an address: "localhost" otherwise.
    if (options.ssl !== undefined) Object.assign(socket, { _host: options.host })
    const given: ConnectionOptions = {
      // The name that the server's certificate has to have.
      host: options.host,
      stream: () => socket,
      ...(options.username === undefined ? undefined : { user: options.username }),
      ...(options.password === undefined ? undefined : { password: Redacted.value(options.password) }),
      ...(options.ssl === undefined ? undefined : { ssl: options.ssl }),
      database: options.database,
      charset: "utf8mb4",
      // Times of the server are UTC, whatever this machine says.
      timezone: "Z",
      supportBigNumbers: true,
      jsonStrings: true,
      connectTimeout: options.connectTimeout,
      maxPreparedStatements: mostPrepared,
      // A server could ask for files of this machine. Rows that a statement leaves as they are are not counted.
      flags: ["-LOCAL_FILES", "-FOUND_ROWS"],
      trace: false
    }
    let isOpen = true
    const settle = (exit: Effect.Effect<MysqlConnection, SqlError>) => {
      if (!isOpen) return
      isOpen = false
      clearTimeout(timer)
      resume(exit)
    }
    const refuse = (error: SqlError) => {
      if (!isOpen) return
      settle(Effect.fail(error))
      socket.destroy()
    }
    // The library's own bound ends with the first byte of the server.
    const timer = setTimeout(
      () => refuse(connectionError(`${where(options)} did not answer within ${options.connectTimeout} ms`, "connect")),
      options.connectTimeout
    )
    try {
      const connection = driver.createConnection(given)
      connection.on("error", (error) => refuse(sqlError(error, "connect")))
      connection.connect((error) => {
        if (error !== null) return refuse(sqlError(error, "connect"))
        const stranger = identityProblem(connection, options)
        if (stranger !== undefined) return refuse(stranger)
        return settle(Effect.succeed(new MysqlConnection(connection, socket, options.statementTimeout, stop)))
      })
    } catch (error) {
      refuse(sqlError(error, "connect"))
    }
    return Effect.sync(() => {
      isOpen = false
      clearTimeout(timer)
      socket.destroy()
    })
  })

/** Whether the certificate is that of the host, also where that is an address. */
const identityProblem = (connection: object, { host, ssl }: PoolOptions): SqlError | undefined => {
  if (ssl === undefined) return undefined
  const stream: unknown = Reflect.get(connection, "stream")
  const problem = !(stream instanceof tls.TLSSocket)
    ? Object.assign(new Error("the connection is not encrypted"), { code: "HANDSHAKE_NO_SSL_SUPPORT" })
    // A session that is resumed is that of a connection whose certificate was verified.
    : stream.isSessionReused()
    ? undefined
    : tls.checkServerIdentity(host, stream.getPeerCertificate())
  return problem === undefined ? undefined : sqlError(problem, "connect")
}

/** What every session of ours agrees on, whatever the server's defaults. */
const prepare = (connection: MysqlConnection, options: PoolOptions): Effect.Effect<void, SqlError> =>
  Effect.andThen(
    // Cut texts would be two ids made one.
    connection.executeUnprepared(
      `SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00',
        innodb_lock_wait_timeout = ${Math.max(1, Math.ceil(options.lockTimeout / 1000))}`,
      [],
      undefined
    ),
    // Fewer locks on gaps: claims and enqueueing deadlock less.
    Effect.asVoid(connection.executeUnprepared("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", [], undefined))
  )

export interface Lending {
  readonly acquirer: Effect.Effect<MysqlConnection, SqlError, Scope.Scope>
  readonly borrower: <A, E, R>(
    use: (connection: MysqlConnection) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SqlError, R>
}

/** Asks for a statement to be stopped, over a connection of its own. Where that fails, it goes on to its end. */
const stopping = (driver: Driver, options: PoolOptions, thread: number): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    open(driver, options, () => {}),
    (connection) => connection.executeUnprepared(`KILL QUERY ${thread}`, [], undefined),
    (connection) => connection.close(goodbye)
  ).pipe(Effect.ignore)

/** Its connections end with the scope. */
export const openPool = (driver: Driver, options: PoolOptions): Effect.Effect<Lending, never, Scope.Scope> =>
  Effect.flatMap(FiberSet.makeRuntime<never>(), (run) => lending(driver, options, (effect) => void run(effect)))

const lending = (
  driver: Driver,
  options: PoolOptions,
  run: (effect: Effect.Effect<void>) => void
): Effect.Effect<Lending, never, Scope.Scope> =>
  Effect.map(
    Pool.makeWithTTL({
      acquire: Effect.acquireRelease(
        open(driver, options, (thread) => run(stopping(driver, options, thread))),
        (connection) => connection.close(goodbye)
      ).pipe(
        Effect.tap((connection) => prepare(connection, options))
      ),
      min: 0,
      max: options.connections,
      timeToLive: Duration.millis(options.idle)
    }),
    (pool) => {
      const back = (connection: MysqlConnection) => {
        connection.returned()
        return connection.isUsable ? Effect.void : Pool.invalidate(pool, connection)
      }
      // One that was lost while nobody used it is replaced.
      const acquirer: Lending["acquirer"] = Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(Pool.get(pool)), (connection) =>
          Effect.andThen(
            Effect.addFinalizer(() => back(connection)),
            connection.isUsable ? Effect.succeed(connection) : restore(acquirer)
          ))
      )
      const borrower: Lending["borrower"] = (use) =>
        Effect.flatten(Pool.use(pool, (connection) =>
          connection.isUsable
            ? Effect.map(Effect.onExit(use(connection), () => back(connection)), (value) => Effect.succeed(value))
            : Effect.as(back(connection), Effect.suspend(() => borrower(use)))))
      return { acquirer, borrower }
    }
  )
