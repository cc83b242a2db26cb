import { describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { connect } from "../internal/memory/connect.ts"
import { recordingSink } from "../internal/memory/record.ts"
import { Store } from "../internal/memory/store.ts"
import type * as Transaction from "../Transaction.ts"
import { Conformance, type Harness, type Law, PushSource, WatermarkSource } from "./index.ts"

const memory = (name: string, options: { readonly lease?: number; readonly crash?: boolean }): Harness.Source => ({
  name,
  time: "test",
  capabilities: {
    settlement: "each",
    lease: options.lease === undefined ? undefined : { duration: Duration.millis(options.lease), extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  operations: ["count", "resolve", "isHeld"],
  can: ["buried"],
  storage: Effect.map(Clock.Clock, (clock) => {
    const store = new Store({
      clock,
      lease: options.lease,
      history: 100,
      countsDeliveries: true,
      delaysRequeues: true,
      buriesDeadLetters: true,
      end: false,
      key: undefined,
      malformed: undefined
    })
    return {
      open: Effect.map(connect(store), ({ source }) => source),
      enqueue: (transactions) => Effect.sync(() => store.offer(transactions)),
      buried: Effect.sync(() =>
        store.contents().deadLetters.map(({ reason, transaction }) => ({ id: transaction.id, reason }))
      )
    }
  })
})

const push: Harness.Source = {
  name: "PushSource",
  time: "test",
  capabilities: PushSource.capabilities,
  operations: ["count", "isHeld"],
  can: ["cut", "buried"],
  prefetch: 8,
  storage: Effect.map(PushSource.make({ prefetch: 8 }), (broker) => ({
    open: broker.connect,
    enqueue: broker.publish,
    cut: broker.cut,
    buried: Effect.map(
      broker.contents,
      ({ deadLetters }) => deadLetters.map(({ reason, transaction }) => ({ id: transaction.id, reason }))
    )
  }))
}

const watermark = (partitions: number): Harness.Source => ({
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

const memorySink: Harness.Sink = {
  name: "Memory.sink",
  time: "test",
  can: [],
  storage: Effect.sync(() => {
    const record: Array<Transaction.Transaction<unknown>> = []
    return { open: recordingSink(record), received: Effect.sync(() => [...record]) }
  })
}

const check = (name: string, laws: ReadonlyArray<Law.Law>) =>
  describe(name, () => {
    for (const law of laws) {
      if (law.applies === true) it.effect(law.name, () => law.check)
      else it.skip(`${law.name} (does not apply: ${law.applies})`)
    }
  })

const sources = [
  memory("Memory", {}),
  memory("Memory with leases", { lease: 60_000 }),
  push,
  watermark(1),
  watermark(4)
]
for (const harness of sources) check(harness.name, Conformance.source(harness))
check(memorySink.name, Conformance.sink(memorySink))
