/**
 * One connection of the package `redis`, which is loaded when the first one is opened: it is an optional peer.
 *
 * It does not reconnect: a lost socket fails what is in flight, and whoever holds it opens another one. So nothing is
 * ever queued for a server that is away.
 */
import { MissingClient } from "@ergon/core"
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { TlsOptions } from "../../RedisClient.ts"

/** What this package uses of a client of `redis`. */
export interface Wire {
  readonly isReady: boolean
  sendCommand(args: ReadonlyArray<string>, options?: { readonly abortSignal?: AbortSignal }): Promise<unknown>
  destroy(): void
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface WireOptions {
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly database: number
  readonly tls: TlsOptions | undefined
  readonly name: string
  /** Milliseconds. */
  readonly connectTimeout: number
}

const load = () => import("redis")

/** Finds out whether the client is installed. */
export const loadClient: Effect.Effect<unknown, MissingClient.MissingClient> = MissingClient.loading(
  { neededBy: "@ergon/redis", client: "redis", version: "6.3.1" },
  load
)

const socketOf = ({ host, port }: Address, { connectTimeout, tls }: WireOptions) => {
  const plain = { host, port, connectTimeout, reconnectStrategy: false as const, keepAliveInitialDelay: 5000 }
  if (tls === undefined) return plain
  const { key, passphrase, ...rest } = tls
  return {
    ...plain,
    // Without a name of its own, an address is no name to ask for.
    ...rest,
    ...(key === undefined ? {} : { key: Redacted.value(key) }),
    ...(passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) }),
    tls: true as const
  }
}

const makeTemplate = async (options: WireOptions) => {
  const { createClient } = await load()
  return createClient({
    RESP: 2,
    database: options.database,
    name: options.name,
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    disableClientInfo: true,
    // Commands have a deadline of ours, which also ends the connection.
    commandOptions: { timeout: 0 },
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: Redacted.value(options.password) })
  })
}

/**
 * What opens connections: each authenticated, its database selected, within `connectTimeout`; else nothing stays open.
 * Making a client takes `redis` tens of milliseconds, and making another like it next to nothing.
 */
export const opener = (options: WireOptions): (address: Address) => Promise<Wire> => {
  let template: ReturnType<typeof makeTemplate> | undefined
  return async (address) => {
    template ??= makeTemplate(options)
    return await open((await template).duplicate({ socket: socketOf(address, options) }), address, options)
  }
}

const open = async (
  client: Awaited<ReturnType<typeof makeTemplate>>,
  address: Address,
  options: WireOptions
): Promise<Wire> => {
  // What fails is told to whoever waits for it; without a listener it would end the process.
  client.on("error", () => {})
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      client.connect(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`no connection to ${address.host}:${address.port} in ${options.connectTimeout} ms`)),
          options.connectTimeout
        )
      })
    ])
    return client
  } catch (error) {
    client.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}
