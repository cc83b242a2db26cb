/**
 * The options of a PostgreSQL database, checked: what cannot be is named before anything is connected.
 */
import type { PgConnection } from "@effect/sql-pg"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { format } from "effect/Formatter"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { OptionsError } from "../../OptionsError.ts"
import type { Options } from "../../Postgres.ts"
import type { Settings } from "./client.ts"

/** A session that is silent while nothing is sent is tried after this time. */
const keepAlive = Duration.seconds(30)

/** As large as PostgreSQL lets a value be: a message that was enqueued must be readable. */
const maxMessageSize = 2 ** 30

export const settingsOf = (options: Options): Effect.Effect<Settings & { readonly watch: number }, OptionsError> =>
  Effect.gen(function*() {
    const {
      applicationName = "ergon",
      connections = 10,
      database,
      host,
      password,
      port,
      prepare,
      schema,
      url,
      username
    } = options
    if (url !== undefined) yield* checked(url)
    if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      return yield* new OptionsError({ option: "port", problem: `an integer from 1 to 65535, got ${format(port)}` })
    }
    if (!Number.isInteger(connections) || connections < 2) {
      // One that is in a transaction must not keep everybody else from the server.
      return yield* new OptionsError({
        option: "connections",
        problem: `an integer of at least 2, got ${format(connections)}`
      })
    }
    for (const [option, text] of Object.entries({ host, username, database, schema, applicationName })) {
      if (text === "" || text?.includes("\u0000") === true) {
        return yield* new OptionsError({ option, problem: `a text that is not empty, got ${format(text)}` })
      }
    }
    const idle = yield* millis("idle", options.idle ?? "1 minute")
    return {
      pool: {
        url,
        host,
        port,
        username,
        password,
        database,
        ssl: sslOf(options.tls),
        connectTimeout: yield* millis("connectTimeout", options.connectTimeout ?? "10 seconds"),
        keepAlive,
        applicationName,
        prepare,
        // What the connectors rely on, whatever the defaults of the database are.
        startupParameters: {
          default_transaction_isolation: "read committed",
          ...(schema === undefined ? undefined : { search_path: `"${schema.replaceAll("\"", "\"\"")}"` })
        },
        maxMessageSize,
        maxConnections: connections,
        idleTimeout: idle
      },
      statementTimeout: yield* millis("statementTimeout", options.statementTimeout ?? "30 seconds"),
      watch: yield* millis("watch", options.watch ?? "15 seconds"),
      namespace: database
    }
  })

const sslOf = (tls: Options["tls"]): PgConnection.Config["ssl"] => {
  if (tls === undefined || typeof tls === "boolean") return tls
  const { ca, cert, key, servername } = tls
  return {
    rejectUnauthorized: true,
    ...(ca === undefined ? undefined : { ca: typeof ca === "string" ? ca : Array.from(ca) }),
    ...(cert === undefined ? undefined : { cert }),
    ...(key === undefined ? undefined : { key: Redacted.value(key) }),
    ...(servername === undefined ? undefined : { servername })
  }
}

// The longest that a timer of Node can wait.
const longest = 2 ** 31 - 1

const millis = (option: string, input: Duration.Input): Effect.Effect<number, OptionsError> => {
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  return millis >= 1 && millis <= longest
    ? Effect.succeed(millis)
    : Effect.fail(new OptionsError({ option, problem: `a duration from 1 ms to 24 days, got ${format(input)}` }))
}

/** Says nothing of what stands in it: that may be a password in a wrong place. */
const checked = (url: Redacted.Redacted): Effect.Effect<void, OptionsError> => {
  const text = Redacted.value(url)
  return URL.canParse(text) && ["postgres:", "postgresql:"].includes(new URL(text).protocol)
    ? Effect.void
    : Effect.fail(
      new OptionsError({ option: "url", problem: "not of the form postgres://user:password@host:port/database" })
    )
}
