/**
 * MariaDB and MySQL, on the package `mysql2`.
 *
 * @since 0.1.0
 */
import type { MissingClient } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { format } from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Database } from "./Database.ts"
import { Changes } from "./internal/changes.ts"
import { Client, Reactivity, type SqlError } from "./internal/effectSql.ts"
import { makeClient } from "./internal/mysql/client.ts"
import { dialectOf } from "./internal/mysql/dialect.ts"
import { load } from "./internal/mysql/driver.ts"
import { flavorOf } from "./internal/mysql/names.ts"
import { openPool, type PoolOptions } from "./internal/mysql/pool.ts"
import { OptionsError } from "./OptionsError.ts"

/**
 * How a connection is encrypted. The server's certificate and its name are always verified.
 *
 * **Details**
 * - `ca`: the certificates to trust, in PEM; those of Node unless given.
 * - `cert`, `key`: this client's own certificate and its key, in PEM, where the server asks for them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tls {
  readonly ca?: string | ReadonlyArray<string> | undefined
  readonly cert?: string | undefined
  readonly key?: Redacted.Redacted | undefined
}

/**
 * How a MariaDB or MySQL database is reached.
 *
 * **Details**
 * - `url`: `mysql://user:password@host:port/database`; the other options say more than it.
 * - `host`, `port`: `localhost` and 3306 unless given; `socketPath` instead of both for a local socket.
 * - `username`, `password`: as whom to connect. `database`: required, here or in the `url`.
 * - `tls`: `true` or options: encrypted, or not at all. Off unless given.
 * - `connections`: the most that are open at the same time; 10 unless given.
 * - `connectTimeout`: 10 seconds unless given.
 * - `statementTimeout`: how long a statement may take; 30 seconds unless given. A connection that does not answer in that
 *   time is given up, and its statement may have taken effect.
 * - `lockTimeout`: how long a statement waits for a lock of another transaction, in whole seconds; 10 seconds unless given.
 * - `idle`: after how long a connection that nobody uses is closed; 1 minute unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly url?: Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly socketPath?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly database?: string | undefined
  readonly tls?: boolean | Tls | undefined
  readonly connections?: number | undefined
  readonly connectTimeout?: Duration.Input | undefined
  readonly statementTimeout?: Duration.Input | undefined
  readonly lockTimeout?: Duration.Input | undefined
  readonly idle?: Duration.Input | undefined
}

/**
 * Connects to a MariaDB or MySQL database, with a pool of connections.
 *
 * **Details**
 * Provides the `Database` of the connectors, and effect's `SqlClient` for your own statements. Sessions are `READ
 * COMMITTED`, strict, in UTC and utf8mb4. A lost connection is replaced at its next use. A statement outside of a
 * transaction that a deadlock has undone is tried again, at most 10 times; a transaction fails with a `SqlError` whose
 * `reason` is a `DeadlockError`, and whoever began it may begin it again.
 *
 * Fails with `MissingClient` when `mysql2` is not installed, with `OptionsError` for an option that cannot be, and with
 * `SqlError` when the server cannot be reached or refuses the credentials.
 *
 * **Example** (Statements of your own)
 * ```ts no-check="it needs a server"
 * import { Database, Mysql } from "@ergon/sql"
 * import { Effect, Redacted } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { sql } = yield* Database.Database
 *   return yield* sql`SELECT 1 + ${1} AS two`
 * })
 * const layer = Mysql.layer({ host: "db", username: "shop", password: Redacted.make("secret"), database: "shop" })
 * await Effect.runPromise(Effect.provide(program, layer)) // => [{ two: 2 }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<Client.SqlClient | Database, SqlError | MissingClient.MissingClient | OptionsError> =>
  Layer.effectContext(open(options))

/**
 * What `layerConfig` reads: `URL`, `HOST`, `PORT`, `SOCKET_PATH`, `USERNAME`, `PASSWORD`, `DATABASE`, `TLS`, `TLS_CA`,
 * `TLS_CERT`, `TLS_KEY` (in PEM), `CONNECTIONS`, `CONNECT_TIMEOUT`, `STATEMENT_TIMEOUT`, `LOCK_TIMEOUT`, `IDLE`, under
 * this prefix; all of them may be left out where the `URL` or a default says enough.
 *
 * @category config
 * @since 0.1.0
 */
export const config = (prefix: string = "MYSQL"): Config.Config<Options> => {
  const text = (name: string) => given(Config.NonEmptyString(name))
  const secret = (name: string) => given(Config.Redacted(name))
  const duration = (name: string) => given(Config.Duration(name))
  const settings = Config.all({
    url: secret("URL"),
    host: text("HOST"),
    port: given(Config.Port("PORT")),
    socketPath: text("SOCKET_PATH"),
    username: text("USERNAME"),
    password: secret("PASSWORD"),
    database: text("DATABASE"),
    tls: given(Config.Boolean("TLS")),
    ca: text("TLS_CA"),
    cert: text("TLS_CERT"),
    key: secret("TLS_KEY"),
    connections: given(Config.Int("CONNECTIONS")),
    connectTimeout: duration("CONNECT_TIMEOUT"),
    statementTimeout: duration("STATEMENT_TIMEOUT"),
    lockTimeout: duration("LOCK_TIMEOUT"),
    idle: duration("IDLE")
  })
  return Config.nested(
    Config.map(settings, ({ ca, cert, key, tls, ...rest }) => {
      const more = ca !== undefined || cert !== undefined || key !== undefined
      return { ...rest, tls: tls !== false && more ? { ca, cert, key } : tls }
    }),
    prefix
  )
}

