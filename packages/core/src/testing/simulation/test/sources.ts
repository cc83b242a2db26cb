/**
 * The places that generated tasks consume from: every kind of settlement, lease, count and order.
 */
import { Clock, Duration, Effect, type Scope } from "effect"
import { type Connector, Disposition, type Transaction } from "../../../index.ts"
import { connect } from "../../../internal/memory/connect.ts"
import { Store } from "../../../internal/memory/store.ts"
import type { SourceStorage } from "../../Harness.ts"
import * as PushSource from "../../PushSource.ts"
import * as WatermarkSource from "../../WatermarkSource.ts"
import type { Dice } from "../chance.ts"

// The ones with more to go wrong come more often.
export const kinds = [
  "native",
  "plain",
  "leased",
  "leased",
  "leased",
  "leased",
  "leased",
  "short lease",
  "total",
  "push",
  "watermark",
  "watermark",
  "watermark",
  "none",
  "none"
] as const
export type Kind = (typeof kinds)[number]

export const keyOf = (transaction: Transaction.Transaction<unknown>): string => `key-${transaction.metadata.key}`

/** What each kind cannot do, so that the task needs a place for its dead letters. */
export const keepsDeadLetters = (kind: Kind): boolean => kind !== "plain" && kind !== "watermark" && kind !== "none"

export const storage = (kind: Kind, dice: Dice, keyed: boolean): Effect.Effect<SourceStorage, never, Scope.Scope> => {
  if (kind === "push") {
    return Effect.map(PushSource.make({ prefetch: dice.between(1, 8), reconnect: "50 millis" }), (broker) => ({
      open: broker.connect,
      enqueue: broker.publish,
      cut: broker.cut
    }))
  }
  if (kind === "watermark") {
    const partitions = dice.between(1, 3)
    return Effect.map(WatermarkSource.make({ partitions }), (topic) => ({
      open: topic.connect,
      enqueue: (transactions) =>
        Effect.forEach(transactions, (one) => topic.append(Number(one.metadata.key) % partitions, [one]), {
          discard: true
        }),
      cut: topic.revokeAll
    }))
  }
  const lease = kind === "leased" || kind === "short lease" ? dice.pick([300, 300, 1_000, 5_000]) : undefined
  return Effect.map(Clock.Clock, (clock) => {
    const store = new Store({
      clock,
      lease,
      history: 0,
      countsDeliveries: kind !== "plain",
      delaysRequeues: kind !== "plain",
      buriesDeadLetters: kind !== "plain",
      end: false,
      key: keyed ? keyOf : undefined,
      malformed: undefined
    })
    return {
      enqueue: (transactions) => Effect.sync(() => store.offer(transactions)),
      open: Effect.map(connect(store), ({ source }): Connector.SourceService => {
        if (kind === "short lease" && lease !== undefined) {
          const { extend: _, ...rest } = source
          return {
            ...rest,
            capabilities: { ...source.capabilities, lease: { duration: Duration.millis(lease), extend: false } }
          }
        }
        if (kind === "total") return { ...source, capabilities: { ...source.capabilities, ordering: "total" } }
        return kind === "none" ? forgetting(source) : source
      })
    }
  })
}

/** A source that forgets what it has handed over. */
const forgetting = (source: Connector.SourceService): Connector.SourceService => ({
  format: source.format,
  capabilities: { ...source.capabilities, settlement: "none", deliveries: "engine", deadLetter: "none" },
  fetch: (request) =>
    Effect.tap(
      source.fetch(request),
      (deliveries) =>
        Effect.ignore(source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack))))
    ),
  settle: () => Effect.void
})
