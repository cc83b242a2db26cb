/**
 * The options of a cluster: their schema, and what the client is given.
 */
import type { BaseOptions } from "@platformatic/kafka"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { SetupError } from "../../SetupError.ts"
import type { Client } from "../client/library.ts"
import { check, duration, flag, fn, millis, name, secret } from "./check.ts"

const Broker = Schema.declare(
  (u): u is string => {
    const port = typeof u === "string" ? /^(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})$/.exec(u)?.[1] : undefined
    return port !== undefined && Number(port) > 0 && Number(port) < 65_536
  },
  { expected: "host:port" }
)

const Pem = Schema.declare((u): u is string => typeof u === "string" && u.includes("-----BEGIN "), {
  expected: "a text in PEM"
})

const Tls = Schema.Struct({
  ca: Schema.optional(Pem),
  cert: Schema.optional(Pem),
  key: Schema.optional(secret),
  passphrase: Schema.optional(secret),
  serverName: Schema.optional(name),
  rejectUnauthorized: Schema.optional(flag)
})

const Sasl = Schema.Struct({
  mechanism: Schema.Literals(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]),
  username: Schema.optional(Schema.String),
  password: Schema.optional(secret),
  token: Schema.optional(secret)
})

const Options = Schema.Struct({
  brokers: Schema.Array(Broker),
  clientId: Schema.optional(name),
  tls: Schema.optional(Schema.Union([flag, Tls])),
  sasl: Schema.optional(Sasl),
  connectTimeout: Schema.optional(duration(100)),
  requestTimeout: Schema.optional(duration(100)),
  autocreateTopics: Schema.optional(flag),
  prepare: Schema.optional(fn<(client: Client) => Promise<void> | void>())
})

type Options = typeof Options.Type

const problems = (options: Options): ReadonlyArray<string> => {
  const found: Array<string> = []
  const { brokers, sasl, tls } = options
  if (brokers.length === 0) found.push("brokers is empty: expected at least one host:port")
  const twice = brokers.find((broker, index) => brokers.indexOf(broker) !== index)
  if (twice !== undefined) found.push(`brokers has ${twice} twice`)
  if (sasl?.mechanism === "OAUTHBEARER") {
    if (sasl.token === undefined) found.push("sasl.token is missing: OAUTHBEARER needs it")
    if (sasl.password !== undefined) found.push("sasl.password means nothing with OAUTHBEARER: give sasl.token")
  } else if (sasl !== undefined) {
    if (sasl.username === undefined) found.push(`sasl.username is missing: ${sasl.mechanism} needs it`)
    if (sasl.password === undefined) found.push(`sasl.password is missing: ${sasl.mechanism} needs it`)
    if (sasl.token !== undefined) found.push(`sasl.token means nothing with ${sasl.mechanism}: give sasl.password`)
  }
  if (typeof tls === "object" && (tls.cert === undefined) !== (tls.key === undefined)) {
    found.push("tls.cert and tls.key belong together: one of them is missing")
  }
  return found
}

/** What every client object is given, and what is done to it first. Times in milliseconds. */
export interface ClusterSettings {
  readonly base: BaseOptions
  readonly connectTimeout: number
  readonly requestTimeout: number
  readonly prepare: ((client: Client) => Promise<void> | void) | undefined
}

/** TLS, with the secrets revealed at the last moment: nothing of it is logged by the client. */
const tlsOf = ({ ca, cert, key, passphrase, rejectUnauthorized, serverName }: typeof Tls.Type) => ({
  ...ca === undefined ? {} : { ca },
  ...cert === undefined ? {} : { cert },
  ...key === undefined ? {} : { key: Redacted.value(key) },
  ...passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) },
  ...serverName === undefined ? {} : { servername: serverName },
  ...rejectUnauthorized === undefined ? {} : { rejectUnauthorized }
})

const saslOf = ({ mechanism, password, token, username }: typeof Sasl.Type) => ({
  mechanism,
  ...username === undefined ? {} : { username },
  ...password === undefined ? {} : { password: () => Redacted.value(password) },
  ...token === undefined ? {} : { token: () => Redacted.value(token) }
})

export const clusterSettings = (input: unknown): Effect.Effect<ClusterSettings, SetupError> =>
  Effect.map(check("Cluster", Options, input, problems), (options) => {
    const connectTimeout = millis(options.connectTimeout ?? Duration.seconds(5))
    const requestTimeout = millis(options.requestTimeout ?? Duration.seconds(20))
    const { sasl, tls } = options
    return {
      base: {
        clientId: options.clientId ?? "ergon",
        bootstrapBrokers: [...options.brokers],
        connectTimeout,
        requestTimeout,
        autocreateTopics: options.autocreateTopics ?? false,
        ...tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tlsOf(tls) },
        ...sasl === undefined ? {} : { sasl: saslOf(sasl) }
      },
      connectTimeout,
      requestTimeout,
      prepare: options.prepare
    }
  })
