/**
 * Laws of sinks: what was confirmed has arrived, and what failed is named.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { SinkService } from "../../Connector.ts"
import type { DispatchError } from "../../ConnectorError.ts"
import type * as Harness from "../../testing/Harness.ts"
import type { SinkLawName } from "../../testing/Law.ts"
import * as Transaction from "../../Transaction.ts"
import { metadata, trace } from "./roundTrip.ts"
import { keepsSecrets, searchSink } from "./secrets.ts"
import { anyJson, type Broken, broken, type Check, expect, Time, works } from "./trial.ts"

/** One storage of a sink under one check. */
export class SinkTrial {
  readonly harness: Harness.Sink
  readonly storage: Harness.SinkStorage
  readonly time: Time

  constructor(harness: Harness.Sink, storage: Harness.SinkStorage) {
    this.harness = harness
    this.storage = storage
    this.time = new Time(harness)
  }

  open(): Check<SinkService> {
    return works("opening a connector", this.storage.open)
  }

  transaction(n: number, metadata?: Transaction.Metadata): Transaction.Transaction<unknown> {
    return Transaction.make(`law-${n}`, (this.harness.payload ?? anyJson)(n), metadata)
  }

  transactions(count: number): ReadonlyArray<Transaction.Transaction<unknown>> {
    return Array.from({ length: count }, (_, index) => this.transaction(index + 1))
  }

  dispatch(
    sink: SinkService,
    transactions: ReadonlyArray<Transaction.Transaction<unknown>>
  ): Effect.Effect<void, DispatchError | Broken> {
    return this.time.within("dispatching", this.time.patience, sink.dispatch(transactions))
  }

  received(): Check<ReadonlyArray<Transaction.Transaction<unknown>>> {
    return this.time.within(
      "reading what arrived",
      this.time.patience,
      works("reading what arrived", this.storage.received)
    )
  }

  /** Dispatches one batch through a new connector, and reads what has arrived. */
  arrive(transactions: ReadonlyArray<Transaction.Transaction<unknown>>) {
    return Effect.gen({ self: this }, function*() {
      const sink = yield* this.open()
      yield* works("dispatching", this.dispatch(sink, transactions))
      return yield* this.received()
    })
  }

  /** How often a transaction is among what arrived, by its payload. */
  times(
    received: ReadonlyArray<Transaction.Transaction<unknown>>,
    { payload }: Transaction.Transaction<unknown>
  ): number {
    return received.filter((arrived) => Equal.equals(arrived.payload, payload)).length
  }
}

export interface SinkLaw {
  readonly name: SinkLawName
  readonly applies: (harness: Harness.Sink) => true | string
  readonly check: (trial: SinkTrial) => Check<void>
}

const always = (): true => true

const can = (ability: Harness.Sink["can"][number], what: string) => (harness: Harness.Sink): true | string =>
  harness.can.includes(ability) || `the harness cannot ${what}`

const carries = (trial: SinkTrial, sent: Transaction.Metadata): Check<void> =>
  Effect.gen(function*() {
    const [arrived] = yield* trial.arrive([trial.transaction(1, sent)])
    for (const [key, value] of Object.entries(sent)) {
      yield* expect(
        arrived?.metadata[key] === value,
        () => `${key} was ${JSON.stringify(value)} and arrived as ${JSON.stringify(arrived?.metadata[key])}`
      )
    }
  })

const eachOnce = (
  trial: SinkTrial,
  received: ReadonlyArray<Transaction.Transaction<unknown>>,
  sent: ReadonlyArray<Transaction.Transaction<unknown>>
): Check<void> =>
  Effect.forEach(sent, (transaction) => {
    const times = trial.times(received, transaction)
    return expect(times === 1, () => `${transaction.id} arrived ${times} times`)
  }, { discard: true })

