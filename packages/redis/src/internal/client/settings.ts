/**
 * What a connection is made with: the options of code or of the configuration, checked, with what they leave out.
 */
import * as Redacted from "effect/Redacted"
import type { TlsOptions } from "../../RedisClient.ts"
import { custom, duration, type Field, flag, type Given, integer, readFields, secret, text } from "../fields.ts"
import type { Address, WireOptions } from "./wire.ts"

export interface Settings {
  /** The first is asked first; several are nodes of one cluster. */
  readonly addresses: readonly [Address, ...ReadonlyArray<Address>]
  readonly cluster: boolean
  readonly wire: WireOptions
  /** Milliseconds. */
  readonly commandTimeout: number
}

const addressOf = (text: string): Address | undefined => {
  const [, host, port] = /^(?:\[([0-9a-fA-F:]+)\]|[^:/@\s]+):([0-9]+)$/.exec(text) ?? []
  const number = Number(port)
  if (port === undefined || number < 1 || number > 65535) return undefined
  return { host: host ?? text.slice(0, text.lastIndexOf(":")), port: number }
}

const nodes: Field<ReadonlyArray<Address>> = custom("a list of host:port, at least one", (raw) => {
  const list = typeof raw === "string" ? raw.split(",").map((part) => part.trim()) : raw
  if (!Array.isArray(list) || list.length === 0) return undefined
  const addresses = list.map((one) => typeof one === "string" ? addressOf(one) : undefined)
  return addresses.every((address) => address !== undefined) ? addresses : undefined
})

const certificate = (raw: unknown): raw is string | ReadonlyArray<string> =>
  typeof raw === "string" || (Array.isArray(raw) && raw.every((one) => typeof one === "string"))

const tls: Field<TlsOptions | false> = custom(
  "true, false, or an object of ca, cert, key (Redacted), passphrase (Redacted), servername",
  (raw, dialect) => {
    const word = flag.read(raw, dialect)
    if (word !== undefined) return word ? {} : false
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined
    const { ca, cert, key, passphrase, servername, ...others } = raw as { readonly [key: string]: unknown }
    const sound = Object.keys(others).length === 0 &&
      (ca === undefined || certificate(ca)) &&
      (cert === undefined || certificate(cert)) &&
      (key === undefined || secret.read(key, "code") !== undefined) &&
      (passphrase === undefined || secret.read(passphrase, "code") !== undefined) &&
      (servername === undefined || typeof servername === "string")
    return sound ? raw as TlsOptions : undefined
  }
)

interface Url {
  readonly host: string
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly database: number | undefined
  readonly tls: boolean
}

const url: Field<Url> = {
  expected: "redis://[user[:password]@]host[:port][/database], or rediss:// for TLS, as text or Redacted",
  // It can hold a password.
  secret: true,
  read: (raw) => {
    const given = Redacted.isRedacted(raw) ? Redacted.value(raw) : raw
    if (typeof given !== "string" || !URL.canParse(given)) return undefined
    const { hostname, hash, password, pathname, port, protocol, search, username } = new URL(given)
    const database = /^\/?([0-9]*)$/.exec(pathname)?.[1]
    if (!["redis:", "rediss:"].includes(protocol) || hostname === "" || database === undefined) return undefined
    if (search !== "" || hash !== "") return undefined
    try {
      return {
        host: hostname.replace(/^\[(.*)\]$/, "$1"),
        port: port === "" ? undefined : Number(port),
        username: username === "" ? undefined : decodeURIComponent(username),
        password: password === "" ? undefined : Redacted.make(decodeURIComponent(password)),
        database: database === "" ? undefined : Number(database),
        tls: protocol === "rediss:"
      }
    } catch {
      return undefined
    }
  }
}

export const settingsFields = {
  url,
  host: text("a host name or an address", (host) => /^[^\s/@]+$/.test(host)),
  port: integer(1, 65535),
  nodes,
  username: text("a text that is not empty"),
  password: secret,
  database: integer(0, 1_000_000),
  tls,
  name: text("a name without spaces", (name) => /^[!-~]+$/.test(name)),
  connectTimeout: duration(1, 30_000),
  commandTimeout: duration(10, 30_000)
}

