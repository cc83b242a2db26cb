/**
 * Laws of who holds a delivery: crashes, closing, leases and lost connections.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { SourceService } from "../../Connector.ts"
import type { SettleError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import { all, always, can, extendsLeases, has, leases, losesDeliveries, settles, type SourceLaw } from "./sourceLaw.ts"
import { type Broken, broken, distinct, endIsEmpty, expect, ids, request, sameIds, type Trial, works } from "./trial.ts"

const counted = (trial: Trial, before: ReadonlyArray<Delivery>, after: ReadonlyArray<Delivery>) => {
  const counts = new Map(before.map(({ deliveries, transaction }) => [transaction.id, deliveries]))
  const low = after.find(({ deliveries, transaction }) => deliveries <= (counts.get(transaction.id) ?? -1))
  return expect(
    !trial.counts || low === undefined,
    () => `${low?.transaction.id} came back with count ${low?.deliveries}, which is not higher than before`
  )
}

const crash: SourceLaw = {
  name: "what a crash left unsettled is delivered again",
  applies: settles,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(4))
    const first = yield* trial.openApart()
    const before = yield* trial.collect(first.source, 4)
    yield* trial.ack(first.source, before.slice(0, 1))
    const partition = before[0]?.partition
    const left = before.slice(1)
    if (trial.storage.crash !== undefined) {
      yield* works("crashing", trial.storage.crash)
    } else if (trial.lease === undefined) {
      yield* first.close
    }
    const second = yield* trial.open()
    if (trial.lease !== undefined) yield* trial.time.pass(1.25 * trial.lease)
    const after = yield* trial.collect(second, left.length, trial.time.patience)
    yield* sameIds(
      `after a crash${partition === undefined ? "" : ` with ${before[0]?.transaction.id} of ${partition} committed`}`,
      after,
      left
    )
    yield* counted(trial, left, after)
  })
}

const closingGivesBack: SourceLaw = {
  name: "closing gives back what was not settled",
  applies: settles,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(4))
    const first = yield* trial.openApart()
    const before = yield* trial.collect(first.source, 3)
    yield* first.close
    const after = yield* trial.collect(yield* trial.open(), 4)
    yield* distinct(ids(after))
    const missing = ids(before).find((id) => !ids(after).includes(id))
    yield* expect(missing === undefined, () => `${missing} did not come back`)
  })
}

const closingEndsFetch: SourceLaw = {
  name: "closing ends a waiting fetch with nothing",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const { close, source } = yield* trial.openApart()
    const { patience } = trial.time
    const waiting = yield* Effect.forkChild(works("fetching", endIsEmpty(source.fetch(request(5, 50 * patience)))))
    yield* trial.time.moment(20)
    yield* close
    const deliveries = yield* trial.time.within(
      "a fetch that waited when its connector closed",
      patience,
      Fiber.join(waiting)
    )
    yield* expect(deliveries.length === 0, () => `${ids(deliveries).join(", ")} came from a closed connector`)
  })
}

const fetchAfterClosing: SourceLaw = {
  name: "a fetch after closing fails",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(1))
    const { close, source } = yield* trial.openApart()
    yield* close
    const { look, patience } = trial.time
    const exit = yield* trial.time.within(
      "a fetch after closing",
      look + patience,
      Effect.exit(source.fetch(request(1, look)))
    )
    if (Exit.isSuccess(exit)) {
      return yield* broken(`it handed over ${exit.value.length === 0 ? "nothing" : ids(exit.value).join(", ")} instead`)
    }
    const error = Exit.findError(exit)
    yield* expect(
      Result.isSuccess(error) && error.success._tag === "FetchError",
      () => `it ended otherwise than with a FetchError: ${exit.cause}`
    )
  })
}

const expired: SourceLaw = {
  name: "an expired lease is delivered again",
  applies: leases,
  check: Effect.fnUntraced(function*(trial) {
    const lease = trial.lease ?? 0
    yield* trial.enqueue(trial.transactions(1))
    const source = yield* trial.open()
    const before = yield* trial.collect(source, 1)
    yield* trial.time.pass(0.5 * lease)
    yield* trial.quiet(source, "before its lease was over", 0)
    yield* trial.time.pass(0.75 * lease)
    const after = yield* trial.collect(source, 1, trial.time.patience)
    yield* sameIds("after its lease was over", after, before)
    yield* counted(trial, before, after)
  })
}

const extend = (trial: Trial, source: SourceService, deliveries: ReadonlyArray<Delivery>) => {
  const extended: Effect.Effect<ReadonlyArray<number>, SettleError | Broken> = source.extend?.(deliveries) ??
    broken("extend is missing")
  return trial.time.within("extending", trial.time.patience, works("extending", extended))
}

const extended: SourceLaw = {
  name: "an extended lease keeps its delivery",
  applies: extendsLeases,
  check: Effect.fnUntraced(function*(trial) {
    const lease = trial.lease ?? 0
    yield* trial.enqueue(trial.transactions(1))
    const source = yield* trial.open()
    const deliveries = yield* trial.collect(source, 1)
    for (let round = 0; round < 3; round++) {
      yield* trial.time.pass(0.6 * lease)
      const lost = yield* extend(trial, source, deliveries)
      yield* expect(lost.length === 0, () => `extending in time answered that ${lost.length} leases are lost`)
      yield* trial.quiet(source, "although its lease was extended", 0)
    }
    yield* trial.settle(source, deliveries, Disposition.ack)
  })
}

/** Two deliveries: the lease of the first is over, that of the second is not. */
const oneOverOneNot = (trial: Trial, source: SourceService) =>
  Effect.gen(function*() {
    const lease = trial.lease ?? 0
    yield* trial.enqueue(trial.transactions(2))
    const [first] = yield* trial.collect(source, 1)
    yield* trial.time.pass(0.7 * lease)
    const [second] = yield* trial.collect(source, 1)
    yield* trial.time.pass(0.5 * lease)
    if (first === undefined || second === undefined) return yield* broken("nothing arrived")
    return [first, second] as const
  })

