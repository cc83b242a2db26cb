/**
 * Laws of settling: what each disposition does, once.
 */
import * as Effect from "effect/Effect"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import { letterOf } from "./letters.ts"
import { all, buries, can, commits, delays, settles, settlesEach, type SourceLaw } from "./sourceLaw.ts"
import { broken, expect, ids, sameIds, type Trial, works } from "./trial.ts"

const acked: SourceLaw = {
  name: "an acknowledged delivery never comes back",
  applies: settles,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(5))
    const first = yield* trial.openApart()
    const deliveries = yield* trial.collect(first.source, 5)
    yield* trial.ack(first.source, deliveries)
    yield* trial.quiet(first.source, "after its Ack")
    yield* first.close
    yield* trial.quiet(yield* trial.open(), "after its Ack, to a connector opened later", longer(trial))
  })
}

/** Long enough for a lease to run out, where there is one. */
const longer = (trial: Trial): number => Math.max(trial.time.quiet, 1.25 * (trial.lease ?? 0))

/** Expects a delivery again, with the count raised where the source counts. */
const again = (trial: Trial, before: Delivery, after: Delivery | undefined) =>
  Effect.gen(function*() {
    if (after === undefined) return yield* broken(`${before.transaction.id} did not come back`)
    yield* sameIds("what came back", [after], [before])
    yield* expect(
      !trial.counts || after.deliveries > before.deliveries,
      () => `${after.transaction.id} came back with count ${after.deliveries}, it was ${before.deliveries}`
    )
  })

const requeued: SourceLaw = {
  name: "a requeued delivery comes back",
  applies: settlesEach,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(1))
    const source = yield* trial.open()
    let [delivery] = yield* trial.collect(source, 1)
    for (let round = 0; round < 3 && delivery !== undefined; round++) {
      yield* trial.settle(source, [delivery], Disposition.requeue())
      const [next] = yield* trial.collect(source, 1)
      yield* again(trial, delivery, next)
      delivery = next
    }
    yield* trial.quiet(source, "a second time", Math.min(trial.time.quiet, trial.soon))
  })
}

const delayed: SourceLaw = {
  name: "a requeue delay is respected",
  applies: all(settlesEach, delays),
  check: Effect.fnUntraced(function*(trial) {
    const delay = trial.harness.time === "test" ? 60_000 : 1000
    yield* trial.enqueue(trial.transactions(1))
    const source = yield* trial.open()
    const [delivery] = yield* trial.collect(source, 1)
    if (delivery === undefined) return yield* broken("nothing arrived")
    yield* trial.settle(source, [delivery], Disposition.requeue(delay))
    yield* trial.quiet(source, `at once, although it was delayed by ${delay} ms`, 0)
    yield* trial.time.pass(0.5 * delay)
    yield* trial.quiet(source, `too early: it was delayed by ${delay} ms`, 0)
    yield* trial.time.pass(0.5 * delay)
    const [next] = yield* trial.collect(source, 1, trial.time.patience)
    yield* again(trial, delivery, next)
  })
}

const bury = (delivery: Delivery, reason: string): Disposition.Settlement =>
  Disposition.settlement(delivery, Disposition.deadLetter(reason), letterOf(delivery.transaction, reason))

const buried: SourceLaw = {
  name: "a dead letter is kept with its reason and never comes back",
  applies: all(settlesEach, buries, can("buried")),
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(2))
    const first = yield* trial.openApart()
    const deliveries = yield* trial.collect(first.source, 2)
    const reasons = new Map(
      deliveries.map((delivery) => [delivery.transaction.id, `no stock for ${delivery.transaction.id}`])
    )
    const settlements = deliveries.map((delivery) => bury(delivery, reasons.get(delivery.transaction.id) ?? ""))
    yield* works("settling with DeadLetter", trial.settleExit(first.source, settlements))
    yield* trial.quiet(first.source, "after it was dead-lettered")
    const kept = yield* works("reading the dead letters", trial.storage.buried ?? Effect.succeed([]))
    for (const [id, reason] of reasons) {
      const found = kept.filter((letter) => letter.id === id)
      yield* expect(found.length === 1, () => `${id} is ${found.length} times among the dead letters`)
      yield* expect(
        found[0]?.reason.includes(reason) === true,
        () => `the reason "${reason}" is kept as "${found[0]?.reason}"`
      )
    }
    yield* first.close
    yield* trial.quiet(yield* trial.open(), "after it was dead-lettered, to a connector opened later", longer(trial))
  })
}

const released: SourceLaw = {
  name: "a released delivery comes back untouched",
  applies: settlesEach,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(2))
    const source = yield* trial.open()
    const before = yield* trial.collect(source, 2)
    yield* trial.settle(source, before, Disposition.release)
    const after = yield* trial.collect(source, 2)
    yield* sameIds("after their release", after, before)
    const count = Math.max(...after.map(({ deliveries }) => deliveries))
    yield* expect(!trial.counts || count === 0, () => `a release raised the count to ${count}`)
  })
}

