import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Scope } from "effect"
import type { QueueService, SinkService, SourceService } from "../Connector.ts"
import { DispatchError, FetchError, SettleError } from "../ConnectorError.ts"
import * as Delivery from "../Delivery.ts"
import * as Disposition from "../Disposition.ts"
import { letterMutants } from "../internal/conformance/letterMutants.ts"
import { makeStore, push, queue, sink, watermark } from "../internal/conformance/harnesses.ts"
import { connect } from "../internal/memory/connect.ts"
import type { Store } from "../internal/memory/store.ts"
import { InvalidRequest, Unknown } from "../Reason.ts"
import * as Transaction from "../Transaction.ts"
import { Conformance, type Harness, type Law, WatermarkSource } from "./index.ts"

/** The queue in memory with its source changed. */
const mutant = (
  change: (source: SourceService, queue: QueueService) => SourceService,
  harness: Harness.Queue = queue()
): Harness.Source => ({
  ...harness,
  can: ["buried"],
  storage: Effect.map(harness.storage, (storage) => ({
    buried: storage.buried,
    open: Effect.map(storage.open, (queue) => change(queue.source, queue)),
    enqueue: (transactions) => Effect.scoped(Effect.flatMap(storage.open, ({ sink }) => sink.dispatch(transactions)))
  }))
})

const withLeases = queue(60_000)

/** Changes every delivery that a source hands over. */
const handingOver =
  (change: (delivery: Delivery.Delivery) => Delivery.Delivery) => (source: SourceService): SourceService => ({
    ...source,
    fetch: (request) => Effect.map(source.fetch(request), (deliveries) => deliveries.map(change))
  })

/** Changes what a source does with every settlement; `undefined` swallows it. */
const settling =
  (change: (settlement: Disposition.Settlement) => Disposition.Settlement | undefined) =>
  (source: SourceService): SourceService => ({
    ...source,
    settle: (settlements) => source.settle(settlements.flatMap((settlement) => change(settlement) ?? []))
  })

const insteadOf = (tag: Disposition.Disposition["_tag"], disposition: Disposition.Disposition) =>
  settling((settlement) => settlement.disposition._tag === tag ? { ...settlement, disposition } : settlement)

const withMetadata = (keep: (key: string) => boolean) =>
  handingOver((delivery) => ({
    ...delivery,
    transaction: Transaction.make(
      delivery.transaction.id,
      delivery.transaction.payload,
      Object.fromEntries(Object.entries(delivery.transaction.metadata).filter(([key]) => keep(key)))
    )
  }))

/** A log that keeps the position it was told last. */
const naiveLog: Effect.Effect<Harness.SourceStorage> = Effect.sync(() => {
  const log: Array<Transaction.Transaction<unknown>> = []
  let committed = 0
  return {
    enqueue: (transactions) => Effect.sync(() => log.push(...transactions)),
    open: Effect.sync(() => {
      let position = committed
      return {
        format: "json",
        capabilities: WatermarkSource.capabilities,
        fetch: ({ max }) =>
          Effect.sync(() => {
            const from = position
            position = Math.min(log.length, from + max)
            return log.slice(from, position).map((transaction, index) =>
              Delivery.make(transaction, { partition: "0", receipt: from + index })
            )
          }),
        settle: (settlements) =>
          Effect.sync(() => {
            for (const { delivery } of settlements) committed = Number(delivery.receipt) + 1
          })
      }
    })
  }
})

const sinkMutant = (change: (sink: SinkService) => SinkService) => Conformance.sink(sink(change))

