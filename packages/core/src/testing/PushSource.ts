/**
 * A scripted push source: a broker that pushes deliveries over a channel, and its connector.
 *
 * It behaves as an AMQP broker does. The broker pushes until as many deliveries are unsettled as the prefetch allows;
 * the connector buffers them, and a fetch takes from the buffer. When a channel is lost, the broker delivers everything
 * that was unsettled on it again, with a higher count; those deliveries are no longer held, and settling them fails
 * with LeaseLost. The connector reconnects by itself.
 *
 * A connector is `open` (a channel, deliveries arrive), `lost` (no channel; a fetch waits for one, and fails with
 * ConnectionLost when none came within its wait) or `closed`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Connector from "../Connector.ts"
import { FetchError } from "../ConnectorError.ts"
import type { Delivery } from "../Delivery.ts"
import { refusing } from "../internal/memory/connect.ts"
import { Owner, Store } from "../internal/memory/store.ts"
import { lookUntil, Waiters } from "../internal/memory/waiting.ts"
import type * as Memory from "../Memory.ts"
import { ConnectionLost, InvalidRequest } from "../Reason.ts"
import type { Transaction } from "../Transaction.ts"

/**
 * A broker, which outlives the connectors that talk to it.
 *
 * **Details**
 * - `connect`: opens a connector; closing its scope gives back what it did not settle, with a higher count.
 * - `publish`: adds transactions to the end of the queue; their payloads are in the JSON format.
 * - `cut`: every channel is lost at once.
 * - `contents`: what the queue holds; `inFlight` is all that is unsettled, buffered ones included.
 *
 * @category models
 * @since 0.1.0
 */
export interface Broker {
  readonly connect: Effect.Effect<Connector.SourceService, never, Scope.Scope>
  readonly publish: (transactions: ReadonlyArray<Transaction<unknown>>) => Effect.Effect<void>
  readonly cut: Effect.Effect<void>
  readonly contents: Effect.Effect<Memory.Contents>
}

/**
 * How the broker and its connectors behave: `prefetch` is the number of unsettled deliveries per connector (10 unless
 * given), `reconnect` how long a connector is without a channel after a cut (100 milliseconds unless given).
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly prefetch?: number | undefined
  readonly reconnect?: Duration.Input | undefined
}

/**
 * What the connectors of a broker declare.
 *
 * @category models
 * @since 0.1.0
 */
export const capabilities: Connector.Capabilities = {
  settlement: "each",
  lease: undefined,
  deliveries: "native",
  requeueDelay: "engine",
  deadLetter: "native",
  ordering: "none"
}

/** One connector: its channel while it has one, and what was pushed over it. */
interface Connection {
  channel: Owner | undefined
  buffer: Array<Delivery>
  closed: boolean
  readonly waiters: Waiters
  readonly lost: Latch.Latch
}

const nothing: Effect.Effect<ReadonlyArray<Delivery>> = Effect.succeed([])

/**
 * Makes a broker with an empty queue.
 *
 * **Example** (A channel that is lost)
 * ```ts import.meta.vitest
 * import { Disposition, Transaction } from "@ergon/core"
 * import { PushSource } from "@ergon/core/testing"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const broker = yield* PushSource.make({ prefetch: 2, reconnect: 0 })
 *   yield* broker.publish([Transaction.make("order-1", { quantity: 2 })])
 *   const source = yield* broker.connect
 *   const [before] = yield* source.fetch({ max: 1, wait: Duration.zero })
 *   yield* broker.cut
 *   const [after] = yield* source.fetch({ max: 1, wait: Duration.seconds(1) })
 *   return [before?.deliveries, after?.deliveries]
 * })
 * await Effect.runPromise(Effect.scoped(program)) // => [0, 1]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Broker> =>
  Effect.map(Clock.Clock, (clock) => {
    const prefetch = options.prefetch ?? 10
    const reconnect = Duration.fromInputUnsafe(options.reconnect ?? "100 millis")
    const connections = new Set<Connection>()
    const store = new Store({
      clock,
      lease: undefined,
      history: 100_000,
      countsDeliveries: true,
      delaysRequeues: false,
      buriesDeadLetters: true,
      end: false,
      key: undefined,
      malformed: undefined
    })

    const push = (connection: Connection): void => {
      const { channel } = connection
      if (channel === undefined) return
      const pushed = store.take(channel, prefetch - channel.held)
      if (pushed.length === 0) return
      connection.buffer.push(...pushed)
      connection.waiters.wake()
    }
    const pushAll = (): void => {
      for (const connection of connections) push(connection)
    }
    const open = (connection: Connection): void => {
      connection.channel = new Owner()
      push(connection)
    }
    const lose = (connection: Connection): void => {
      const { channel } = connection
      if (channel === undefined) return
      connection.channel = undefined
      connection.buffer = []
      store.close(channel)
    }

    const serviceOf = (connection: Connection): Connector.SourceService => {
      const take = (max: number): Effect.Effect<ReadonlyArray<Delivery>> | undefined =>
        connection.buffer.length === 0 ? undefined : Effect.succeed(connection.buffer.splice(0, max))
      return {
        format: "json",
        capabilities,
        fetch: ({ max, wait }) =>
          Effect.suspend(() =>
            connection.closed
              ? Effect.fail(new FetchError({ reason: new InvalidRequest({ message: "the connector is closed" }) }))
              : lookUntil({
                clock,
                waiters: connection.waiters,
                look: () => connection.closed ? nothing : take(max),
                nextChange: () => Infinity,
                until: clock.currentTimeMillisUnsafe() + Duration.toMillis(wait),
                otherwise: () =>
                  connection.channel === undefined
                    ? Effect.fail(new FetchError({ reason: new ConnectionLost({ message: "the channel is lost" }) }))
                    : nothing
              })
          ),
        settle: (settlements) =>
          Effect.suspend(() => {
            const settled = refusing((refuse) => store.settle(settlements, refuse))
            pushAll()
            return settled
          }),
        isHeld: (delivery) => store.isHeld(delivery),
        count: Effect.sync(() => store.count()),
        health: Effect.suspend(() =>
          connection.channel === undefined
            ? Effect.fail(new FetchError({ reason: new ConnectionLost({ message: "the channel is lost" }) }))
            : Effect.void
        )
      }
    }

    const connect = Effect.gen(function*() {
      const connection = yield* Effect.acquireRelease(
        Effect.sync((): Connection => {
          const connection: Connection = {
            channel: undefined,
            buffer: [],
            closed: false,
            waiters: new Waiters(),
            lost: Latch.makeUnsafe(false)
          }
          connections.add(connection)
          open(connection)
          return connection
        }),
        (connection) =>
          Effect.sync(() => {
            connection.closed = true
            connections.delete(connection)
            lose(connection)
            connection.waiters.wake()
            pushAll()
          })
      )
      yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
        yield* connection.lost.await
        yield* clock.sleep(reconnect)
        yield* Effect.sync(() => {
          connection.lost.closeUnsafe()
          open(connection)
        })
      })))
      return serviceOf(connection)
    })

    return {
      connect,
      publish: (transactions) =>
        Effect.sync(() => {
          store.offer(transactions)
          pushAll()
        }),
      cut: Effect.sync(() => {
        for (const connection of connections) {
          lose(connection)
          connection.lost.openUnsafe()
        }
      }),
      contents: Effect.sync(() => store.contents())
    }
  })

/**
 * A Layer that connects a source to a broker.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  broker: Broker
): Layer.Layer<Self> => Connector.layerSource(key, broker.connect)
