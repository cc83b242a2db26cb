/**
 * The client objects of one cluster: made, prepared, and closed within a bound.
 *
 *     made -> prepared (the user's `prepare`) -> in use -> closed
 *                                                   +-> abandoned: its sockets are destroyed, nothing of it goes on
 *
 * Worst case of closing: 3 s for a member, which tells its group that it leaves, and 300 ms for any other; then the
 * sockets are destroyed.
 */
import type { Reason } from "@ergon/core"
import * as Effect from "effect/Effect"
import type { ClusterSettings } from "../settings/cluster.ts"
import type { Client, Consumer, Library, Producer } from "./library.ts"
import { reasonOf } from "./reason.ts"

export type RawConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>
export type RawProducer = Producer<Buffer, Buffer, Buffer, Buffer>

export interface ConsumerSettings {
  readonly group: string
  readonly instanceId?: string | undefined
  readonly retries: number
  readonly requestTimeout: number
  /** Joins the group: closing it leaves it. */
  readonly joins?: boolean | undefined
}

export interface ProducerSettings {
  readonly idempotent: boolean
  /** Told of each failure after which it tries again. */
  readonly retried: (error: Error) => void
}

const leaveWithin = 3000
const closeWithin = 300

/** What the client is asked: a promise as an effect, whose failure is a reason. It is not interrupted: it has bounds. */
export const ask = <A>(what: string, promise: () => Promise<A>): Effect.Effect<A, Reason.Reason> =>
  Effect.tryPromise({ try: promise, catch: (error) => reasonOf(what, error) })

/** Sockets that a client leaves open end here. */
const abandon = (client: Client): void => {
  for (const [, connection] of client.connections) connection.socket?.destroy()
}

const close = (client: Client, within: number): Effect.Effect<void> =>
  Effect.tryPromise(() => client.close(true)).pipe(
    Effect.timeout(within),
    Effect.ignore,
    Effect.ensuring(Effect.sync(() => abandon(client)))
  )

export class Clients {
  readonly library: Library
  readonly settings: ClusterSettings

  constructor(library: Library, settings: ClusterSettings) {
    this.library = library
    this.settings = settings
  }

  /** A consumer for as long as the scope is open. */
  consumer(settings: ConsumerSettings) {
    return this.scoped(
      settings.joins === true ? leaveWithin : closeWithin,
      (): RawConsumer =>
        new this.library.Consumer({
          ...this.settings.base,
          groupId: settings.group,
          ...settings.instanceId === undefined ? {} : { groupInstanceId: settings.instanceId },
          requestTimeout: settings.requestTimeout,
          retries: settings.retries,
          retryDelay: 250,
          autocommit: false
        })
    )
  }

  producer(settings: ProducerSettings) {
    return this.scoped(closeWithin, (): RawProducer =>
      new this.library.Producer({
        ...this.settings.base,
        idempotent: settings.idempotent,
        // As long as the one who waits for it has patience: see `Publisher`.
        retries: 10_000,
        retryDelay: (_client, _operation, _attempt, _retries, error) => {
          settings.retried(error)
          return 250
        }
      }))
  }

  private scoped<C extends Client>(within: number, make: () => C) {
    const { prepare } = this.settings
    return Effect.acquireRelease(
      Effect.sync(() => {
        const client = make()
        // An EventEmitter without one would throw; whoever needs to know listens as well.
        client.on("error", () => {})
        return client
      }),
      (client) => close(client, within)
    ).pipe(
      Effect.tap((client) =>
        prepare === undefined ? Effect.void : ask("preparing the client", async () => prepare(client))
      )
    )
  }
}