const pem = text("a certificate or key in PEM", (text) => text.includes("-----BEGIN "))

/** What `TlsOptions` are made of, where every option is a text of its own. */
const tlsFields = {
  tlsCa: pem,
  tlsCert: pem,
  tlsKey: { ...pem, secret: true },
  tlsPassphrase: secret,
  tlsServername: text("a name that is not empty")
}

/** The options as variables. */
export const configFields = { ...settingsFields, ...tlsFields }

/** Puts the variables about TLS together; pushes what is wrong with them. */
const withTls = (given: Given, problems: Array<string>): Given => {
  const parts = new Map(
    [...given].filter(([key, { dialect }]) => dialect === "text" && Object.hasOwn(tlsFields, key)).map((
      [key, input]
    ) => [
      key,
      // A variable of one line.
      { ...input, raw: typeof input.raw === "string" ? input.raw.replaceAll("\\n", "\n") : input.raw }
    ])
  )
  if (parts.size === 0) return given
  const read = readFields(tlsFields, parts, problems)
  const rest = new Map([...given].filter(([key]) => !parts.has(key)))
  const tls = rest.get("tls")
  if (tls !== undefined && flag.read(tls.raw, tls.dialect) !== true) {
    for (const { name } of parts.values())
      problems.push(`${name}: not valid together with ${tls.name}, which is not true`)
  }
  const options: TlsOptions = {
    ca: read.tlsCa,
    cert: read.tlsCert,
    key: read.tlsKey === undefined ? undefined : Redacted.make(read.tlsKey),
    passphrase: read.tlsPassphrase,
    servername: read.tlsServername
  }
  return rest.set("tls", { name: tls?.name ?? "tls", raw: options, dialect: "code" })
}

/** Reads settings; pushes what is wrong with them. */
export const readSettings = (
  from: Given,
  problems: Array<string>
): Settings => {
  const given = withTls(from, problems)
  const read = readFields(settingsFields, given, problems)
  const nameOf = (key: string) => given.get(key)?.name ?? key
  for (const key of ["host", "port"] as const) {
    if (read[key] !== undefined && (read.url !== undefined || read.nodes !== undefined)) {
      problems.push(`${nameOf(key)}: given twice; ${nameOf(read.url === undefined ? "nodes" : "url")} says it too`)
    }
  }
  if (read.url !== undefined && read.nodes !== undefined) {
    problems.push(`${nameOf("url")}: given twice; ${nameOf("nodes")} says it too`)
  }
  for (const key of ["username", "password", "database"] as const) {
    if (read[key] !== undefined && read.url?.[key] !== undefined) {
      problems.push(`${nameOf(key)}: given twice; ${nameOf("url")} says it too`)
    }
  }
  const database = read.database ?? read.url?.database ?? 0
  if (read.nodes !== undefined && database !== 0) {
    problems.push(`${nameOf("database")}: ${database} is not valid; a cluster has database 0 only`)
  }
  if (read.url?.tls === true && read.tls === false) {
    problems.push(`${nameOf("tls")}: false is not valid; ${nameOf("url")} asks for TLS`)
  }
  const port = read.url?.port ?? read.port ?? 6379
  const [first, ...others] = read.nodes ?? []
  return {
    addresses: first === undefined
      ? [{ host: read.url?.host ?? read.host ?? "127.0.0.1", port }]
      : [first, ...others],
    cluster: first !== undefined,
    wire: {
      username: read.url?.username ?? read.username,
      password: read.url?.password ?? read.password,
      database,
      tls: read.tls === undefined ? read.url?.tls === true ? {} : undefined : read.tls === false ? undefined : read.tls,
      name: read.name ?? "ergon",
      connectTimeout: read.connectTimeout ?? 10_000
    },
    commandTimeout: read.commandTimeout ?? 10_000
  }
}
