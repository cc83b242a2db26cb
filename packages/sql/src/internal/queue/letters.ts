/**
 * The dead letters of a queue: rows in the state `dead`. A letter's key is its row and the claim that was given up, so
 * that the letter of a later hand-over has another one; the place in their order is the time they were given up.
 */
import { type Connector, ConnectorError, DeadLetter } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { SqlError } from "../effectSql.ts"
import { metadataOf, payloadOf } from "../letter.ts"
import { closed } from "../rowSink.ts"
import type { LetterRow, Pair } from "./queueTable.ts"
import type { Store } from "./store.ts"

const decodeLetter = Schema.decodeUnknownOption(Schema.fromJsonString(DeadLetter.DeadLetter))

/** A row that was given up by hand has no envelope: then what the row says. */
const letterOf = (source: string, row: LetterRow): DeadLetter.DeadLetter =>
  Option.getOrElse(decodeLetter(row.letter), () => {
    const reason = row.reason ?? "given up by hand"
    return new DeadLetter.DeadLetter({
      id: row.id,
      payload: payloadOf(row.payload),
      metadata: metadataOf(row.metadata),
      reason,
      step: "settle",
      category: "system",
      error: { tag: "DeadLetter", message: reason },
      attempts: 0,
      deliveries: row.deliveries,
      task: "",
      source,
      failedAt: new Date(row.since).toISOString()
    })
  })

const textOf = ([first, second]: readonly [number, number]): string => `${first}.${second}`

const pairOf = (text: string): Pair => {
  const [first, second] = text.split(".")
  return [Number(first), Number(second)]
}

/** What a queue keeps; `source` is the id of its key. */
export const lettersOf = (
  store: Store,
  { isClosed, source }: { readonly isClosed: () => boolean; readonly source: string }
): Required<Connector.Letters> => {
  const whileOpen = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, ConnectorError.LettersError> =>
    Effect.suspend(() =>
      isClosed()
        ? Effect.fail(new ConnectorError.LettersError({ reason: closed }))
        : Effect.mapError(effect, (error) =>
          new ConnectorError.LettersError({ reason: store.database.dialect.reasonOf(error) }))
    )
  const stored = (row: LetterRow): Connector.StoredLetter => ({
    key: textOf([row.seq, row.claim]),
    letter: letterOf(source, row)
  })
  return {
    list: ({ after, max }) => {
      const [since, seq] = after === undefined ? [Number.MIN_SAFE_INTEGER, 0] : pairOf(after)
      return Effect.map(whileOpen(store.letters(since, seq, max)), (rows) => {
        const last = rows.at(-1)
        return {
          letters: rows.map(stored),
          next: last === undefined || rows.length < max ? undefined : textOf([last.since, last.seq])
        }
      })
    },
    find: (id) => Effect.map(whileOpen(store.lettersOf(id)), (rows) => rows.map(stored)),
    remove: (keys) => Effect.uninterruptible(whileOpen(store.removeLetters(keys.map(pairOf)))),
    // A letter that is named twice is one.
    putBack: (keys) =>
      Effect.map(
        Effect.uninterruptible(whileOpen(store.putBack(Array.from(new Set(keys), pairOf)))),
        (pairs) => pairs.map(textOf)
      )
  }
}
