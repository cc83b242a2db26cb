/**
 * PostgreSQL, on the package `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import type { MissingClient } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Database } from "./Database.ts"
import { Client, Reactivity, type SqlError } from "./internal/effectSql.ts"
import { makeClient } from "./internal/postgres/client.ts"
import { dialect } from "./internal/postgres/dialect.ts"
import { load } from "./internal/postgres/driver.ts"
import { openListener, serverClock } from "./internal/postgres/listener.ts"
import { settingsOf } from "./internal/postgres/settings.ts"
import type { OptionsError } from "./OptionsError.ts"

/**
 * How a connection is encrypted. The server's certificate and its name are always verified.
 *
 * **Details**
 * - `ca`: the certificates to trust, in PEM; those of Node unless given.
 * - `cert`, `key`: this client's own certificate and its key, in PEM, where the server asks for them.
 * - `servername`: the name that the certificate must have; the host unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tls {
  readonly ca?: string | ReadonlyArray<string> | undefined
  readonly cert?: string | undefined
  readonly key?: Redacted.Redacted | undefined
  readonly servername?: string | undefined
}

/**
 * How a PostgreSQL database is reached.
 *
 * **Details**
 * - `url`: `postgres://user:password@host:port/database`, as libpq takes it; the other options say more than it.
 * - `host`, `port`: `localhost` and 5432 unless given. A host that begins with `/` is the folder of a local socket.
 * - `username`, `password`, `database`: as whom to connect, and to what; `postgres` and the name of the user unless given.
 * - `schema`: the schema of the connectors' tables; the server's search path unless given. It has to be there.
 * - `tls`: `true` or options: encrypted, or not at all. Off unless given, here or in the `url` (`sslmode=require`).
 * - `connections`: the most that are open at the same time, at least 2; 10 unless given. Listening for notifications takes
 *   one more.
 * - `connectTimeout`: 10 seconds unless given.
 * - `statementTimeout`: how long a statement may take; 30 seconds unless given. A session that does not answer in that
 *   time, and within 5 seconds after it was asked to cancel, is given up; its statement may have taken effect.
 * - `idle`: after how long a session that nobody uses is closed; 1 minute unless given.
 * - `watch`: how often it is made sure that notifications are heard; 15 seconds unless given.
 * - `prepare`: whether statements are prepared; `true` unless given. `false` for a pooler of transactions without support
 *   for prepared statements.
 * - `applicationName`: what `pg_stat_activity` says of its sessions; `ergon` unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly url?: Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly database?: string | undefined
  readonly schema?: string | undefined
  readonly tls?: boolean | Tls | undefined
  readonly connections?: number | undefined
  readonly connectTimeout?: Duration.Input | undefined
  readonly statementTimeout?: Duration.Input | undefined
  readonly idle?: Duration.Input | undefined
  readonly watch?: Duration.Input | undefined
  readonly prepare?: boolean | undefined
  readonly applicationName?: string | undefined
}

/**
 * Connects to a PostgreSQL database, with a pool of sessions.
 *
 * **Details**
 * Provides the `Database` of the connectors, and effect's `SqlClient` for your own statements. Sessions are opened as they
 * are needed, and a lost one is replaced at its next use. A queue's waiting fetch is woken by a notification
 * when anybody enqueues; a session that has silently stopped to hear them is noticed within `watch` and 10 seconds, and
 * meanwhile the queue is looked at every `poll`.
 *
 * Fails with `MissingClient` when `@effect/sql-pg` is not installed, with `OptionsError` for an option that cannot be, and
 * with `SqlError` when the server cannot be reached or refuses the credentials.
 *
 * **Example** (Statements of your own)
 * ```ts no-run="needs a PostgreSQL"
 * import { Database, Postgres } from "@ergon/sql"
 * import { Effect, Redacted } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { sql } = yield* Database.Database
 *   return yield* sql`SELECT 1 + ${1} AS two`
 * })
 * const layer = Postgres.layer({ host: "db", username: "shop", password: Redacted.make("secret"), database: "shop" })
 * await Effect.runPromise(Effect.provide(program, layer)) // => [{ two: 2 }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Client.SqlClient | Database, SqlError | MissingClient.MissingClient | OptionsError> =>
  Layer.effectContext(open(options))

/**
 * What `layerConfig` reads: `URL`, `HOST`, `PORT`, `USERNAME`, `PASSWORD`, `DATABASE`, `SCHEMA`, `TLS`, `TLS_CA`,
 * `TLS_CERT`, `TLS_KEY` (in PEM), `TLS_SERVERNAME`, `CONNECTIONS`, `CONNECT_TIMEOUT`, `STATEMENT_TIMEOUT`, `IDLE`,
 * `WATCH`, `PREPARE`, `APPLICATION_NAME`, under this prefix; all of them may be left out where the `URL` or a default
 * says enough.
 *
 * @category config
 * @since 0.1.0
 */
export const config = (prefix: string = "POSTGRES"): Config.Config<Options> => {
  const text = (name: string) => given(Config.NonEmptyString(name))
  const secret = (name: string) => given(Config.Redacted(name))
  const duration = (name: string) => given(Config.Duration(name))
  const settings = Config.all({
    url: secret("URL"),
    host: text("HOST"),
    port: given(Config.Port("PORT")),
    username: text("USERNAME"),
    password: secret("PASSWORD"),
    database: text("DATABASE"),
    schema: text("SCHEMA"),
    tls: given(Config.Boolean("TLS")),
    ca: text("TLS_CA"),
    cert: text("TLS_CERT"),
    key: secret("TLS_KEY"),
    servername: text("TLS_SERVERNAME"),
    connections: given(Config.Int("CONNECTIONS")),
    connectTimeout: duration("CONNECT_TIMEOUT"),
    statementTimeout: duration("STATEMENT_TIMEOUT"),
    idle: duration("IDLE"),
    watch: duration("WATCH"),
    prepare: given(Config.Boolean("PREPARE")),
    applicationName: text("APPLICATION_NAME")
  })
  return Config.nested(
    Config.map(settings, ({ ca, cert, key, servername, tls, ...rest }) => {
      const more = [ca, cert, key, servername].some((one) => one !== undefined)
      return { ...rest, tls: tls !== false && more ? { ca, cert, key, servername } : tls }
    }),
    prefix
  )
}

const given = <A>(config: Config.Config<A>): Config.Config<A | undefined> =>
  Config.map(Config.option(config), Option.getOrUndefined)

/**
 * As `layer`, with options from the configuration: `config` with the prefix `POSTGRES` unless given another one.
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
    const settings = yield* settingsOf(options)
    const driver = yield* load()
    const clock = yield* Clock.Clock
    const sql = yield* makeClient(driver, settings)
    let offset = 0
    const hears = (now: number) => void (offset = Math.round(now - clock.currentTimeMillisUnsafe()))
    const [row] = yield* sql.unsafe<{ readonly now: number }>(`SELECT ${serverClock} AS now`)
    if (row !== undefined) hears(row.now)
    const changes = yield* openListener(driver, {
      sql,
      config: settings.pool,
      watch: settings.watch,
      clock: hears
    })
    return Context.make(Client.SqlClient, sql).pipe(
      Context.add(Database, { sql, dialect, changes, clockOffset: () => offset })
    )
  }).pipe(Effect.provide(Reactivity.layer))
