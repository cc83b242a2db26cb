/**
 * Connectors whose dead letters are broken, each with the laws that are there to catch it: for the suite's own tests.
 */
import * as Effect from "effect/Effect"
import type { Letters, SourceService, StoredLetter } from "../../Connector.ts"
import { DeadLetter } from "../../DeadLetter.ts"
import * as Conformance from "../../testing/Conformance.ts"
import type { DeadLettersLawName, Law, SourceLawName } from "../../testing/Law.ts"
import * as Transaction from "../../Transaction.ts"
import { deadLetters, queue } from "./harnesses.ts"

/** The queue in memory with its source changed. */
const source = (change: (source: SourceService, send: Send) => SourceService): ReadonlyArray<Law> => {
  const harness = queue()
  return Conformance.queue({
    ...harness,
    storage: Effect.map(harness.storage, (storage) => ({
      ...storage,
      open: Effect.map(storage.open, (queue) => ({
        ...queue,
        source: change(queue.source, (transactions) => Effect.orDie(queue.sink.dispatch(transactions)))
      }))
    }))
  })
}

type Send = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) => Effect.Effect<void>

/** The sink for dead letters in memory with its letters changed. */
const sink = (change: (letters: Letters) => Letters): ReadonlyArray<Law> =>
  Conformance.deadLetters(
    deadLetters((sink) => sink.letters === undefined ? sink : { ...sink, letters: change(sink.letters) })
  )

/** The same of a queue. */
const own = (change: (letters: Letters, send: Send) => Letters): ReadonlyArray<Law> =>
  source((source, send) => source.letters === undefined ? source : { ...source, letters: change(source.letters, send) })

const listing =
  (change: (letters: ReadonlyArray<StoredLetter>) => ReadonlyArray<StoredLetter>) => (letters: Letters) => ({
    ...letters,
    list: (page: Parameters<Letters["list"]>[0]) =>
      Effect.map(letters.list(page), ({ letters, next }) => ({ letters: change(letters), next }))
  })

const changed = ({ key, letter }: StoredLetter, change: Partial<DeadLetter>): StoredLetter => ({
  key,
  letter: new DeadLetter({ ...letter, ...change })
})

const listed = "letters are listed oldest first, as they were given up"

/** Pages by how many there were before, not by the last one: what is removed before shifts the others. */
const counting = (letters: Letters): Letters => ({
  ...letters,
  list: ({ after, max }) =>
    Effect.map(letters.list({ after: undefined, max: 1000 }), ({ letters }) => {
      const from = Number(after ?? 0)
      const page = letters.slice(from, from + max)
      return { letters: page, next: page.length < max ? undefined : String(from + max) }
    })
})

/** Names letters by the id of their transaction. */
const byId = (letters: Letters): Letters => {
  const keysOf = (ids: ReadonlyArray<string>) =>
    Effect.map(Effect.forEach(ids, letters.find), (found) => found.flat().map(({ key }) => key))
  return {
    ...listing((letters) => letters.map(({ letter }) => ({ key: letter.id, letter })))(letters),
    find: (id) => Effect.map(letters.find(id), (found) => found.map(({ letter }) => ({ key: letter.id, letter }))),
    remove: (keys) => Effect.flatMap(keysOf(keys), letters.remove),
    putBack: (keys) => Effect.flatMap(keysOf(keys), (keys) => letters.putBack?.(keys) ?? Effect.succeed([]))
  }
}

export const letterMutants: ReadonlyArray<{
  readonly name: string
  readonly laws: ReadonlyArray<Law>
  readonly caughtBy: ReadonlyArray<SourceLawName | DeadLettersLawName>
}> = [
  { name: "lists the newest first", laws: sink(listing((letters) => letters.toReversed())), caughtBy: [listed] },
  {
    name: "keeps the reason of its own letters shortened",
    laws: own(listing((letters) => letters.map((one) => changed(one, { reason: one.letter.reason.slice(0, 8) })))),
    caughtBy: [listed]
  },
  {
    name: "keeps letters without metadata",
    laws: sink(listing((letters) => letters.map((one) => changed(one, { metadata: {} })))),
    caughtBy: [listed]
  },
  {
    name: "says that the first page is all",
    laws: sink((letters) => ({
      ...letters,
      list: (page) => Effect.map(letters.list(page), ({ letters }) => ({ letters, next: undefined }))
    })),
    caughtBy: [listed, "pages of letters miss none while others come and go"]
  },
  {
    name: "pages by counting",
    laws: sink(counting),
    caughtBy: ["pages of letters miss none while others come and go"]
  },
  {
    name: "finds letters by a part of the id",
    laws: sink((letters) => ({
      ...letters,
      find: (id) =>
        Effect.map(
          letters.list({ after: undefined, max: 1000 }),
          ({ letters }) => letters.filter(({ letter }) => letter.id.startsWith(id.slice(0, 4)))
        )
    })),
    caughtBy: ["letters are found by the id of their transaction"]
  },
  {
    name: "removes nothing",
    laws: sink((letters) => ({ ...letters, remove: () => Effect.void })),
    caughtBy: ["a removed letter is gone, and no other"]
  },
  {
    name: "names letters by the id of their transaction",
    laws: sink(byId),
    caughtBy: ["a removed letter is gone, and no other"]
  },
  { name: "puts back by the id of the transaction", laws: own(byId), caughtBy: ["putting back twice changes nothing"] },
  {
    name: "puts back what it has put back",
    laws: own((letters, send) => {
      const known = new Map<string, Transaction.Transaction<unknown>>()
      return {
        ...listing((letters) => {
          for (const { key, letter: { id, metadata, payload } } of letters) {
            known.set(key, Transaction.make(id, payload, metadata))
          }
          return letters
        })(letters),
        putBack: (keys) =>
          Effect.flatMap(letters.remove(keys), () => Effect.as(send(keys.flatMap((key) => known.get(key) ?? [])), keys))
      }
    }),
    caughtBy: ["putting back twice changes nothing"]
  },
  {
    name: "puts back payloads only",
    laws: own((letters, send) => ({
      ...letters,
      putBack: (keys) =>
        Effect.gen(function*() {
          const { letters: all } = yield* letters.list({ after: undefined, max: 1000 })
          yield* letters.remove(keys)
          yield* send(all.map(({ letter }) => Transaction.make(letter.id, letter.payload)))
          return keys
        })
    })),
    caughtBy: ["what is put back is delivered again with a count of 0"]
  },
  {
    name: "takes nothing back that it has seen",
    laws: source((source, send) => {
      const seen = new Set<string>()
      return {
        ...source,
        fetch: (request) =>
          Effect.tap(source.fetch(request), (deliveries) =>
            Effect.sync(() => {
              for (const { transaction } of deliveries) seen.add(transaction.id)
            })),
        takeBack: (transactions) => send(transactions.filter(({ id }) => !seen.has(id)))
      }
    }),
    caughtBy: ["what is taken back is delivered again with a count of 0"]
  },
  {
    name: "takes back what is in flight",
    laws: source((source, send) => ({ ...source, takeBack: send })),
    caughtBy: ["taking back twice changes nothing"]
  }
]
