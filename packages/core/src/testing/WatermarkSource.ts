/**
 * A scripted watermark source: a partitioned log, and consumers of one group that commit positions.
 *
 * It behaves as Kafka does. Settling with `Ack` commits the position after a delivery, which covers everything before
 * it in its partition; a consumer that takes over a partition begins at the committed position. A partition can be
 * revoked at any time: its deliveries are no longer held, and settling them fails with LeaseLost. The log counts no
 * deliveries, delays nothing and keeps no dead letters.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Connector from "../Connector.ts"
import { FetchError } from "../ConnectorError.ts"
import type { Delivery } from "../Delivery.ts"
import { refusing } from "../internal/memory/connect.ts"
import { type Consumer, Log, Place } from "../internal/memory/log.ts"
import { lookUntil } from "../internal/memory/waiting.ts"
import { InvalidRequest } from "../Reason.ts"
import type { Transaction } from "../Transaction.ts"

/**
 * A log, which outlives the connectors that read it. Partitions are numbered from 0; a number beyond the last one
 * begins again at 0.
 *
 * **Details**
 * - `connect`: joins the group; partitions are shared out evenly, and closing the scope leaves the group.
 * - `append`: adds transactions to a partition; their payloads are in the JSON format.
 * - `revoke`: takes a partition from its consumer and gives it to the next one, the same one if it is alone.
 * - `revokeAll`: every partition.
 * - `committed`: the committed position of each partition: the number of transactions that are done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Topic {
  readonly connect: Effect.Effect<Connector.SourceService, never, Scope.Scope>
  readonly append: (partition: number, transactions: ReadonlyArray<Transaction<unknown>>) => Effect.Effect<void>
  readonly revoke: (partition: number) => Effect.Effect<void>
  readonly revokeAll: Effect.Effect<void>
  readonly committed: Effect.Effect<ReadonlyArray<number>>
}

/**
 * What the connectors of a log declare.
 *
 * @category models
 * @since 0.1.0
 */
export const capabilities: Connector.Capabilities = {
  settlement: "watermark",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "byKey"
}

const nothing: Effect.Effect<ReadonlyArray<Delivery>> = Effect.succeed([])

const serviceOf = (log: Log, consumer: Consumer, clock: Clock.Clock): Connector.SourceService => {
  const take = (max: number): Effect.Effect<ReadonlyArray<Delivery>> | undefined => {
    const deliveries = log.take(consumer, max)
    return deliveries.length === 0 ? undefined : Effect.succeed(deliveries)
  }
  return {
    format: "json",
    capabilities,
    fetch: ({ max, wait }) =>
      Effect.suspend(() =>
        consumer.closed
          ? Effect.fail(new FetchError({ reason: new InvalidRequest({ message: "the connector is closed" }) }))
          : lookUntil({
            clock,
            waiters: log.waiters,
            look: () => consumer.closed ? nothing : take(max),
            nextChange: () => Infinity,
            until: clock.currentTimeMillisUnsafe() + Duration.toMillis(wait),
            otherwise: () => nothing
          })
      ),
    settle: (settlements) => Effect.suspend(() => refusing((refuse) => log.settle(settlements, refuse))),
    isHeld: ({ receipt }) => receipt instanceof Place && receipt.isHeld,
    count: Effect.sync(() => log.count()),
    health: Effect.void
  }
}

/**
 * Makes an empty log of this many partitions, 1 unless given.
 *
 * **Example** (What was not committed comes again)
 * ```ts import.meta.vitest
 * import { Disposition, Transaction } from "@ergon/core"
 * import { WatermarkSource } from "@ergon/core/testing"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const topic = yield* WatermarkSource.make()
 *   yield* topic.append(0, ["a", "b", "c"].map((id) => Transaction.make(id, id)))
 *   const read = Effect.scoped(Effect.gen(function*() {
 *     const source = yield* topic.connect
 *     const deliveries = yield* source.fetch({ max: 10, wait: Duration.zero })
 *     yield* source.settle(deliveries.slice(1, 2).map((second) => Disposition.settlement(second, Disposition.ack)))
 *     return deliveries.map(({ transaction }) => transaction.id)
 *   }))
 *   return [yield* read, yield* read, yield* topic.committed]
 * })
 * await Effect.runPromise(program) // => [["a", "b", "c"], ["c"], [2]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: { readonly partitions?: number | undefined } = {}): Effect.Effect<Topic> =>
  Effect.map(Clock.Clock, (clock) => {
    const log = new Log(options.partitions ?? 1)
    return {
      connect: Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => log.open()),
          (consumer) => Effect.sync(() => log.close(consumer))
        ),
        (consumer) => serviceOf(log, consumer, clock)
      ),
      append: (partition, transactions) => Effect.sync(() => log.append(partition, transactions)),
      revoke: (partition) => Effect.sync(() => log.revoke(partition)),
      revokeAll: Effect.sync(() => log.revokeAll()),
      committed: Effect.sync(() => log.committed())
    }
  })

/**
 * A Layer that connects a source to a log.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  topic: Topic
): Layer.Layer<Self> => Connector.layerSource(key, topic.connect)
