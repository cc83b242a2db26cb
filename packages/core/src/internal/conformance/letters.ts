/**
 * Laws of dead letters that can be read: listed completely and in order, found, removed, put back and taken back. Those
 * of reading are the same for a source's own and for a sink's.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Schema from "effect/Schema"
import type { Letters, LettersPage, SinkService, SourceService, StoredLetter } from "../../Connector.ts"
import type { LettersError } from "../../ConnectorError.ts"
import { DeadLetter } from "../../DeadLetter.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import type * as Harness from "../../testing/Harness.ts"
import type { DeadLettersLawName } from "../../testing/Law.ts"
import * as Transaction from "../../Transaction.ts"
import { metadata, trace } from "./roundTrip.ts"
import { all, has, settlesEach, type SourceLaw } from "./sourceLaw.ts"
import { anyJson, type Broken, broken, type Check, expect, sameIds, Time, type Trial, works } from "./trial.ts"

/** A place where letters are kept, and how they come there. */
interface Kept {
  readonly time: Time
  readonly letters: Letters
  /** The n-th transaction. */
  readonly transaction: (n: number) => Transaction.Transaction<unknown>
  /** Gives up transactions one after the other; answers with their letters as they were given up. */
  readonly giveUp: (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) => Check<ReadonlyArray<DeadLetter>>
}

/** The letter of a transaction that was given up. */
export const letterOf = (transaction: Transaction.Transaction<unknown>, reason: string): DeadLetter =>
  new DeadLetter({
    id: transaction.id,
    payload: transaction.payload,
    metadata: transaction.metadata,
    reason,
    step: "process",
    category: "business",
    error: { tag: "OutOfStock", message: reason },
    attempts: 3,
    deliveries: 0,
    task: "conformance",
    source: "conformance",
    failedAt: "2026-01-01T00:00:00.000Z"
  })

const idsOf = (stored: ReadonlyArray<StoredLetter>): string => stored.map(({ letter }) => letter.id).join(", ")

/** One operation on letters, within the harness's patience. */
const within = <A>(kept: Pick<Kept, "time">, what: string, effect: Effect.Effect<A, LettersError>): Check<A> =>
  kept.time.within(what, kept.time.patience, works(what, effect))

const page = (kept: Kept, after: string | undefined, max: number): Check<LettersPage> =>
  Effect.tap(
    within(kept, "listing", kept.letters.list({ after, max })),
    ({ letters }) => expect(letters.length <= max, () => `a page of ${max} has ${letters.length} letters`)
  )

/** All letters from a place on, in pages of two. */
const rest = (kept: Kept, after: string | undefined): Check<ReadonlyArray<StoredLetter>> =>
  Effect.gen(function*() {
    const stored: Array<StoredLetter> = []
    let next = after
    do {
      const { letters, next: following } = yield* page(kept, next, 2)
      stored.push(...letters)
      yield* expect(following === undefined || following !== next, () => "a page is followed by itself")
      next = following
    } while (next !== undefined)
    return stored
  })

const listed = (kept: Kept): Check<ReadonlyArray<StoredLetter>> => rest(kept, undefined)

const find = (kept: Kept, id: string) => within(kept, `finding ${id}`, kept.letters.find(id))

const remove = (kept: Kept, stored: ReadonlyArray<StoredLetter>) =>
  within(kept, "removing", kept.letters.remove(stored.map(({ key }) => key)))

const sameLetter = (seen: DeadLetter | undefined, given: DeadLetter): Check<void> =>
  Effect.forEach(["id", "reason", "payload", "metadata"] as const, (field) =>
    expect(
      seen !== undefined && Equal.equals(seen[field], given[field]),
      () => `${field} of the letter was ${JSON.stringify(given[field])} and is ${JSON.stringify(seen?.[field])}`
    ), { discard: true })

const several = (kept: Kept, count: number) =>
  kept.giveUp(Array.from({ length: count }, (_, n) => kept.transaction(n + 1)))

interface LettersLaw {
  readonly name: DeadLettersLawName
  readonly check: (kept: Kept) => Check<void>
}

