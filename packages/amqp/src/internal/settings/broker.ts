/**
 * The options of a broker: their schema, and what they come to.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { SetupError } from "../../SetupError.ts"
import type { ConnectionOptions } from "../client/library.ts"
import { check, duration, flag, millis, name, text } from "./check.ts"

const isSecret = (u: unknown): u is Redacted.Redacted | string =>
  typeof u === "string" || (Redacted.isRedacted(u) && typeof Redacted.value(u) === "string")

const Secret = Schema.declare(isSecret, { expected: "a text, Redacted or not" })

const Url = Schema.declare(
  (u): u is Redacted.Redacted | string => isSecret(u) && parsed(reveal(u)) !== undefined,
  { expected: "amqp://user:password@host:port/vhost or amqps://..." }
)

const Host = Schema.declare((u): u is string => typeof u === "string" && /^[^\s:/@]+(:\d{1,5})?$/.test(u), {
  expected: "host or host:port"
})

const Tls = Schema.Struct({
  ca: Schema.optional(text),
  cert: Schema.optional(text),
  key: Schema.optional(Secret),
  passphrase: Schema.optional(Secret),
  servername: Schema.optional(text),
  rejectUnauthorized: Schema.optional(flag)
})

const Options = Schema.Struct({
  url: Schema.optional(Url),
  hosts: Schema.optional(Schema.Array(Host)),
  username: Schema.optional(name),
  password: Schema.optional(Secret),
  vhost: Schema.optional(name),
  tls: Schema.optional(Schema.Union([flag, Tls])),
  heartbeat: Schema.optional(duration(1000)),
  connect: Schema.optional(duration(1)),
  patience: Schema.optional(duration(0)),
  name: Schema.optional(name)
})

/** What a broker is reached with. Times in milliseconds. */
export interface BrokerSettings {
  /** One set of options of the client for each host, tried in turn. */
  readonly hosts: ReadonlyArray<ConnectionOptions>
  readonly connect: number
  readonly patience: number
  readonly name: string
  /** How the broker is named in messages: without credentials. */
  readonly display: string
}

export interface BrokerInput {
  readonly url?: string | Redacted.Redacted | undefined
  readonly hosts?: ReadonlyArray<string> | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  readonly vhost?: string | undefined
  readonly tls?: boolean | {
    readonly ca?: string | undefined
    readonly cert?: string | undefined
    readonly key?: string | Redacted.Redacted | undefined
    readonly passphrase?: string | Redacted.Redacted | undefined
    readonly servername?: string | undefined
    readonly rejectUnauthorized?: boolean | undefined
  } | undefined
  readonly heartbeat?: Duration.Input | undefined
  readonly connect?: Duration.Input | undefined
  readonly patience?: Duration.Input | undefined
  readonly name?: string | undefined
}

const reveal = (secret: string | Redacted.Redacted): string =>
  typeof secret === "string" ? secret : Redacted.value(secret)

interface Parts {
  readonly host: string
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly vhost: string | undefined
  readonly tls: boolean
}

const parsed = (url: string): Parts | undefined => {
  try {
    const { hostname, password, pathname, port, protocol, search, username } = new URL(url)
    if ((protocol !== "amqp:" && protocol !== "amqps:") || hostname === "" || search !== "") return undefined
    const given = (part: string) => part === "" ? undefined : decodeURIComponent(part)
    return {
      host: hostname,
      port: port === "" ? undefined : Number(port),
      username: given(username),
      password: given(password),
      vhost: given(pathname.slice(1)),
      tls: protocol === "amqps:"
    }
  } catch {
    return undefined
  }
}

/** What a url says must not be said twice. */
const together = (options: BrokerInput): ReadonlyArray<string> => {
  const problems: Array<string> = []
  if (options.url !== undefined && options.hosts !== undefined) {
    problems.push("url and hosts are both given: give the hosts, and username, password and vhost beside them")
  }
  if (options.hosts?.length === 0) problems.push("hosts is empty: expected at least one host")
  if (options.url !== undefined) {
    const parts = parsed(reveal(options.url))
    for (const part of ["username", "password", "vhost"] as const) {
      if (options[part] !== undefined && parts?.[part] !== undefined) {
        problems.push(`${part} is given twice, by itself and in the url`)
      }
    }
  }
  return problems
}

/** What the options come to, or all that is wrong with them. */
export const brokerSettings = (input: BrokerInput): Effect.Effect<BrokerSettings, SetupError> =>
  Effect.map(check("broker", Options, input, together), (options) => {
    const url = options.url === undefined ? undefined : parsed(reveal(options.url))
    const tls = options.tls === false ? false : options.tls ?? url?.tls ?? false
    const port = tls === false ? 5672 : 5671
    const hosts = url === undefined
      ? (options.hosts ?? ["localhost"]).map((host) => {
        const [hostname = "", given] = host.split(":")
        return { hostname, port: given === undefined ? port : Number(given) }
      })
      : [{ hostname: url.host, port: url.port ?? port }]
    const connect = millis(options.connect ?? "30 seconds")
    const common = {
      username: url?.username ?? options.username ?? "guest",
      password: url?.password ?? (options.password === undefined ? "guest" : reveal(options.password)),
      vhost: url?.vhost ?? options.vhost ?? "/",
      tls: typeof tls === "boolean" ? tls : {
        ...tls.ca === undefined ? {} : { ca: tls.ca },
        ...tls.cert === undefined ? {} : { cert: tls.cert },
        ...tls.key === undefined ? {} : { key: reveal(tls.key) },
        ...tls.passphrase === undefined ? {} : { passphrase: reveal(tls.passphrase) },
        ...tls.servername === undefined ? {} : { servername: tls.servername },
        ...tls.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: tls.rejectUnauthorized }
      },
      heartbeat: Math.round(millis(options.heartbeat ?? "10 seconds") / 1000),
      connectionTimeout: Math.min(connect, 10_000),
      acquireTimeout: 10_000,
      // What RabbitMQ allows unless told otherwise: the headers of a message have to fit into one frame.
      frameMax: 131_072,
      noDelay: true
    }
    return {
      hosts: hosts.map((host) => ({ ...common, ...host })),
      connect,
      patience: millis(options.patience ?? "1 minute"),
      name: options.name ?? "ergon",
      display: hosts.map(({ hostname, port }) => `${hostname}:${port}`).join(", ")
    }
  })
