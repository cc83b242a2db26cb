/**
 * The table of a queue in MariaDB and MySQL.
 *
 * A claim is a transaction: it locks ready rows that nobody else has locked, then leases them. What enqueueing one
 * message finds to be there already is looked at only then; of several, ids whose retention is over are forgotten first,
 * so that the batch keeps its order.
 */
import * as Effect from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"
import type { ClaimedRow, LetterRow, NewRow, Pair, QueueDialect, QueueTable } from "../queue/queueTable.ts"
import type { Receipt } from "../queue/receipt.ts"
import { atomically } from "../atomically.ts"
import type { Flavor } from "./names.ts"
import { make as makeStatements, slots } from "./queueStatements.ts"

// Rows of one INSERT, which is prepared for each number of rows.
const mostRows = 100

const json = (value: unknown): string => JSON.stringify(value)

const bySeq = ([a]: readonly [number, ...unknown[]], [b]: readonly [number, ...unknown[]]): number => a - b
const pairOf = ({ claim, seq }: Receipt): Pair => [seq, claim]
const pairsOf = (receipts: ReadonlyArray<Receipt>): string => json(receipts.map(pairOf))

/** What a statement has changed; a row that is as it should be already is not counted. */
const changesOf = (result: unknown): number =>
  typeof result === "object" && result !== null && "affectedRows" in result ? Number(result.affectedRows) : 0

const nothing: Effect.Effect<ReadonlyArray<Receipt>> = Effect.succeed([])
const none = { ready: 0, inFlight: 0, delayed: 0 }

interface Waiting extends ClaimedRow {
  readonly state: "ready" | "delayed" | "blocked"
  readonly until: number | null
}

/** The slot of a key: the same one in every process. */
const slotOf = (key: string): number => {
  let hash = 0
  for (let n = 0; n < key.length; n++) hash = (Math.imul(hash, 31) + key.charCodeAt(n)) | 0
  return Math.abs(hash) % slots
}

