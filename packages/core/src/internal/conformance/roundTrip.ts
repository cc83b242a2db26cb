/**
 * Laws of what arrives: payload, id, metadata and trace context are those that were sent.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type { Capabilities } from "../../Connector.ts"
import type { Metadata } from "../../Transaction.ts"
import { always, settles, type SourceLaw } from "./sourceLaw.ts"
import { type Check, distinct, expect, ids, sameIds, type Trial } from "./trial.ts"

const declares: SourceLaw = {
  name: "it declares the capabilities of its harness",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const source = yield* trial.open()
    const { capabilities, operations } = trial.harness
    const names: ReadonlyArray<keyof Capabilities> = [
      "settlement",
      "lease",
      "deliveries",
      "requeueDelay",
      "deadLetter",
      "ordering"
    ]
    for (const name of names) {
      yield* expect(
        Equal.equals(source.capabilities[name], capabilities[name]),
        () => `${name} is ${show(source.capabilities[name])}, the harness says ${show(capabilities[name])}`
      )
    }
    for (const operation of ["count", "resolve", "isHeld", "letters", "putBack", "takeBack"] as const) {
      const there = (operation === "putBack" ? source.letters?.putBack : source[operation]) !== undefined
      yield* expect(
        there === operations.includes(operation),
        () => `${operation} is ${there ? "there" : "missing"}, the harness says otherwise`
      )
    }
    yield* expect(
      capabilities.lease?.extend !== true || source.extend !== undefined,
      () => "leases can be extended, but extend is missing"
    )
  })
}

const show = (value: unknown): string => value === undefined ? "none" : JSON.stringify(value)

const samples = [1, 2, 3, 4, 5]

const payloads: SourceLaw = {
  name: "payloads survive the round trip",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const sent = trial.transactions(samples.length)
    yield* trial.enqueue(sent)
    const arrived = yield* trial.collect(yield* trial.open(), sent.length)
    for (const transaction of sent) {
      yield* expect(
        arrived.some((delivery) => Equal.equals(delivery.transaction.payload, transaction.payload)),
        () =>
          `${JSON.stringify(transaction.payload)} did not arrive; these did: ${
            JSON.stringify(arrived.map((delivery) => delivery.transaction.payload))
          }`
      )
    }
  })
}

const idsArrive: SourceLaw = {
  name: "ids survive the round trip",
  applies: always,
  check: Effect.fnUntraced(function*(trial) {
    const sent = trial.transactions(samples.length)
    yield* trial.enqueue(sent)
    const arrived = yield* trial.collect(yield* trial.open(), sent.length)
    const expected = sent.map(({ id }) => id).toSorted().join(", ")
    const got = ids(arrived).toSorted().join(", ")
    yield* expect(got === expected, () => `sent ${expected}, got ${got}`)
  })
}

export const metadata: Metadata = { text: "ünïcödé: yes", number: 42, fraction: 1.5, flag: true, off: false }

export const trace: Metadata = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=opaque,other=1"
}

const carries = (trial: Trial, sent: Metadata): Check<void> =>
  Effect.gen(function*() {
    yield* trial.enqueue([trial.transaction(1, sent)])
    const [delivery] = yield* trial.collect(yield* trial.open(), 1)
    for (const [key, value] of Object.entries(sent)) {
      yield* expect(
        delivery?.transaction.metadata[key] === value,
        () =>
          `${key} was ${JSON.stringify(value)} and arrived as ${JSON.stringify(delivery?.transaction.metadata[key])}`
      )
    }
  })

const metadataArrives: SourceLaw = {
  name: "metadata survives the round trip",
  applies: always,
  check: (trial) => carries(trial, metadata)
}

const traceArrives: SourceLaw = {
  name: "the trace context survives the round trip",
  applies: always,
  check: (trial) => carries(trial, trace)
}

const idsAreStable: SourceLaw = {
  name: "ids stay the same across redelivery",
  applies: settles,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(3))
    const first = yield* trial.openApart()
    const before = yield* trial.collect(first.source, 3)
    yield* distinct(ids(before))
    yield* first.close
    const after = yield* trial.collect(yield* trial.open(), 3, trial.time.patience)
    yield* sameIds("after the connector was opened again", after, before)
  })
}

export const roundTripLaws: ReadonlyArray<SourceLaw> = [
  declares,
  payloads,
  idsArrive,
  metadataArrives,
  traceArrives,
  idsAreStable
]
