/**
 * The table of a queue in PostgreSQL, where many write at the same time.
 *
 * Claims lock the rows that they take and go past those that others have locked, so that they never wait. What changes the
 * order within a key waits for every other transaction that does, by an advisory lock for a group of keys. That lock
 * comes in a statement of its own: the next one sees what the other transaction has committed.
 */
import * as Effect from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"
import type { ClaimedRow, LetterRow, NewRow, Pair, QueueDialect, QueueTable } from "../queue/queueTable.ts"
import type { Receipt } from "../queue/receipt.ts"
import { changesOf } from "./client.ts"
import { make as makeStatements } from "./queueStatements.ts"

// Rows of one INSERT, so that none takes long.
const mostRows = 5000

// A claim of so many rows, all there, is one of many: the next ones begin where it ended, for so many milliseconds.
const manyRows = 16
const mostAhead = 50

const none = { ready: 0, inFlight: 0, delayed: 0 }
const nothing: ReadonlyArray<Receipt> = []

/** An array of integers as PostgreSQL writes it. */
const integers = (values: ReadonlyArray<number | null>): string =>
  `{${values.map((value) => value === null ? "NULL" : String(value)).join(",")}}`

/** Of texts where each may be missing: an array of nothing but nulls has no type that the driver could tell. */
const texts = (values: ReadonlyArray<string | null>): ReadonlyArray<string | null> | string =>
  values.every((value) => value === null) ? integers(values.map(() => null)) : values

/** A text as PostgreSQL takes it. */
const storable = (text: string): string => text.replaceAll("\u0000", "\ufffd")

/** Where the next claim may begin after one that has found all it asked for, of one priority. */
const placeAfter = (rows: ReadonlyArray<ClaimedRow>, max: number, lookedAt: number) => {
  const [first] = rows
  if (first === undefined || rows.length < max) return undefined
  let last = first
  for (const row of rows) {
    if (row.priority !== first.priority) return undefined
    if (row.since > last.since || (row.since === last.since && row.seq > last.seq)) last = row
  }
  const { priority, seq, since } = last
  return { priority, since, seq, lookedAt }
}

/** `ON CONFLICT` may meet a row only once: of the rows of one id, the first, as if they came one after another. */
const distinct = (rows: ReadonlyArray<NewRow>): ReadonlyArray<NewRow> => {
  const seen = new Set<string>()
  for (const { id } of rows) seen.add(id)
  if (seen.size === rows.length) return rows
  seen.clear()
  return rows.filter(({ id }) => seen.size < seen.add(id).size)
}

const receiptsOf = (receipts: ReadonlyArray<Receipt>): [string, string] => [
  integers(receipts.map(({ seq }) => seq)),
  integers(receipts.map(({ claim }) => claim))
]

const pairsOf = (pairs: ReadonlyArray<Pair>): [string, string] => [
  integers(pairs.map(([seq]) => seq)),
  integers(pairs.map(([, claim]) => claim))
]