const extendNames: SourceLaw = {
  name: "extending names the lost leases",
  applies: extendsLeases,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const [over, held] = yield* oneOverOneNot(trial, source)
    const lost = yield* extend(trial, source, [held, over, held])
    yield* expect(lost.join() === "1", () => `of [held, lost, held] it named [${lost.join(", ")}] instead of [1]`)
  })
}

const lostExactly = (settled: Result.Result<void, SettleError | Broken>, indices: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    if (Result.isSuccess(settled)) return yield* broken("settling succeeded although a delivery was lost")
    const error = settled.failure
    if (error._tag === "Broken") return yield* error
    if (error.failed === undefined) return yield* broken(`it failed as a whole: ${error.message}`)
    const named = error.failed.map(({ index }) => index).toSorted((left, right) => left - right).join(", ")
    yield* expect(named === indices.join(", "), () => `it named [${named}] instead of [${indices.join(", ")}]`)
    const other = error.failed.find(({ reason }) => reason._tag !== "LeaseLost")
    yield* expect(other === undefined, () => `the reason is ${other?.reason._tag}`)
  })

const acks = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<Disposition.Settlement> =>
  deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack))

/** Fetches until something comes, across failures that are worth another try. */
const patiently = (trial: Trial, source: SourceService, count: number) =>
  Effect.gen(function*() {
    const deliveries: Array<Delivery> = []
    const { look, patience } = trial.time
    for (let waited = 0; deliveries.length < count && waited <= 2 * patience; waited += look) {
      const fetched = yield* trial.time.within(
        "a fetch",
        look + patience,
        Effect.result(endIsEmpty(source.fetch(request(count - deliveries.length, look))))
      )
      if (Result.isSuccess(fetched)) deliveries.push(...fetched.success)
      else if (!fetched.failure.reason.isRetryable)
        return yield* broken(`a fetch failed for good: ${fetched.failure.message}`)
      else yield* trial.time.pass(look)
    }
    return deliveries
  })

const settleLost: SourceLaw = {
  name: "settling what was lost fails with LeaseLost for exactly that",
  applies: losesDeliveries,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    if (trial.lease !== undefined) {
      const [over, held] = yield* oneOverOneNot(trial, source)
      yield* lostExactly(yield* Effect.result(trial.settleExit(source, acks([held, over]))), [1])
      yield* sameIds("after the lost one was acknowledged", yield* trial.collect(source, 1), [over])
      return
    }
    yield* trial.enqueue(trial.transactions(2))
    const before = yield* trial.collect(source, 2)
    yield* works("cutting the connection", trial.storage.cut ?? Effect.void)
    yield* lostExactly(yield* Effect.result(trial.settleExit(source, acks(before))), [0, 1])
    const after = yield* patiently(trial, source, 2)
    yield* sameIds("after the connection was cut", after, before)
    const [again] = after
    if (again === undefined) return
    yield* lostExactly(yield* Effect.result(trial.settleExit(source, acks([again, ...before]))), [1, 2])
  })
}

const notHeld: SourceLaw = {
  name: "a lost delivery is no longer held",
  applies: all(has("isHeld"), losesDeliveries),
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const isHeld = (delivery: Delivery) => source.isHeld?.(delivery)
    yield* trial.enqueue(trial.transactions(1))
    const before = yield* trial.collect(source, 1)
    yield* expect(before.every(isHeld), () => "isHeld says no right after the fetch")
    if (trial.lease !== undefined) yield* trial.time.pass(1.25 * trial.lease)
    else yield* works("cutting the connection", trial.storage.cut ?? Effect.void)
    const after = yield* patiently(trial, source, 1)
    yield* expect(!before.some(isHeld), () => "isHeld still says yes")
    yield* expect(after.every(isHeld), () => "isHeld says no of the next hand-over")
  })
}

const heals: SourceLaw = {
  name: "a cut connection heals by itself and is consumed from",
  applies: can("cut"),
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const seen = new Set<string>()
    for (let round = 0; round < 3; round++) {
      yield* works("cutting the connection", trial.storage.cut ?? Effect.void)
      yield* trial.enqueue([trial.transaction(2 * round + 1), trial.transaction(2 * round + 2)])
      const deliveries = yield* patiently(trial, source, 2)
      yield* expect(deliveries.length === 2, () => `${deliveries.length} of 2 arrived after cut ${round + 1}`)
      for (const id of ids(deliveries)) seen.add(id)
      yield* Effect.ignore(trial.ack(source, deliveries))
    }
    yield* expect(seen.size === 6, () => `${seen.size} of 6 transactions arrived after three cuts`)
    if (source.health !== undefined) yield* works("the health after healing", source.health)
  })
}

export const holdingLaws: ReadonlyArray<SourceLaw> = [
  crash,
  closingGivesBack,
  closingEndsFetch,
  fetchAfterClosing,
  expired,
  extended,
  extendNames,
  settleLost,
  notHeld,
  heals
]
