/**
 * Laws of the optional operations: resolving by id and counting.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Count, SourceService } from "../../Connector.ts"
import type { FetchError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import { has, type SourceLaw } from "./sourceLaw.ts"
import { type Broken, broken, expect, ids, sameIds, type Trial, works } from "./trial.ts"

const resolve = (
  trial: Trial,
  source: SourceService,
  id: string
): Effect.Effect<Delivery, FetchError | Broken> => {
  const resolved: Effect.Effect<Delivery, FetchError | Broken> = source.resolve?.(id) ?? broken("resolve is missing")
  return trial.time.within(`resolving ${id}`, trial.time.patience, resolved)
}

const claims: SourceLaw = {
  name: "resolving claims one transaction by its id",
  applies: has("resolve"),
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(3))
    const first = yield* trial.openApart()
    const peeked = yield* trial.collect(first.source, 3)
    yield* first.close
    const source = yield* trial.open()
    const wanted = peeked[1]
    if (wanted === undefined) return yield* broken("nothing arrived")
    const claimed = yield* works("resolving", resolve(trial, source, wanted.transaction.id))
    yield* sameIds("resolved", [claimed], [wanted])
    const rest = yield* trial.collect(source, 2)
    yield* expect(!ids(rest).includes(wanted.transaction.id), () => `${wanted.transaction.id} was handed over as well`)
    yield* trial.settle(source, [claimed, ...rest], Disposition.ack)
    yield* trial.quiet(source, "after its Ack")
  })
}

const unknown: SourceLaw = {
  name: "resolving an unknown id fails with NotFound",
  applies: has("resolve"),
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(1))
    const resolved = yield* Effect.result(resolve(trial, yield* trial.open(), "no-such-id"))
    if (Result.isSuccess(resolved)) return yield* broken(`it claimed ${resolved.success.transaction.id}`)
    const error = resolved.failure
    if (error._tag === "Broken") return yield* error
    yield* expect(error.reason._tag === "NotFound", () => `it failed with ${error.reason._tag}`)
  })
}

const count: SourceLaw = {
  name: "the count is truthful",
  applies: has("count"),
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const expectCount = (what: string, all: number, inFlight: number, delayed: number) =>
      Effect.gen(function*() {
        const count: Effect.Effect<Count, FetchError | Broken> = source.count ?? broken("count is missing")
        const counted = yield* trial.time.within("counting", trial.time.patience, works("counting", count))
        const total = counted.ready + counted.inFlight + counted.delayed
        const holds = total === all && counted.inFlight >= inFlight && counted.delayed === delayed
        yield* expect(holds, () => `${what} it says ${JSON.stringify(counted)}`)
      })
    yield* expectCount("of an empty source", 0, 0, 0)
    yield* trial.enqueue(trial.transactions(5))
    const deliveries = yield* trial.collect(source, 3)
    yield* expectCount("of five transactions, three of them in flight,", 5, 3, 0)
    if (trial.harness.capabilities.settlement !== "each") return
    yield* trial.settle(source, deliveries.slice(0, 1), Disposition.ack)
    yield* expectCount("of four transactions, two of them in flight,", 4, 2, 0)
    if (trial.harness.capabilities.requeueDelay !== "native") return
    yield* trial.settle(source, deliveries.slice(1, 2), Disposition.requeue("1 hour"))
    yield* expectCount("of four transactions, one in flight and one delayed,", 4, 1, 1)
  })
}

export const askingLaws: ReadonlyArray<SourceLaw> = [claims, unknown, count]