const readingLaws: ReadonlyArray<LettersLaw> = [
  {
    name: "letters are listed oldest first, as they were given up",
    check: Effect.fnUntraced(function*(kept) {
      yield* expect((yield* listed(kept)).length === 0, () => "there are letters before anything was given up")
      const given = yield* several(kept, 5)
      const stored = yield* listed(kept)
      const expected = given.map(({ id }) => id).join(", ")
      yield* expect(idsOf(stored) === expected, () => `listed ${idsOf(stored)}; given up were ${expected}`)
      for (const [place, letter] of given.entries()) yield* sameLetter(stored[place]?.letter, letter)
    })
  },
  {
    name: "pages of letters miss none while others come and go",
    check: Effect.fnUntraced(function*(kept) {
      const given = yield* several(kept, 5)
      const first = yield* page(kept, undefined, 2)
      yield* expect(first.letters.length === 2, () => `a page of 2 has ${first.letters.length} letters of 5`)
      yield* remove(kept, first.letters.slice(0, 1))
      yield* kept.giveUp([kept.transaction(6)])
      const others = first.next === undefined ? [] : yield* rest(kept, first.next)
      const seen = [...first.letters, ...others].map(({ letter }) => letter.id)
      for (const { id } of given) {
        const times = seen.filter((other) => other === id).length
        yield* expect(times === 1, () => `${id} was listed ${times} times`)
      }
    })
  },
  {
    name: "letters are found by the id of their transaction",
    check: Effect.fnUntraced(function*(kept) {
      const [, second] = yield* several(kept, 3)
      if (second === undefined) return yield* broken("nothing was given up")
      const found = yield* find(kept, second.id)
      yield* expect(found.length === 1, () => `${found.length} letters were found for ${second.id}`)
      yield* sameLetter(found[0]?.letter, second)
      const unknown = yield* find(kept, "no-such-id")
      yield* expect(unknown.length === 0, () => `${idsOf(unknown)} was found for an unknown id`)
    })
  },
  {
    name: "a removed letter is gone, and no other",
    check: Effect.fnUntraced(function*(kept) {
      yield* several(kept, 3)
      const [first, second, third] = yield* listed(kept)
      if (first === undefined || second === undefined || third === undefined)
        return yield* broken("letters are missing")
      yield* remove(kept, [second])
      yield* remove(kept, [second])
      const left = yield* listed(kept)
      yield* expect(idsOf(left) === idsOf([first, third]), () => `listed after it: ${idsOf(left)}`)
      const found = yield* find(kept, second.letter.id)
      yield* expect(found.length === 0, () => `${second.letter.id} is still found`)
      // Whoever was slow must not remove what was given up again meanwhile.
      yield* kept.giveUp([Transaction.make(second.letter.id, kept.transaction(4).payload)])
      yield* remove(kept, [second])
      const again = yield* listed(kept)
      yield* expect(
        idsOf(again) === idsOf([first, third, second]),
        () => `its key of before removed the letter of a later failure: listed are ${idsOf(again)}`
      )
    })
  }
]

/** What a source keeps itself: transactions come there by being fetched and dead-lettered. */
const ownLetters = (trial: Trial): Check<Kept & { readonly source: SourceService }> =>
  Effect.gen(function*() {
    const source = yield* trial.open()
    const { letters } = source
    if (letters === undefined) return yield* broken("letters is missing")
    return {
      source,
      letters,
      time: trial.time,
      transaction: (n) => trial.transaction(n),
      giveUp: Effect.forEach((transaction) =>
        Effect.gen(function*() {
          yield* trial.enqueue([transaction])
          return yield* bury(trial, source, yield* trial.collect(source, 1))
        })
      )
    }
  })

const bury = (trial: Trial, source: SourceService, deliveries: ReadonlyArray<Delivery>): Check<DeadLetter> =>
  Effect.gen(function*() {
    const [delivery] = deliveries
    if (delivery === undefined) return yield* broken("nothing arrived")
    const reason = `no stock for ${delivery.transaction.id}`
    const letter = letterOf(delivery.transaction, reason)
    const settlement = Disposition.settlement(delivery, Disposition.deadLetter(reason), letter)
    yield* works("settling with DeadLetter", trial.settleExit(source, [settlement]))
    // Letters have an order in time.
    yield* trial.time.pass(5)
    return letter
  })

/** A delivery as if it were the first of this transaction. */
const anew = (trial: Trial, delivery: Delivery | undefined, before: Delivery): Check<void> =>
  Effect.gen(function*() {
    if (delivery === undefined) return yield* broken(`${before.transaction.id} did not come`)
    yield* sameIds("delivered again", [delivery], [before])
    yield* expect(
      !trial.counts || delivery.deliveries === 0,
      () => `${delivery.transaction.id} came with count ${delivery.deliveries}`
    )
    if (trial.harness.without?.["payloads survive the round trip"] === undefined) {
      yield* expect(
        Equal.equals(delivery.transaction.payload, before.transaction.payload),
        () =>
          `the payload was ${JSON.stringify(before.transaction.payload)} and came as ${
            JSON.stringify(delivery.transaction.payload)
          }`
      )
    }
    for (const [key, value] of Object.entries(before.transaction.metadata)) {
      yield* expect(
        delivery.transaction.metadata[key] === value,
        () => `${key} was ${JSON.stringify(value)} and came as ${JSON.stringify(delivery.transaction.metadata[key])}`
      )
    }
  })

/** A transaction that has been delivered before, so that its count says something. */
const deliveredTwice = (trial: Trial, source: SourceService): Check<Delivery> =>
  Effect.gen(function*() {
    yield* trial.enqueue([trial.transaction(1, { ...metadata, ...trace })])
    yield* trial.settle(source, yield* trial.collect(source, 1), Disposition.requeue())
    const [delivery] = yield* trial.collect(source, 1)
    return delivery ?? (yield* broken("nothing came back"))
  })

const putBack = (kept: Kept, keys: ReadonlyArray<string>): Check<ReadonlyArray<string>> => {
  const { putBack } = kept.letters
  return putBack === undefined ? broken("putBack is missing") : within(kept, "putting back", putBack(keys))
}

