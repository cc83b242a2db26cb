/**
 * The dead letters in memory as `Connector.Letters`: those of a queue, and those that a sink received.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Letters, SinkService } from "../../Connector.ts"
import { DispatchError, LettersError } from "../../ConnectorError.ts"
import { DeadLetter } from "../../DeadLetter.ts"
import { InvalidRequest } from "../../Reason.ts"
import type { Transaction } from "../../Transaction.ts"
import type { Ledger } from "./ledger.ts"
import { recordKey } from "./record.ts"
import type { Buried, Store } from "./store.ts"

export const closed = new InvalidRequest({ message: "the connector is closed" })

/** Of everything that a ledger keeps; `isClosed` says whether it can still be asked. */
const lettersOf = <A extends object>(ledger: Ledger<A>, options: {
  readonly isClosed: () => boolean
  readonly toLetter: (value: A) => DeadLetter
  readonly idOf: (value: A) => string
}): Letters => {
  const whileOpen = <B>(answer: () => B): Effect.Effect<B, LettersError> =>
    Effect.suspend(() =>
      options.isClosed() ? Effect.fail(new LettersError({ reason: closed })) : Effect.succeed(answer())
    )
  const stored = ([key, value]: readonly [number, A]) => ({ key: String(key), letter: options.toLetter(value) })
  return {
    list: ({ after, max }) =>
      whileOpen(() => {
        const found = ledger.after(Number(after ?? 0), max)
        return { letters: found.map(stored), next: found.length < max ? undefined : String(found.at(-1)![0]) }
      }),
    find: (id) => whileOpen(() => ledger.all().filter(([, value]) => options.idOf(value) === id).map(stored)),
    remove: (keys) =>
      whileOpen(() => {
        for (const key of keys) ledger.remove(Number(key))
      })
  }
}

/** One that was settled without an envelope says what is known of it. */
const letterOf = ({ at, deliveries, letter, reason, transaction }: Buried): DeadLetter =>
  letter ?? new DeadLetter({
    id: transaction.id,
    payload: transaction.payload,
    metadata: transaction.metadata,
    reason,
    step: "settle",
    category: "system",
    error: { tag: "DeadLetter", message: reason },
    attempts: 0,
    deliveries,
    task: "",
    source: "",
    failedAt: new Date(at).toISOString()
  })

/** The dead letters of a queue. */
export const lettersOfStore = (store: Store, isClosed: () => boolean): Letters => ({
  ...lettersOf(store.deadLetters, { isClosed, toLetter: letterOf, idOf: ({ transaction }) => transaction.id }),
  putBack: (keys) =>
    Effect.suspend(() =>
      isClosed()
        ? Effect.fail(new LettersError({ reason: closed }))
        : Effect.succeed(keys.filter((key) => store.putBack(Number(key))))
    )
})

const decode = Schema.decodeUnknownOption(Schema.toCodecJson(DeadLetter))

/** What was sent by hand and is no envelope: nobody's letter, so that no task takes it for one of its own. */
const letterIn = ({ id, metadata, payload }: Transaction<unknown>): DeadLetter =>
  Option.getOrElse(decode(payload), () => {
    const reason = "what was sent to the dead letters is no DeadLetter"
    return new DeadLetter({
      id,
      payload,
      metadata,
      reason,
      step: "settle",
      category: "invalid",
      error: { tag: "DeadLetter", message: reason },
      attempts: 0,
      deliveries: 0,
      task: "",
      source: "",
      failedAt: new Date(0).toISOString()
    })
  })

export interface LetterSink extends SinkService {
  readonly [recordKey]: Ledger<Transaction<unknown>>
}

/** A sink that keeps the letters that it receives for as long as its scope is open. */
export const letterSink = (
  ledger: Ledger<Transaction<unknown>>
): Effect.Effect<LetterSink, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => ({ closed: false })),
      (connection) => Effect.sync(() => void (connection.closed = true))
    ),
    (connection) => ({
      [recordKey]: ledger,
      format: "json",
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (connection.closed) return Effect.fail(new DispatchError({ reason: closed }))
          for (const transaction of transactions) ledger.add(transaction)
          return Effect.void
        }),
      health: Effect.void,
      letters: lettersOf(ledger, {
        isClosed: () => connection.closed,
        toLetter: letterIn,
        idOf: (transaction) => letterIn(transaction).id
      })
    })
  )
