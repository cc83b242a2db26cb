/**
 * The table of a queue in SQLite. One writes at a time, over all processes: nothing needs a lock of its own.
 */
import * as Effect from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"
import type { Receipt } from "../queue/receipt.ts"
import type { ClaimedRow, LetterRow, NewRow, QueueDialect, QueueTable } from "../queue/queueTable.ts"
import { make as makeStatements } from "./queueStatements.ts"

// Rows of one INSERT, so that its parameters stay far below SQLite's bound.
const mostRows = 250

const json = (value: unknown): string => JSON.stringify(value)

const pairsOf = (receipts: ReadonlyArray<Receipt>): string => json(receipts.map(({ claim, seq }) => [seq, claim]))

const changesOf = (result: unknown): number =>
  typeof result === "object" && result !== null && "changes" in result ? Number(result.changes) : 0

const nothing: Effect.Effect<ReadonlyArray<Receipt>> = Effect.succeed([])
const none = { ready: 0, inFlight: 0, delayed: 0 }

const open = (sql: Client.SqlClient, table: string): QueueTable => {
  const statements = makeStatements(table)
  // Made once for each number of rows: each is long, and looked up by its text.
  const inserts: Array<string | undefined> = []

  const query = <A extends object>(text: string, params: ReadonlyArray<unknown>) => sql.unsafe<A>(text, params)
  /** Answers with the number of changed rows. */
  const run = (text: string, params: ReadonlyArray<unknown>) => Effect.map(sql.unsafe(text, params).raw, changesOf)
  const insert = (text: string, rows: ReadonlyArray<NewRow>, now: number) => {
    const params: Array<unknown> = []
    for (const { id, key, metadata, payload, priority, until } of rows) {
      params.push(id, until === null ? "ready" : "delayed", priority, now, until, key, payload, metadata)
    }
    return Effect.asVoid(run(text, params))
  }
  /** Which of these are not in the state that a settlement should have put them in. */
  const missing = (receipts: ReadonlyArray<Receipt>, state: string): Effect.Effect<ReadonlyArray<Receipt>, SqlError> =>
    Effect.map(
      query<{ readonly place: number }>(statements.missing, [pairsOf(receipts), state]),
      (rows) => rows.map(({ place }) => receipts[place]!)
    )
  const settle = (
    text: string,
    head: ReadonlyArray<unknown>,
    receipts: ReadonlyArray<Receipt>,
    pairs: string,
    state: string
  ) =>
    Effect.flatMap(
      run(text, [...head, pairs]),
      (changes) => changes === receipts.length ? nothing : missing(receipts, state)
    )

  // Differs once another connection has changed the file. Asking takes no lock.
  const version = Effect.map(
    query<{ readonly data_version: number }>("PRAGMA data_version", []),
    ([row]) => row?.data_version ?? 0
  )

  return {
    mostRows,
    enqueue: (rows, now) => insert(inserts[rows.length] ??= statements.enqueue(rows.length), rows, now),
    takeBack: (rows, now) => insert(statements.takeBack(rows.length), rows, now),
    lockKeys: undefined,
    block: (keys) => Effect.asVoid(run(statements.block, [json(keys)])),
    unblock: (keys, now) => Effect.asVoid(run(statements.unblock, [now, json(keys)])),
    claim: (until, max) => query<ClaimedRow>(statements.claim, [until, max]),
    claimId: (until, id) => Effect.map(query<ClaimedRow>(statements.claimId, [until, id]), ([row]) => row),
    wakeDue: (now, max) => run(statements.wakeDue, [now, max]),
    nextDue: Effect.map(query<{ readonly due: number | null }>(statements.nextDue, []), ([row]) => row?.due ?? null),
    ack: (receipts, _, until) => settle(statements.ack, [until], receipts, pairsOf(receipts), "done"),
    release: (receipts) => settle(statements.release, [], receipts, pairsOf(receipts), "ready"),
    requeue: (receipts, now) => settle(statements.requeue, [now], receipts, pairsOf(receipts), "ready"),
    delay: (items) =>
      settle(
        statements.delay,
        [],
        items.map(([receipt]) => receipt),
        json(items.map(([{ claim, seq }, until]) => [seq, claim, until])),
        "delayed"
      ),
    bury: (items, now) =>
      settle(
        statements.bury,
        [now],
        items.map(([receipt]) => receipt),
        json(items.map(([{ claim, seq }, reason, letter]) => [seq, claim, reason, letter])),
        "dead"
      ),
    giveBack: (receipts) => Effect.asVoid(run(statements.giveBack, [pairsOf(receipts)])),
    extend: (receipts, until) => settle(statements.extend, [until], receipts, pairsOf(receipts), "leased"),
    count: Effect.map(query<typeof none>(statements.count, []), ([row]) => row ?? none),
    anywhere: Effect.map(query<{ readonly seq: number }>(statements.anywhere, []), ([row]) => row?.seq ?? 0),
    piece: (from, rows) =>
      Effect.map(
        query<{ readonly last: number | null; readonly count: number }>(statements.piece, [from, rows]),
        ([row]) => row ?? { last: null, count: 0 }
      ),
    forget: (from, to, now) => Effect.asVoid(run(statements.forget, [from, to, now])),
    letters: (since, seq, max) => query<LetterRow>(statements.letters, [since, seq, max]),
    lettersOf: (id) => query<LetterRow>(statements.lettersOf, [id]),
    removeLetters: (letters) => Effect.asVoid(run(statements.removeLetters, [json(letters)])),
    putBack: (letters, now) => query(statements.putBack, [now, json(letters)]),
    seen: version,
    changed: (seen) => Effect.map(version, (now) => now !== seen)
  }
}

export const queueDialect: QueueDialect = {
  versions: (table) => [makeStatements(table).create],
  open,
  poll: 100,
  ahead: 0,
  leastWalk: 500
}