export const sinkLaws: ReadonlyArray<SinkLaw> = [
  {
    name: "dispatched payloads arrive",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const sent = trial.transactions(5)
      const received = yield* trial.arrive(sent)
      for (const transaction of sent) {
        yield* expect(
          trial.times(received, transaction) > 0,
          () =>
            `${JSON.stringify(transaction.payload)} did not arrive; these did: ${
              JSON.stringify(received.map(({ payload }) => payload))
            }`
        )
      }
    })
  },
  {
    name: "dispatched ids arrive",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const sent = trial.transactions(5)
      const received = yield* trial.arrive(sent)
      const expected = sent.map(({ id }) => id).toSorted().join(", ")
      const got = received.map(({ id }) => id).toSorted().join(", ")
      yield* expect(got === expected, () => `sent ${expected}, got ${got}`)
    })
  },
  { name: "dispatched metadata arrives", applies: always, check: (trial) => carries(trial, metadata) },
  { name: "the dispatched trace context arrives", applies: always, check: (trial) => carries(trial, trace) },
  {
    name: "all of a confirmed batch has arrived",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const sink = yield* trial.open()
      for (const size of [1, 7, 50]) {
        const offset = size * 100
        const sent = Array.from({ length: size }, (_, index) => trial.transaction(offset + index))
        yield* works("dispatching", trial.dispatch(sink, sent))
        yield* eachOnce(trial, yield* trial.received(), sent)
      }
    })
  },
  {
    name: "an empty batch is confirmed",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const received = yield* trial.arrive([])
      yield* expect(received.length === 0, () => `${received.length} transactions arrived`)
    })
  },
  {
    name: "concurrent dispatches all arrive once",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const sink = yield* trial.open()
      const sent = trial.transactions(20)
      const batches = [0, 5, 10, 15].map((from) => sink.dispatch(sent.slice(from, from + 5)))
      const all = works("dispatching", Effect.all(batches, { concurrency: "unbounded" }))
      yield* trial.time.within("concurrent dispatches", trial.time.patience, all)
      yield* eachOnce(trial, yield* trial.received(), sent)
    })
  },
  {
    name: "a batch that fails in part names the ones that failed",
    applies: can("refused", "make a transaction that the target refuses"),
    check: Effect.fnUntraced(function*(trial) {
      const sink = yield* trial.open()
      const refused = trial.storage.refused
      if (refused === undefined) return yield* broken("refused is missing")
      const good = [trial.transaction(1), trial.transaction(3), trial.transaction(5)]
      const [a, b, c] = good
      if (a === undefined || b === undefined || c === undefined) return
      const dispatched = yield* Effect.result(trial.dispatch(sink, [a, refused(2), b, refused(4), c]))
      if (Result.isSuccess(dispatched)) return yield* broken("it succeeded although two of five were refused")
      const error = dispatched.failure
      if (error._tag === "Broken") return yield* error
      const named = error.failed?.map(({ index }) => index).toSorted((left, right) => left - right).join(", ") ??
        "nothing"
      yield* expect(named === "1, 3", () => `it named ${named} instead of 1, 3`)
      yield* eachOnce(trial, yield* trial.received(), good)
    })
  },
  {
    name: "a dispatch after closing fails",
    applies: always,
    check: Effect.fnUntraced(function*(trial) {
      const scope = yield* Scope.make()
      const sink = yield* Scope.provide(trial.open(), scope)
      yield* trial.time.within("closing the connector", 2 * trial.time.patience, Scope.close(scope, Exit.void))
      const dispatched = yield* Effect.result(trial.dispatch(sink, trial.transactions(1)))
      if (Result.isSuccess(dispatched)) return yield* broken("it was confirmed")
      if (dispatched.failure._tag === "Broken") return yield* dispatched.failure
    })
  },
  {
    name: "a cut connection heals by itself and is dispatched to",
    applies: can("cut", "cut the connection"),
    check: Effect.fnUntraced(function*(trial) {
      const sink = yield* trial.open()
      const { look, patience } = trial.time
      for (let round = 1; round <= 3; round++) {
        yield* works("cutting the connection", trial.storage.cut ?? Effect.void)
        const transaction = trial.transaction(round)
        let confirmed = false
        for (let waited = 0; !confirmed && waited <= 2 * patience; waited += look) {
          const dispatched = yield* Effect.result(trial.dispatch(sink, [transaction]))
          if (Result.isSuccess(dispatched)) confirmed = true
          else if (dispatched.failure._tag === "Broken") return yield* dispatched.failure
          else if (!dispatched.failure.reason.isRetryable) {
            return yield* broken(`a dispatch failed for good: ${dispatched.failure.message}`)
          } else yield* trial.time.pass(look)
        }
        yield* expect(confirmed, () => `nothing was confirmed after cut ${round}`)
        const times = trial.times(yield* trial.received(), transaction)
        yield* expect(times >= 1, () => `${transaction.id} was confirmed after cut ${round} and has not arrived`)
      }
    })
  },
  {
    name: "no secret shows in an error, a log or a span",
    applies: keepsSecrets,
    check: ({ harness, storage }) => searchSink(harness, storage)
  }
]