const open = (sql: Client.SqlClient, table: string, flavor: Flavor): QueueTable => {
  const statements = makeStatements(table, flavor)
  const inserts: Array<string | undefined> = []

  const query = <A extends object>(text: string, params: ReadonlyArray<unknown>) => sql.unsafe<A>(text, params)
  const run = (text: string, params: ReadonlyArray<unknown>) => Effect.map(sql.unsafe(text, params).raw, changesOf)
  const insert = (rows: ReadonlyArray<NewRow>, now: number) => {
    const params: Array<unknown> = []
    for (const { id, key, metadata, payload, priority, until } of rows) {
      params.push(id, until === null ? "ready" : "delayed", priority, now, until, key, payload, metadata)
    }
    return run(inserts[rows.length] ??= statements.enqueue(rows.length), params)
  }
  const idsOf = (rows: ReadonlyArray<NewRow>) => json(rows.map(({ id }) => id))

  const missing = (receipts: ReadonlyArray<Receipt>, state: string): Effect.Effect<ReadonlyArray<Receipt>, SqlError> =>
    Effect.map(
      query<{ readonly place: number }>(statements.missing, [pairsOf(receipts), state]),
      (rows) => rows.map(({ place }) => receipts[place - 1]!)
    )
  /** Rows are locked in the order of their keys, so that two batches do not wait for each other. */
  const settle = (
    text: string,
    receipts: ReadonlyArray<Receipt>,
    items: ReadonlyArray<readonly [seq: number, claim: number, ...rest: ReadonlyArray<unknown>]>,
    values: ReadonlyArray<unknown>,
    state: string
  ) =>
    Effect.flatMap(
      run(text, [json(items.toSorted(bySeq)), ...values]),
      (changes) => changes === receipts.length ? nothing : missing(receipts, state)
    )
  const due = (state: string, now: number, max: number) =>
    query<{ readonly seq: number }>(statements.due, [state, now, max])
  const lease = (until: number, rows: ReadonlyArray<ClaimedRow>) =>
    run(statements.claimed, [json(rows.map(({ claim, seq }): Pair => [seq, claim]).toSorted(bySeq)), until])

  return {
    mostRows,
    enqueue: (rows, now) => {
      const forget = run(statements.forgetExpired, [idsOf(rows), now])
      const add = Effect.flatMap(insert(rows, now), (added) =>
        added === rows.length
          ? Effect.void
          : Effect.flatMap(forget, (forgotten) => forgotten === 0 ? Effect.void : Effect.asVoid(insert(rows, now))))
      if (rows.length === 1) return add
      // What is forgotten only after the first INSERT would come behind the others of its batch.
      return Effect.flatMap(
        query(statements.anyExpired, [idsOf(rows), now]),
        (expired) => expired.length === 0 ? add : Effect.andThen(forget, add)
      )
    },
    takeBack: (rows, now) =>
      atomically(sql, Effect.asVoid(Effect.andThen(run(statements.forgetEnded, [idsOf(rows)]), insert(rows, now)))),
    lockKeys: (keys) => {
      const locked = Array.from(new Set(keys.map(slotOf)))
      return Effect.asVoid(query(statements.lockKeys(locked.length), [table, ...locked]))
    },
    block: (keys) =>
      Effect.asVoid(Effect.andThen(query(statements.lockLanes, [json(keys)]), run(statements.block, [json(keys)]))),
    unblock: (keys, now) => Effect.asVoid(run(statements.unblock, [json(keys), now])),
    claim: (until, max) =>
      atomically(
        sql,
        Effect.flatMap(query<ClaimedRow>(statements.claim, [max]), (rows) =>
          rows.length === 0
            ? Effect.succeed(rows)
            : Effect.as(lease(until, rows), rows.map((row) => ({ ...row, claim: row.claim + 1 }))))
      ),
    claimId: (until, id) =>
      Effect.gen(function*() {
        const [row] = yield* query<Waiting>(statements.one, [id])
        if (row === undefined) return undefined
        if (row.key !== null) {
          yield* query(statements.lockLanes, [json([row.key])])
          if (row.state === "blocked" && (yield* query(statements.busy, [row.key])).length > 0) return undefined
        }
        const since = Math.max(row.since, row.until ?? row.since)
        yield* run(statements.claimOne, [since, until, row.seq])
        const { state: _, until: __, ...claimed } = row
        return { ...claimed, since, claim: row.claim + 1 }
      }),
    wakeDue: (now, max) =>
      Effect.gen(function*() {
        const leased = yield* due("leased", now, max)
        const delayed = leased.length < max ? yield* due("delayed", now, max - leased.length) : []
        const seqs = [...leased, ...delayed].map(({ seq }) => seq).toSorted((a, b) => a - b)
        return seqs.length === 0 ? 0 : yield* run(statements.wake, [json(seqs), now])
      }),
    nextDue: Effect.map(query<{ readonly due: number | null }>(statements.nextDue, []), ([row]) => row?.due ?? null),
    ack: (receipts, _, until) => settle(statements.ack, receipts, receipts.map(pairOf), [until], "done"),
    release: (receipts) => settle(statements.release, receipts, receipts.map(pairOf), [], "ready"),
    requeue: (receipts, now) => settle(statements.requeue, receipts, receipts.map(pairOf), [now], "ready"),
    delay: (items) =>
      settle(
        statements.delay,
        items.map(([receipt]) => receipt),
        items.map(([{ claim, seq }, until]) => [seq, claim, until] as const),
        [],
        "delayed"
      ),
    bury: (items, now) =>
      settle(
        statements.bury,
        items.map(([receipt]) => receipt),
        items.map(([{ claim, seq }, reason, letter]) => [seq, claim, reason.toWellFormed(), letter] as const),
        [now],
        "dead"
      ),
    giveBack: (receipts) => Effect.asVoid(run(statements.giveBack, [pairsOf(receipts)])),
    extend: (receipts, until) => settle(statements.extend, receipts, receipts.map(pairOf), [until], "leased"),
    count: Effect.map(query<typeof none>(statements.count, []), ([row]) => row ?? none),
    anywhere: Effect.map(query<{ readonly seq: number }>(statements.anywhere, []), ([row]) => row?.seq ?? 0),
    piece: (from, rows) =>
      Effect.map(
        query<{ readonly last: number | null; readonly count: number }>(statements.piece, [from, rows]),
        ([row]) => row ?? { last: null, count: 0 }
      ),
    forget: (from, to, now) => Effect.asVoid(run(statements.forget, [from, to, now])),
    letters: (since, seq, max) => query<LetterRow>(statements.letters, [since, since, seq, max]),
    lettersOf: (id) => query<LetterRow>(statements.lettersOf, [id]),
    removeLetters: (letters) => Effect.asVoid(run(statements.removeLetters, [json(letters)])),
    putBack: (letters, now) =>
      Effect.tap(
        query<{ readonly seq: number; readonly claim: number; readonly key: string | null }>(
          statements.lockLetters,
          [json(letters.toSorted(bySeq))]
        ),
        () => run(statements.putBack, [json(letters.toSorted(bySeq)), now])
      ),
    seen: undefined,
    changed: (_, now) =>
      Effect.map(
        query<{ readonly there: number }>(statements.anything, [now, now]),
        ([row]) => row !== undefined && Number(row.there) !== 0
      )
  }
}

export const queueDialect = (flavor: Flavor): QueueDialect => ({
  versions: (table) => makeStatements(table, flavor).versions,
  open: (sql, table) => open(sql, table, flavor),
  poll: 250,
  ahead: 0,
  leastWalk: 500
})
