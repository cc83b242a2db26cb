/**
 * Laws of fetching: how much, how soon, in which order, and to whom.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SourceService } from "../../Connector.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import { all, always, ordered, pushes, settlesEach, type SourceLaw } from "./sourceLaw.ts"
import { broken, distinct, endIsEmpty, expect, ids, request, type Trial, works } from "./trial.ts"

const atMostMax: SourceLaw = {
  name: "a fetch hands over at most max",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(7))
    const source = yield* trial.open()
    const deliveries: Array<Delivery> = []
    for (const max of [1, 2, 3, 1]) {
      const batch = yield* trial.collect(source, max)
      yield* trial.ack(source, batch)
      deliveries.push(...batch)
    }
    yield* distinct(ids(deliveries))
  })
}

const atOnce: SourceLaw = {
  name: "a fetch answers at once when something is there",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(2))
    const source = yield* trial.open()
    const [first] = yield* trial.collect(source, 1)
    if (first === undefined) return yield* broken("nothing arrived")
    const { patience } = trial.time
    const fetch = works("fetching", endIsEmpty(source.fetch(request(10, 20 * patience))))
    const second = yield* trial.time.within(
      `a fetch that waits ${20 * patience} ms for a second delivery`,
      patience,
      fetch
    )
    yield* expect(second.length === 1, () => `${second.length} deliveries came instead of one`)
  })
}

const boundedWait: SourceLaw = {
  name: "an empty fetch ends within its wait",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const { patience, look } = trial.time
    for (const wait of [0, look]) {
      const fetch = works("fetching", endIsEmpty(source.fetch(request(5, wait))))
      const slack = trial.harness.time === "test" ? 0 : patience
      const deliveries = yield* trial.time.within(`an empty fetch that may wait ${wait} ms`, wait + slack, fetch)
      yield* expect(deliveries.length === 0, () => `${ids(deliveries).join(", ")} came out of nothing`)
    }
  })
}

const wakesUp: SourceLaw = {
  name: "a waiting fetch answers when something arrives",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const { patience } = trial.time
    const waiting = yield* Effect.forkChild(works("fetching", endIsEmpty(source.fetch(request(5, 20 * patience)))))
    yield* trial.time.moment(20)
    yield* trial.enqueue(trial.transactions(1))
    const deliveries = yield* trial.time.within("a waiting fetch", patience, Fiber.join(waiting))
    yield* expect(deliveries.length === 1, () => `${deliveries.length} deliveries came instead of one`)
  })
}

const notInFlight: SourceLaw = {
  name: "nothing is handed over twice while it is in flight",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(5))
    const source = yield* trial.open()
    const deliveries = yield* trial.collect(source, 5)
    yield* distinct(ids(deliveries))
    yield* trial.quiet(source, "again while it was in flight", Math.min(trial.time.quiet, trial.soon))
  })
}

/** Lets several fetches for `max` run at once until `count` deliveries arrived or no more do. */
const together = (trial: Trial, sources: ReadonlyArray<SourceService>, max: number, count: number) =>
  Effect.gen(function*() {
    const seen: Array<Delivery> = []
    const { look, patience } = trial.time
    for (let waited = 0; seen.length < count && waited < patience; waited += look) {
      const fetches = sources.map((source) => endIsEmpty(source.fetch(request(max, look))))
      const batches = yield* trial.time.within(
        "concurrent fetches",
        look + patience,
        works("fetching", Effect.all(fetches, { concurrency: "unbounded" }))
      )
      seen.push(...batches.flat())
    }
    yield* distinct(ids(seen))
    yield* expect(seen.length === count, () => `${seen.length} of ${count} deliveries arrived`)
  })

const concurrent: SourceLaw = {
  name: "concurrent fetches share no delivery",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const count = Math.min(20, trial.harness.prefetch ?? 20)
    yield* trial.enqueue(trial.transactions(count))
    const source = yield* trial.open()
    yield* together(trial, [source, source, source, source], 3, count)
  })
}

const twoConnectors: SourceLaw = {
  name: "two connectors share no delivery",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const sources = [yield* trial.open(), yield* trial.open()]
    yield* trial.enqueue(trial.transactions(6))
    yield* together(trial, sources, 2, 6)
  })
}

const interrupted: SourceLaw = {
  name: "an interrupted fetch neither loses nor duplicates",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const rounds = 9
    const seen: Array<Delivery> = []
    let acked = 0
    for (let round = 0; round < rounds; round++) {
      const fiber = yield* Effect.forkChild(endIsEmpty(source.fetch(request(1, 20 * trial.time.patience))))
      yield* trial.time.moment(round % 3)
      const enqueued = yield* Effect.forkChild(trial.storage.enqueue([trial.transaction(round + 1)]))
      yield* trial.time.moment(Math.floor(round / 3))
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      if (Exit.isSuccess(exit)) seen.push(...exit.value)
      yield* trial.time.within("enqueueing", trial.time.patience, works("enqueueing", Fiber.join(enqueued)))
      if (trial.harness.prefetch !== undefined) yield* trial.ack(source, seen.slice(acked))
      acked = seen.length
    }
    const rest = yield* trial.collect(source, rounds - seen.length)
    yield* distinct(ids([...seen, ...rest]))
    yield* trial.quiet(source, "once more", Math.min(trial.time.quiet, trial.soon))
  })
}

const prefetch: SourceLaw = {
  name: "unsettled deliveries never exceed the prefetch",
  applies: all(pushes, settlesEach),
  check: Effect.fnUntraced(function*(trial) {
    const limit = trial.harness.prefetch ?? 1
    yield* trial.enqueue(trial.transactions(3 * limit))
    const source = yield* trial.open()
    const first = yield* trial.collect(source, limit)
    yield* trial.quiet(source, `although ${limit} deliveries were unsettled and the prefetch is ${limit}`)
    yield* trial.settle(source, first.slice(0, 1), Disposition.ack)
    const next = yield* trial.collect(source, 1)
    yield* distinct(ids([...first, ...next]))
    yield* trial.quiet(source, `although ${limit} deliveries were unsettled and the prefetch is ${limit}`)
  })
}

const inOrder = (trial: Trial, keyOf: (delivery: Delivery) => string) =>
  Effect.gen(function*() {
    const sent = trial.transactions(12)
    yield* trial.enqueue(sent)
    const source = yield* trial.open()
    const last = new Map<string, number>()
    for (let batch = 0; batch < 4; batch++) {
      const deliveries = yield* trial.collect(source, 3)
      for (const delivery of deliveries) {
        const key = keyOf(delivery)
        const index = trial.indexOf(sent, delivery)
        const before = last.get(key) ?? -1
        yield* expect(
          index > before,
          () => `${delivery.transaction.id} came after ${sent[before]?.id}${key === "" ? "" : ` of key ${key}`}`
        )
        last.set(key, index)
      }
      yield* trial.ack(source, deliveries)
    }
  })

const total: SourceLaw = {
  name: "the order is kept",
  applies: ordered("total"),
  check: (trial) => inOrder(trial, () => "")
}

const byKey: SourceLaw = {
  name: "the order of each key is kept",
  applies: ordered("byKey"),
  check: (trial) => inOrder(trial, (delivery) => delivery.key ?? delivery.partition ?? delivery.transaction.id)
}

export const fetchingLaws: ReadonlyArray<SourceLaw> = [
  atMostMax,
  atOnce,
  boundedWait,
  wakesUp,
  notInFlight,
  concurrent,
  twoConnectors,
  interrupted,
  prefetch,
  total,
  byKey
]