const twice: SourceLaw = {
  name: "settling twice changes nothing",
  applies: settles,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(2))
    const source = yield* trial.open()
    const deliveries = yield* trial.collect(source, 2)
    yield* trial.ack(source, deliveries)
    yield* trial.ack(source, deliveries)
    yield* trial.quiet(source, "after two Acks", Math.min(trial.time.quiet, trial.soon))
    if (trial.harness.capabilities.settlement !== "each") return
    yield* trial.enqueue([trial.transaction(3)])
    const third = yield* trial.collect(source, 1)
    yield* trial.settle(source, third, Disposition.requeue())
    yield* trial.settle(source, third, Disposition.requeue())
    yield* sameIds("after two requeues", yield* trial.collect(source, 1), third)
    yield* trial.quiet(source, "a second time after two requeues", Math.min(trial.time.quiet, trial.soon))
  })
}

const oldReceipt: SourceLaw = {
  name: "an old receipt settles nothing",
  applies: settlesEach,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(1))
    const source = yield* trial.open()
    const first = yield* trial.collect(source, 1)
    yield* trial.settle(source, first, Disposition.requeue())
    const second = yield* trial.collect(source, 1)
    const stale = first.map((delivery) => Disposition.settlement(delivery, Disposition.ack))
    yield* Effect.ignore(trial.settleExit(source, stale))
    yield* trial.settle(source, second, Disposition.requeue())
    yield* sameIds("after an Ack with the receipt of an earlier hand-over", yield* trial.collect(source, 1), first)
  })
}

const mixed: SourceLaw = {
  name: "each of a batch is settled by its own disposition",
  applies: settlesEach,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(4))
    const source = yield* trial.open()
    const [a, b, c, d] = yield* trial.collect(source, 4)
    if (a === undefined || b === undefined || c === undefined || d === undefined)
      return yield* broken("nothing arrived")
    const dead = trial.harness.capabilities.deadLetter === "native"
    yield* works(
      "settling a batch",
      trial.settleExit(source, [
        Disposition.settlement(a, Disposition.ack),
        Disposition.settlement(b, Disposition.requeue()),
        dead ? bury(c, "given up") : Disposition.settlement(c, Disposition.ack),
        Disposition.settlement(d, Disposition.release)
      ])
    )
    yield* sameIds("after Ack, Requeue, DeadLetter, Release", yield* trial.collect(source, 2), [b, d])
    yield* trial.quiet(source, "although it was settled", Math.min(trial.time.quiet, trial.soon))
  })
}

/** The deliveries of the fullest partition, in their order. */
const fullest = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<Delivery> => {
  const partitions = new Map<string | undefined, Array<Delivery>>()
  for (const delivery of deliveries) {
    const partition = partitions.get(delivery.partition)
    if (partition === undefined) partitions.set(delivery.partition, [delivery])
    else partition.push(delivery)
  }
  return [...partitions.values()].toSorted((left, right) => right.length - left.length)[0] ?? []
}

const committed: SourceLaw = {
  name: "a commit covers what was settled and nothing after it",
  applies: commits,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(9))
    const first = yield* trial.openApart()
    const before = yield* trial.collect(first.source, 9)
    const partition = fullest(before)
    const upTo = Math.floor(partition.length / 2)
    yield* trial.settle(first.source, partition.slice(upTo, upTo + 1), Disposition.ack)
    yield* first.close
    const done = new Set(ids(partition.slice(0, upTo + 1)))
    const rest = before.filter(({ transaction }) => !done.has(transaction.id))
    const second = yield* trial.open()
    yield* sameIds(
      `after a commit up to ${partition[upTo]?.transaction.id}`,
      yield* trial.collect(second, rest.length, trial.time.patience),
      rest
    )
    yield* trial.quiet(second, "although it was committed")
  })
}

const monotonic: SourceLaw = {
  name: "a commit never goes back",
  applies: commits,
  check: Effect.fnUntraced(function*(trial) {
    yield* trial.enqueue(trial.transactions(9))
    const first = yield* trial.openApart()
    const before = yield* trial.collect(first.source, 9)
    const partition = fullest(before)
    yield* trial.settle(first.source, partition.slice(-1), Disposition.ack)
    yield* trial.settle(first.source, partition.slice(0, 1), Disposition.ack)
    yield* first.close
    const done = new Set(ids(partition))
    const rest = before.filter(({ transaction }) => !done.has(transaction.id))
    const second = yield* trial.open()
    yield* sameIds(
      "after a commit of a whole partition, then of its beginning",
      yield* trial.collect(second, rest.length, trial.time.patience),
      rest
    )
    yield* trial.quiet(second, "although it was committed")
  })
}

export const settlingLaws: ReadonlyArray<SourceLaw> = [
  acked,
  requeued,
  delayed,
  buried,
  released,
  twice,
  oldReceipt,
  mixed,
  committed,
  monotonic
]