const open = (sql: Client.SqlClient, table: string): QueueTable => {
  const statements = makeStatements(table)
  const query = <A extends object>(text: string, params: ReadonlyArray<unknown>) => sql.unsafe<A>(text, params)
  const run = (text: string, params: ReadonlyArray<unknown>) => Effect.asVoid(sql.unsafe(text, params).raw)
  /** Where a claim may begin, since the front of the queue was looked at. */
  let place: ReturnType<typeof placeAfter>
  /** Something of ours may come before it. */
  const fromTheFront = <A>(effect: Effect.Effect<A, SqlError>) =>
    Effect.ensuring(effect, Effect.sync(() => void (place = undefined)))
  const claimAll = (until: number, max: number) =>
    Effect.map(query<ClaimedRow>(statements.claim, [String(until), String(max)]), (rows) => {
      place = placeAfter(rows, max, until)
      return rows
    })
  const claim = (until: number, max: number): Effect.Effect<ReadonlyArray<ClaimedRow>, SqlError> =>
    Effect.suspend(() => {
      // By the ends of the leases: they are equally long.
      if (place === undefined || max < manyRows || until - place.lookedAt > mostAhead) return claimAll(until, max)
      const { lookedAt, priority, seq, since } = place
      return Effect.flatMap(
        query<ClaimedRow>(statements.claimFrom, [until, max, priority, since, seq].map(String)),
        (rows) => {
          place = placeAfter(rows, max, lookedAt)
          return rows.length === max
            ? Effect.succeed(rows)
            : Effect.map(claimAll(until, max - rows.length), (more) => [...rows, ...more])
        }
      )
    })
  const insert = (text: string, all: ReadonlyArray<NewRow>, now: number) => {
    const rows = distinct(all)
    return run(text, [
      String(now),
      rows.map(({ id }) => id),
      integers(rows.map(({ priority }) => priority)),
      integers(rows.map(({ until }) => until)),
      texts(rows.map(({ key }) => key)),
      rows.map(({ payload }) => payload),
      rows.map(({ metadata }) => metadata)
    ])
  }
  const settle = (
    text: string,
    params: ReadonlyArray<unknown>,
    receipts: ReadonlyArray<Receipt>
  ): Effect.Effect<ReadonlyArray<Receipt>, SqlError> =>
    Effect.map(query<{ readonly seq: number }>(text, params), (rows) => {
      if (rows.length === receipts.length) return nothing
      const settled = new Set(rows.map(({ seq }) => seq))
      return receipts.filter(({ seq }) => !settled.has(seq))
    })
  const lockKeys = (keys: ReadonlyArray<string>) => run(statements.lockKeys, [keys])
  /** So that nothing of these keys is claimed or comes to life meanwhile. */
  const holdLanes = (keys: ReadonlyArray<string>) =>
    keys.length === 0 ? Effect.void : Effect.andThen(lockKeys(keys), run(statements.lockLanes, [keys]))
  const keysOf = (rows: ReadonlyArray<{ readonly key: string | null }>): ReadonlyArray<string> =>
    rows.flatMap(({ key }) => key ?? [])

  return {
    mostRows,
    enqueue: (rows, now) => fromTheFront(insert(statements.enqueue, rows, now)),
    takeBack: (rows, now) => fromTheFront(insert(statements.takeBack, rows, now)),
    lockKeys,
    block: (keys) => run(statements.block, [keys]),
    unblock: (keys, now) => fromTheFront(run(statements.unblock, [String(now), keys])),
    claim,
    claimId: (until, id) =>
      Effect.flatMap(query<{ readonly key: string | null }>(statements.keyOf, [id]), (rows) =>
        Effect.andThen(
          holdLanes(keysOf(rows)),
          Effect.map(query<ClaimedRow>(statements.claimId, [String(until), id]), ([row]) => row)
        )),
    wakeDue: (now, max) => Effect.map(sql.unsafe(statements.wakeDue, [String(now), String(max)]).raw, changesOf),
    nextDue: Effect.map(query<{ readonly due: number | null }>(statements.nextDue, []), ([row]) => row?.due ?? null),
    ack: (receipts, now, until) =>
      until <= now
        ? settle(statements.remove, receiptsOf(receipts), receipts)
        : settle(statements.ack, [String(until), ...receiptsOf(receipts)], receipts),
    release: (receipts) => fromTheFront(settle(statements.release, receiptsOf(receipts), receipts)),
    requeue: (receipts, now) => settle(statements.requeue, [String(now), ...receiptsOf(receipts)], receipts),
    delay: (items) => {
      const receipts = items.map(([receipt]) => receipt)
      return settle(
        statements.delay,
        [...receiptsOf(receipts), integers(items.map(([, until]) => until))],
        receipts
      )
    },
    bury: (items, now) => {
      const receipts = items.map(([receipt]) => receipt)
      return settle(
        statements.bury,
        [
          String(now),
          ...receiptsOf(receipts),
          items.map(([, reason]) => storable(reason)),
          items.map(([, , letter]) => letter ?? "")
        ],
        receipts
      )
    },
    giveBack: (receipts) => fromTheFront(run(statements.giveBack, receiptsOf(receipts))),
    extend: (receipts, until) => settle(statements.extend, [String(until), ...receiptsOf(receipts)], receipts),
    count: Effect.map(query<typeof none>(statements.count, []), ([row]) => row ?? none),
    anywhere: Effect.map(query<{ readonly seq: number }>(statements.anywhere, []), ([row]) => row?.seq ?? 0),
    piece: (from, rows) =>
      Effect.map(
        query<{ readonly last: number | null; readonly count: number }>(statements.piece, [
          String(from),
          String(rows)
        ]),
        ([row]) => row ?? { last: null, count: 0 }
      ),
    forget: (from, to, now) => run(statements.forget, [String(from), String(to), String(now)]),
    letters: (since, seq, max) => query<LetterRow>(statements.letters, [String(since), String(seq), String(max)]),
    lettersOf: (id) => query<LetterRow>(statements.lettersOf, [id]),
    removeLetters: (letters) => run(statements.removeLetters, pairsOf(letters)),
    putBack: (letters, now) =>
      Effect.flatMap(query<{ readonly key: string }>(statements.deadKeys, pairsOf(letters)), (rows) =>
        Effect.andThen(
          holdLanes(keysOf(rows)),
          query<{ readonly seq: number; readonly claim: number; readonly key: string | null }>(
            statements.putBack,
            [String(now), ...pairsOf(letters)]
          )
        )),
    seen: undefined,
    changed: (_, now) =>
      Effect.map(
        query<{ readonly changed: boolean }>(statements.changed, [String(now)]),
        ([row]) => row?.changed ?? false
      )
  }
}

export const queueDialect: QueueDialect = {
  versions: (table) => [makeStatements(table).create],
  open,
  poll: 2000,
  ahead: 256,
  leastWalk: 5000
}