/** Broken connectors, each with the laws that are there to catch it. */
const mutants: ReadonlyArray<{
  readonly name: string
  readonly laws: ReadonlyArray<Law.Law>
  readonly caughtBy: ReadonlyArray<Law.SourceLawName | Law.SinkLawName>
}> = [
  {
    name: "declares a dead letter that it does not have",
    laws: Conformance.source(
      mutant((source) => ({ ...source, capabilities: { ...source.capabilities, deadLetter: "none" } }))
    ),
    caughtBy: ["it declares the capabilities of its harness"]
  },
  {
    name: "drops null fields",
    laws: Conformance.source(mutant(handingOver((delivery) => ({
      ...delivery,
      transaction: Transaction.withPayload(
        delivery.transaction,
        JSON.parse(JSON.stringify(delivery.transaction.payload, (_, value) => value === null ? undefined : value))
      )
    })))),
    caughtBy: ["payloads survive the round trip"]
  },
  {
    name: "makes ids of its own for every delivery",
    laws: Conformance.source(mutant(handingOver((delivery) => ({
      ...delivery,
      transaction: Transaction.make(`${delivery.transaction.id}/${delivery.deliveries}`, delivery.transaction.payload)
    })))),
    caughtBy: ["ids survive the round trip", "ids stay the same across redelivery"]
  },
  {
    name: "loses metadata",
    laws: Conformance.source(mutant(withMetadata((key) => key.startsWith("trace")))),
    caughtBy: ["metadata survives the round trip"]
  },
  {
    name: "loses the trace",
    laws: Conformance.source(mutant(withMetadata((key) => !key.startsWith("trace")))),
    caughtBy: ["the trace context survives the round trip"]
  },
  {
    name: "hands over one more than asked for",
    laws: Conformance.source(
      mutant((source) => ({ ...source, fetch: (request) => source.fetch({ ...request, max: request.max + 1 }) }))
    ),
    caughtBy: ["a fetch hands over at most max"]
  },
  {
    name: "fills its batch before it answers",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      fetch: (request) =>
        Effect.flatMap(
          source.fetch(request),
          (deliveries) =>
            deliveries.length === request.max || deliveries.length === 0
              ? Effect.succeed(deliveries)
              : Effect.map(
                source.fetch({ ...request, max: request.max - deliveries.length }),
                (more) => [...deliveries, ...more]
              )
        )
    }))),
    caughtBy: ["a fetch answers at once when something is there"]
  },
  {
    name: "waits for ever",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      fetch: (request) => source.fetch({ ...request, wait: Duration.infinity })
    }))),
    caughtBy: ["an empty fetch ends within its wait"]
  },
  {
    name: "looks again only when its wait is over",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      fetch: (request) =>
        Effect.flatMap(source.fetch({ ...request, wait: Duration.zero }), (deliveries) =>
          deliveries.length > 0
            ? Effect.succeed(deliveries)
            : Effect.andThen(Effect.sleep(request.wait), source.fetch({ ...request, wait: Duration.zero })))
    }))),
    caughtBy: ["a waiting fetch answers when something arrives"]
  },
  {
    name: "hands over again what is in flight",
    laws: Conformance.source(mutant((source) => {
      let last: ReadonlyArray<Delivery.Delivery> = []
      return {
        ...source,
        fetch: (request) =>
          Effect.map(source.fetch(request), (deliveries) => {
            const again = deliveries.length === 0
              ? last.filter((delivery) => source.isHeld?.(delivery)).slice(0, 1)
              : []
            if (deliveries.length > 0) last = deliveries
            return [...deliveries, ...again]
          })
      }
    })),
    caughtBy: ["nothing is handed over twice while it is in flight", "concurrent fetches share no delivery"]
  },
  {
    name: "is read by every connector anew",
    laws: Conformance.source({
      ...mutant((source) => source),
      storage: Effect.sync(() => {
        const stores: Array<Store> = []
        const sent: Array<Transaction.Transaction<unknown>> = []
        return {
          open: Effect.flatMap(makeStore(), (store) => {
            stores.push(store)
            store.offer(sent)
            return Effect.map(connect(store), ({ source }) => source)
          }),
          enqueue: (transactions) =>
            Effect.sync(() => {
              sent.push(...transactions)
              for (const store of stores) store.offer(transactions)
            })
        }
      })
    }),
    caughtBy: ["two connectors share no delivery"]
  },
  {
    name: "goes on fetching when its fetch is interrupted",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      fetch: (request) => Effect.flatMap(Effect.forkDetach(source.fetch(request)), Fiber.join)
    }))),
    caughtBy: ["an interrupted fetch neither loses nor duplicates"]
  },
  {
    name: "pushes more than the prefetch",
    laws: Conformance.source(push(8, { prefetch: 9 })),
    caughtBy: ["unsettled deliveries never exceed the prefetch"]
  },
  {
    name: "forgets acknowledgements",
    laws: Conformance.source(
      mutant(settling((settlement) => settlement.disposition._tag === "Ack" ? undefined : settlement))
    ),
    caughtBy: ["an acknowledged delivery never comes back"]
  },
  {
    name: "does not count a requeue",
    laws: Conformance.source(mutant(insteadOf("Requeue", Disposition.release))),
    caughtBy: ["a requeued delivery comes back"]
  },
  {
    name: "loses what is requeued",
    laws: Conformance.source(mutant(insteadOf("Requeue", Disposition.ack))),
    caughtBy: ["a requeued delivery comes back"]
  },
  {
    name: "ignores the delay of a requeue",
    laws: Conformance.source(mutant(insteadOf("Requeue", Disposition.requeue()))),
    caughtBy: ["a requeue delay is respected"]
  },
  {
    name: "loses the reason of a dead letter",
    laws: Conformance.source(mutant(insteadOf("DeadLetter", Disposition.deadLetter("failed")))),
    caughtBy: ["a dead letter is kept with its reason and never comes back"]
  },
  {
    name: "acknowledges a dead letter",
    laws: Conformance.source(mutant(insteadOf("DeadLetter", Disposition.ack))),
    caughtBy: ["a dead letter is kept with its reason and never comes back"]
  },
  {
    name: "counts a release",
    laws: Conformance.source(mutant(insteadOf("Release", Disposition.requeue()))),
    caughtBy: ["a released delivery comes back untouched"]
  },
  {
    name: "requeues as often as it is told",
    laws: Conformance.source(mutant((source, { sink }) => {
      const settled = new Set<Delivery.Delivery>()
      return {
        ...source,
        settle: Effect.forEach((settlement) => {
          const again = settled.has(settlement.delivery) && settlement.disposition._tag === "Requeue"
          settled.add(settlement.delivery)
          return again ? Effect.orDie(sink.dispatch([settlement.delivery.transaction])) : source.settle([settlement])
        }, { discard: true })
      }
    })),
    caughtBy: ["settling twice changes nothing"]
  },
  {
    name: "settles by id, not by hand-over",
    laws: Conformance.source(mutant((source) => {
      const current = new Map<string, Delivery.Delivery>()
      return {
        ...source,
        fetch: (request) =>
          Effect.tap(source.fetch(request), (deliveries) =>
            Effect.sync(() => {
              for (const delivery of deliveries) current.set(delivery.transaction.id, delivery)
            })),
        settle: (settlements) =>
          source.settle(settlements.map((settlement) => ({
            ...settlement,
            delivery: current.get(settlement.delivery.transaction.id) ?? settlement.delivery
          })))
      }
    })),
    caughtBy: ["an old receipt settles nothing"]
  },
  {
    name: "settles a whole batch as its first",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      settle: (settlements) =>
        source.settle(settlements.map((settlement) => ({
          ...settlement,
          disposition: settlements[0]?.disposition ?? Disposition.ack
        })))
    }))),
    caughtBy: ["each of a batch is settled by its own disposition"]
  },
  {
    name: "commits what it handed over, not what was settled",
    laws: Conformance.source({
      ...watermark(1),
      storage: Effect.map(watermark(1).storage, (storage) => ({
        ...storage,
        open: Effect.map(storage.open, (source) => {
          let last: Delivery.Delivery | undefined
          return {
            ...source,
            fetch: (request) =>
              Effect.tap(source.fetch(request), (deliveries) =>
                Effect.sync(() => {
                  last = deliveries.at(-1) ?? last
                })),
            settle: (settlements) =>
              source.settle(settlements.map((settlement) => ({ ...settlement, delivery: last ?? settlement.delivery })))
          }
        })
      }))
    }),
    caughtBy: ["a commit covers what was settled and nothing after it"]
  },
  {
    name: "commits whatever it was told last",
    laws: Conformance.source({ ...watermark(1), operations: [], can: [], storage: naiveLog }),
    caughtBy: ["a commit never goes back"]
  },
  {
    name: "serves the newest first",
    laws: Conformance.source({
      ...mutant((source) => ({
        ...source,
        capabilities: { ...source.capabilities, ordering: "total" },
        fetch: (request) => Effect.map(source.fetch(request), (deliveries) => deliveries.toReversed())
      })),
      capabilities: { ...queue().capabilities, ordering: "total" }
    }),
    caughtBy: ["the order is kept"]
  },
  {
    name: "never ends a lease",
    laws: Conformance.source({
      ...mutant((source) => ({
        ...source,
        capabilities: withLeases.capabilities
      })),
      capabilities: withLeases.capabilities
    }),
    caughtBy: ["an expired lease is delivered again"]
  },
  {
    name: "hands over a batch back to front",
    laws: Conformance.source({
      ...watermark(1),
      storage: Effect.map(watermark(1).storage, (storage) => ({
        ...storage,
        open: Effect.map(storage.open, (source) => ({
          ...source,
          fetch: (request) => Effect.map(source.fetch(request), (deliveries) => deliveries.toReversed())
        }))
      }))
    }),
    caughtBy: ["the order of each key is kept"]
  },
  {
    name: "keeps what it holds when it closes",
    laws: Conformance.source({
      ...mutant((source) => source),
      storage: Effect.map(makeStore(), (store) => ({
        open: Effect.flatMap(
          Scope.make(),
          (scope) => Effect.map(Scope.provide(connect(store), scope), ({ source }) => source)
        ),
        enqueue: (transactions) => Effect.sync(() => store.offer(transactions))
      }))
    }),
    caughtBy: ["closing gives back what was not settled", "what a crash left unsettled is delivered again"]
  },
  {
    name: "leaves a waiting fetch behind when it closes",
    laws: Conformance.source({
      ...mutant((source) => source),
      storage: Effect.map(makeStore(), (store) => ({
        open: Effect.map(connect(store), ({ source }) => ({
          ...source,
          fetch: (request) =>
            Effect.flatMap(
              source.fetch(request),
              (deliveries) =>
                deliveries.length === 0 && Duration.toMillis(request.wait) > 10_000
                  ? Effect.never
                  : Effect.succeed(deliveries)
            )
        })),
        enqueue: (transactions) => Effect.sync(() => store.offer(transactions))
      }))
    }),
    caughtBy: ["closing ends a waiting fetch with nothing"]
  },
  {
    name: "answers with nothing after closing",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      fetch: (request) => Effect.catchTag(source.fetch(request), "FetchError", () => Effect.succeed([]))
    }))),
    caughtBy: ["a fetch after closing fails"]
  },
  {
    name: "cannot extend, but says so",
    laws: Conformance.source(mutant((source) => ({ ...source, extend: () => Effect.succeed([]) }), withLeases)),
    caughtBy: ["an extended lease keeps its delivery", "extending names the lost leases"]
  },
  {
    name: "names no lost lease when it extends",
    laws: Conformance.source(
      mutant((source) => ({
        ...source,
        extend: (deliveries) => Effect.as(source.extend?.(deliveries) ?? Effect.void, [])
      }), withLeases)
    ),
    caughtBy: ["extending names the lost leases"]
  },
  {
    name: "hides that a lease was lost",
    laws: Conformance.source(
      mutant(
        (source) => ({ ...source, settle: (settlements) => Effect.ignore(source.settle(settlements)) }),
        withLeases
      )
    ),
    caughtBy: ["settling what was lost fails with LeaseLost for exactly that"]
  },
  {
    name: "fails a batch as a whole when one lease is lost",
    laws: Conformance.source(
      mutant((source) => ({
        ...source,
        settle: (settlements) =>
          Effect.mapError(source.settle(settlements), ({ reason }) => new SettleError({ reason }))
      }), withLeases)
    ),
    caughtBy: ["settling what was lost fails with LeaseLost for exactly that"]
  },
  {
    name: "always says that it holds a delivery",
    laws: Conformance.source(mutant((source) => ({ ...source, isHeld: () => true }), withLeases)),
    caughtBy: ["a lost delivery is no longer held"]
  },
  {
    name: "is connected but not consuming after a cut",
    laws: Conformance.source(push(8, { reconnect: Duration.infinity })),
    caughtBy: ["a cut connection heals by itself and is consumed from"]
  },
  {
    name: "shows a transaction without claiming it",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      resolve: (id) =>
        Effect.tap(
          source.resolve?.(id) ?? Effect.never,
          (delivery) => Effect.ignore(source.settle([Disposition.settlement(delivery, Disposition.release)]))
        )
    }))),
    caughtBy: ["resolving claims one transaction by its id"]
  },
  {
    name: "does not say that an id is unknown",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      resolve: (id) =>
        Effect.mapError(
          source.resolve?.(id) ?? Effect.never,
          () => new FetchError({ reason: new Unknown({ message: "no rows" }) })
        )
    }))),
    caughtBy: ["resolving an unknown id fails with NotFound"]
  },
  {
    name: "does not count what is in flight",
    laws: Conformance.source(mutant((source) => ({
      ...source,
      count: Effect.map(source.count ?? Effect.never, (count) => ({ ...count, inFlight: 0 }))
    }))),
    caughtBy: ["the count is truthful"]
  },
  {
    name: "logs its password",
    laws: Conformance.source({
      ...mutant((source) => ({
        ...source,
        fetch: (request) =>
          Effect.andThen(Effect.logDebug("connected to amqp://user:hunter2@host"), source.fetch(request))
      })),
      secrets: ["hunter2"]
    }),
    caughtBy: ["no secret shows in an error, a log or a span"]
  },
  {
    name: "puts its password into an error",
    laws: Conformance.source({
      ...mutant((source) => ({
        ...source,
        fetch: (request) =>
          Effect.catchTag(source.fetch(request), "FetchError", () =>
            Effect.fail(
              new FetchError({
                reason: new Unknown({
                  message: "refused",
                  cause: { options: { url: new Map([["url", "amqp://user:hunter2@host"]]) } }
                })
              })
            ))
      })),
      secrets: ["hunter2"]
    }),
    caughtBy: ["no secret shows in an error, a log or a span"]
  },
  {
    name: "puts its password into a span",
    laws: Conformance.source({
      ...mutant((source) => ({
        ...source,
        fetch: (request) =>
          Effect.withSpan(source.fetch(request), "fetch", { attributes: { url: "user:hunter2@host" } })
      })),
      secrets: ["hunter2"]
    }),
    caughtBy: ["no secret shows in an error, a log or a span"]
  },
  {
    name: "loses the last of a batch",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => sink.dispatch(batch.slice(0, Math.max(1, batch.length - 1)))
    })),
    caughtBy: ["dispatched payloads arrive", "all of a confirmed batch has arrived"]
  },
  {
    name: "confirms before anything has arrived",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => Effect.asVoid(Effect.forkDetach(Effect.delay(sink.dispatch(batch), "1 second")))
    })),
    caughtBy: ["all of a confirmed batch has arrived"]
  },
  {
    name: "gives every transaction an id of its own",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) =>
        sink.dispatch(batch.map(({ id, metadata, payload }) => Transaction.make(`${id}'`, payload, metadata)))
    })),
    caughtBy: ["dispatched ids arrive"]
  },
  {
    name: "sends payloads only",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => sink.dispatch(batch.map(({ id, payload }) => Transaction.make(id, payload)))
    })),
    caughtBy: ["dispatched metadata arrives", "the dispatched trace context arrives"]
  },
  {
    name: "cannot send nothing",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) =>
        batch.length > 0
          ? sink.dispatch(batch)
          : Effect.fail(new DispatchError({ reason: new InvalidRequest({ message: "no rows" }) }))
    })),
    caughtBy: ["an empty batch is confirmed"]
  },
  {
    name: "shares one buffer among dispatches",
    laws: sinkMutant((sink) => {
      let buffer: ReadonlyArray<Transaction.Transaction<unknown>> = []
      return {
        ...sink,
        dispatch: (batch) =>
          Effect.suspend(() => {
            buffer = batch
            return Effect.flatMap(Effect.yieldNow, () => sink.dispatch(buffer))
          })
      }
    }),
    caughtBy: ["concurrent dispatches all arrive once"]
  },
  {
    name: "never sends again after a cut",
    laws: Conformance.sink(sink((sink) => sink, { heals: false })),
    caughtBy: ["a cut connection heals by itself and is dispatched to"]
  },
  {
    name: "does not name the ones that failed",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => Effect.mapError(sink.dispatch(batch), ({ reason }) => new DispatchError({ reason }))
    })),
    caughtBy: ["a batch that fails in part names the ones that failed"]
  },
  {
    name: "sends the others twice when one fails",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => Effect.tapError(sink.dispatch(batch), () => sink.dispatch(batch))
    })),
    caughtBy: ["a batch that fails in part names the ones that failed"]
  },
  {
    name: "confirms after closing",
    laws: sinkMutant((sink) => ({
      ...sink,
      dispatch: (batch) => Effect.catchIf(sink.dispatch(batch), ({ failed }) => failed === undefined, () => Effect.void)
    })),
    caughtBy: ["a dispatch after closing fails"]
  },
  ...letterMutants
]

describe("a connector that", () => {
  it.effect.each(mutants)("$name is caught", ({ caughtBy, laws }) =>
    Effect.gen(function*() {
      const report = yield* Conformance.run(laws)
      const broken = report.results.filter(({ _tag }) => _tag === "Broken").map(({ law }) => law)
      assert.includeMembers(broken, [...caughtBy])
      assert.isFalse(report.holds)
    }))
})

describe("every law", () => {
  it("has caught a broken connector", () => {
    const caughtBy = new Set<string>(mutants.flatMap(({ caughtBy }) => caughtBy))
    const laws = [...Conformance.source(push(8)), ...Conformance.sink(sink())].map(({ name }) => name)
    assert.deepStrictEqual(laws.filter((name) => !caughtBy.has(name)), [])
  })
})