const takeBack = (
  trial: Trial,
  source: SourceService,
  transactions: ReadonlyArray<Transaction.Transaction<unknown>>
): Check<void> => {
  const taken: Effect.Effect<void, LettersError | Broken> = source.takeBack?.(transactions) ??
    broken("takeBack is missing")
  return trial.time.within("taking back", trial.time.patience, works("taking back", taken))
}

const soon = (trial: Trial): number => Math.min(trial.time.quiet, trial.soon)

const goingBack: ReadonlyArray<SourceLaw> = [
  {
    name: "what is put back is delivered again with a count of 0",
    applies: all(has("letters"), has("putBack"), settlesEach),
    check: Effect.fnUntraced(function*(trial) {
      const kept = yield* ownLetters(trial)
      const before = yield* deliveredTwice(trial, kept.source)
      yield* bury(trial, kept.source, [before])
      const keys = (yield* listed(kept)).map(({ key }) => key)
      const back = yield* putBack(kept, keys)
      yield* expect(back.join() === keys.join() && keys.length === 1, () => `${back.length} of 1 letters were put back`)
      const [after] = yield* trial.collect(kept.source, 1)
      yield* anew(trial, after, before)
      const left = yield* listed(kept)
      yield* expect(left.length === 0, () => `${idsOf(left)} is still among the letters`)
    })
  },
  {
    name: "putting back twice changes nothing",
    applies: all(has("letters"), has("putBack"), settlesEach),
    check: Effect.fnUntraced(function*(trial) {
      const kept = yield* ownLetters(trial)
      yield* several(kept, 1)
      const keys = (yield* listed(kept)).map(({ key }) => key)
      yield* putBack(kept, keys)
      const twice = yield* putBack(kept, keys)
      yield* expect(twice.length === 0, () => `${twice.length} letters were put back a second time`)
      const deliveries = yield* trial.collect(kept.source, 1)
      yield* trial.quiet(kept.source, "a second time", soon(trial))
      yield* bury(trial, kept.source, deliveries)
      const stale = yield* putBack(kept, keys)
      yield* expect(stale.length === 0, () => "the key of an earlier letter put back a later one")
      const left = yield* listed(kept)
      yield* expect(left.length === 1, () => `there are ${left.length} letters instead of 1`)
    })
  },
  {
    name: "what is taken back is delivered again with a count of 0",
    applies: all(has("takeBack"), settlesEach),
    check: Effect.fnUntraced(function*(trial) {
      const source = yield* trial.open()
      const before = yield* deliveredTwice(trial, source)
      yield* trial.settle(source, [before], Disposition.ack)
      yield* takeBack(trial, source, [before.transaction])
      const [after] = yield* trial.collect(source, 1)
      yield* anew(trial, after, before)
    })
  },
  {
    name: "taking back twice changes nothing",
    applies: all(has("takeBack"), settlesEach),
    check: Effect.fnUntraced(function*(trial) {
      const source = yield* trial.open()
      const transactions = trial.transactions(2)
      yield* takeBack(trial, source, transactions)
      yield* takeBack(trial, source, transactions)
      const deliveries = yield* trial.collect(source, 2)
      yield* takeBack(trial, source, transactions)
      yield* trial.quiet(source, "although it was in flight", soon(trial))
      yield* trial.settle(source, deliveries, Disposition.ack)
      yield* trial.quiet(source, "a second time", soon(trial))
    })
  }
]

export const ownLettersLaws: ReadonlyArray<SourceLaw> = [
  ...readingLaws.map(({ check, name }): SourceLaw => ({
    name,
    applies: all(has("letters"), settlesEach),
    check: (trial) => Effect.flatMap(ownLetters(trial), check)
  })),
  ...goingBack
]

const encode = Schema.encodeSync(Schema.toCodecJson(DeadLetter))

/** What a sink keeps: letters are dispatched to it. */
const sinkLetters = (harness: Harness.DeadLetters, sink: SinkService): Check<Kept> =>
  Effect.suspend(() => {
    const time = new Time(harness)
    const { letters } = sink
    if (letters === undefined) return broken("letters is missing")
    return Effect.succeed({
      time,
      letters,
      transaction: (n) => Transaction.make(`law-${n}`, (harness.payload ?? anyJson)(n), { ...metadata, ...trace }),
      giveUp: Effect.forEach((transaction) => {
        const letter = letterOf(transaction, `no stock for ${transaction.id}`)
        const dispatched = sink.dispatch([Transaction.withPayload(transaction, encode(letter))])
        return time.within("dispatching", time.patience, works("dispatching", dispatched)).pipe(
          Effect.andThen(time.pass(5)),
          Effect.as(letter)
        )
      })
    })
  })

export const deadLettersLaws: ReadonlyArray<{
  readonly name: DeadLettersLawName
  readonly check: (harness: Harness.DeadLetters, storage: Harness.DeadLettersStorage) => Check<void>
}> = readingLaws.map(({ check, name }) => ({
  name,
  check: (harness, storage) =>
    works("opening a connector", storage.open).pipe(
      Effect.flatMap((sink) => sinkLetters(harness, sink)),
      Effect.flatMap(check)
    )
}))