const given = <A>(config: Config.Config<A>): Config.Config<A | undefined> =>
  Config.map(Config.option(config), Option.getOrUndefined)

/**
 * As `layer`, with options from the configuration: `config` with the prefix `MYSQL` unless given another one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Config<Options> = config()
): Layer.Layer<
  Client.SqlClient | Database,
  SqlError | MissingClient.MissingClient | OptionsError | Config.ConfigError
> => Layer.effectContext(Effect.flatMap(options, open))

const open = (
  options: Options
): Effect.Effect<
  Context.Context<Client.SqlClient | Database>,
  SqlError | MissingClient.MissingClient | OptionsError,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const driver = yield* load()
    const settings = yield* settingsOf(options)
    const pool = yield* openPool(driver, settings)
    const sql = yield* makeClient(pool, settings)
    const version = yield* versionOf(sql)
    let clockOffset = yield* offsetOf(sql)
    // Clocks are set now and then; an offset that is not known anew stays as it was.
    const again = Effect.map(offsetOf(sql), (offset) => {
      clockOffset = offset
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(clockCheck), Effect.ignore(again))))
    return Context.make(Client.SqlClient, sql).pipe(
      Context.add(Database, {
        sql,
        dialect: dialectOf(flavorOf(version)),
        changes: new Changes(),
        clockOffset: () => clockOffset
      })
    )
  }).pipe(Effect.provide(Reactivity.layer))

const versionOf = (sql: Client.SqlClient): Effect.Effect<string, SqlError> =>
  Effect.map(sql<{ version: string }>`SELECT VERSION() AS version`, ([row]) => row?.version ?? "")

// How often the clock of the server is asked for.
const clockCheck = Duration.minutes(1)

/** By how many milliseconds the server's clock is ahead of ours. What a round trip may hide is no difference. */
const offsetOf = (sql: Client.SqlClient): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const before = yield* Clock.currentTimeMillis
    const [row] = yield* sql<{ now: number }>`SELECT ROUND(UNIX_TIMESTAMP(NOW(6)) * 1000) AS now`
    const after = yield* Clock.currentTimeMillis
    const offset = row === undefined ? 0 : Number(row.now) - (before + after) / 2
    return Math.abs(offset) <= after - before + 1 ? 0 : Math.round(offset)
  })

const settingsOf = (options: Options): Effect.Effect<PoolOptions, OptionsError> =>
  Effect.gen(function*() {
    const url = options.url === undefined ? undefined : yield* parse(options.url)
    const database = options.database ?? url?.database
    if (database === undefined || database === "") {
      return yield* new OptionsError({ option: "database", problem: "a database is needed, here or in the url" })
    }
    const port = options.port ?? url?.port ?? 3306
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return yield* new OptionsError({ option: "port", problem: `an integer from 1 to 65535, got ${format(port)}` })
    }
    const connections = options.connections ?? 10
    if (!Number.isInteger(connections) || connections < 2) {
      // One that is in a transaction must not keep everybody else from the server.
      return yield* new OptionsError({
        option: "connections",
        problem: `an integer of at least 2, got ${format(connections)}`
      })
    }
    const tls = options.tls ?? false
    const { ca, cert, key } = typeof tls === "boolean" ? {} : tls
    return {
      host: options.host ?? url?.host ?? "localhost",
      port,
      socketPath: options.socketPath,
      username: options.username ?? url?.username,
      password: options.password ?? url?.password,
      database,
      ssl: tls === false ? undefined : {
        rejectUnauthorized: true,
        verifyIdentity: true,
        ...(ca === undefined ? undefined : { ca: typeof ca === "string" ? ca : Array.from(ca) }),
        ...(cert === undefined ? undefined : { cert }),
        ...(key === undefined ? undefined : { key: Redacted.value(key) })
      },
      connections,
      connectTimeout: yield* millis("connectTimeout", options.connectTimeout ?? "10 seconds"),
      statementTimeout: yield* millis("statementTimeout", options.statementTimeout ?? "30 seconds"),
      lockTimeout: yield* millis("lockTimeout", options.lockTimeout ?? "10 seconds"),
      idle: yield* millis("idle", options.idle ?? "1 minute")
    }
  })

// The longest that a timer of Node can wait.
const longest = 2 ** 31 - 1

const millis = (option: string, input: Duration.Input): Effect.Effect<number, OptionsError> => {
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  return millis >= 1 && millis <= longest
    ? Effect.succeed(millis)
    : Effect.fail(
      new OptionsError({ option, problem: `a duration from 1 ms to 24 days, got ${format(input)}` })
    )
}

const parse = (url: Redacted.Redacted) =>
  Effect.suspend(() => {
    const refused = new OptionsError({
      option: "url",
      problem: "not of the form mysql://user:password@host:port/database"
    })
    const text = Redacted.value(url)
    if (!URL.canParse(text)) return Effect.fail(refused)
    const { hostname, password, pathname, port, protocol, username } = new URL(text)
    if (protocol !== "mysql:" && protocol !== "mariadb:") return Effect.fail(refused)
    return Effect.mapError(
      Effect.try({
        try: () => ({
          host: hostname === "" ? undefined : hostname.replace(/^\[(.*)\]$/, "$1"),
          port: port === "" ? undefined : Number(port),
          username: username === "" ? undefined : decodeURIComponent(username),
          password: password === "" ? undefined : Redacted.make(decodeURIComponent(password)),
          database: pathname.length > 1 ? decodeURIComponent(pathname.slice(1)) : undefined
        }),
        catch: () => refused
      }),
      () => refused
    )
  })
