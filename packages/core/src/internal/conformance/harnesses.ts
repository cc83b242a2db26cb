/**
 * Harnesses of the connectors in this package, for its own tests.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SinkService } from "../../Connector.ts"
import { DispatchError } from "../../ConnectorError.ts"
import { ConnectionLost, InvalidRequest } from "../../Reason.ts"
import type * as Harness from "../../testing/Harness.ts"
import * as PushSource from "../../testing/PushSource.ts"
import * as WatermarkSource from "../../testing/WatermarkSource.ts"
import * as Transaction from "../../Transaction.ts"
import { connect } from "../memory/connect.ts"
import { Ledger } from "../memory/ledger.ts"
import { letterSink } from "../memory/letters.ts"
import { recordingSink } from "../memory/record.ts"
import { Store } from "../memory/store.ts"

export const makeStore = (lease?: number) =>
  Effect.map(Clock.Clock, (clock) =>
    new Store({
      clock,
      lease,
      history: 100,
      countsDeliveries: true,
      delaysRequeues: true,
      buriesDeadLetters: true,
      end: false,
      key: undefined,
      malformed: undefined
    }))

export const queue = (lease?: number): Harness.Queue => ({
  name: lease === undefined ? "Memory.queue" : "Memory.queue with leases",
  time: "test",
  capabilities: {
    settlement: "each",
    lease: lease === undefined ? undefined : { duration: Duration.millis(lease), extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  operations: ["count", "resolve", "isHeld", "letters", "putBack", "takeBack"],
  can: ["buried"],
  storage: Effect.map(makeStore(lease), (store) => ({
    open: connect(store),
    buried: Effect.sync(() =>
      store.contents().deadLetters.map(({ reason, transaction }) => ({ id: transaction.id, reason }))
    )
  }))
})

export const push = (prefetch: number, options: PushSource.Options = {}): Harness.Source => ({
  name: "PushSource",
  time: "test",
  capabilities: PushSource.capabilities,
  operations: ["count", "isHeld"],
  can: ["cut", "buried"],
  prefetch,
  storage: Effect.map(PushSource.make({ prefetch, ...options }), (broker) => ({
    open: broker.connect,
    enqueue: broker.publish,
    cut: broker.cut,
    buried: Effect.map(
      broker.contents,
      ({ deadLetters }) => deadLetters.map(({ reason, transaction }) => ({ id: transaction.id, reason }))
    )
  }))
})

export const watermark = (partitions: number): Harness.Source => ({
  name: `WatermarkSource of ${partitions}`,
  time: "test",
  capabilities: WatermarkSource.capabilities,
  operations: ["count", "isHeld"],
  can: ["cut"],
  storage: Effect.map(WatermarkSource.make({ partitions }), (topic) => {
    let next = 0
    return {
      open: topic.connect,
      enqueue: Effect.forEach((transaction) => topic.append(next++, [transaction]), { discard: true }),
      cut: topic.revokeAll
    }
  })
})

const refuses = (n: number) => Transaction.make(`refused-${n}`, { refused: n })

/** A sink that refuses some transactions, and keeps the others. */
const picky = (sink: SinkService): SinkService => ({
  ...sink,
  dispatch: (transactions) => {
    const failed = transactions.flatMap(({ id }, index) =>
      id.startsWith("refused") ? [{ index, reason: new InvalidRequest({ message: "too large" }) }] : []
    )
    const kept = sink.dispatch(transactions.filter(({ id }) => !id.startsWith("refused")))
    const [first] = failed
    return first === undefined
      ? kept
      : Effect.andThen(kept, Effect.fail(new DispatchError({ reason: first.reason, failed })))
  }
})

export const sink = (
  change: (sink: SinkService) => SinkService = (sink) => sink,
  { heals } = { heals: true }
): Harness.Sink => ({
  name: "Memory.sink",
  time: "test",
  can: ["refused", "cut"],
  storage: Effect.sync(() => {
    const record: Array<Transaction.Transaction<unknown>> = []
    let connected = true
    const reconnecting = (sink: SinkService): SinkService => ({
      ...sink,
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (connected) return sink.dispatch(transactions)
          connected = heals
          return Effect.fail(new DispatchError({ reason: new ConnectionLost({ message: "reset by peer" }) }))
        })
    })
    return {
      open: Effect.map(recordingSink(record), (sink) => change(picky(reconnecting(sink)))),
      received: Effect.sync(() => [...record]),
      refused: refuses,
      cut: Effect.sync(() => {
        connected = false
      })
    }
  })
})

export const deadLetters = (change: (sink: SinkService) => SinkService = (sink) => sink): Harness.DeadLetters => ({
  name: "Memory.deadLetters",
  time: "test",
  storage: Effect.sync(() => {
    const ledger = new Ledger<Transaction.Transaction<unknown>>()
    return { open: Effect.map(letterSink(ledger), change) }
  })
})
