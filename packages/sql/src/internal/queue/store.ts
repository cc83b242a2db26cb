/**
 * What can be done with a queue, as effects on its table. See `statements.ts` for the states of a message.
 *
 * Every operation is one statement or one transaction. Times are milliseconds of the Effect clock.
 */
import type { Connector } from "@ergon/core"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Database } from "../../Database.ts"
import type { SqlError } from "../effectSql.ts"
import type { Receipt } from "./receipt.ts"
import { type ClaimedRow, make as makeStatements, type Statements } from "./statements.ts"

/** A message about to be enqueued. */
export interface Enqueued {
  readonly id: string
  readonly payload: string
  readonly metadata: string
  readonly key: string | null
  readonly priority: number
  /** Milliseconds. */
  readonly delay: number
}

/** How one batch is to be settled: every group in one statement. */
export interface Groups {
  readonly ack: Array<Receipt>
  readonly release: Array<Receipt>
  readonly requeue: Array<Receipt>
  readonly delay: Array<readonly [receipt: Receipt, delay: number]>
  readonly bury: Array<readonly [receipt: Receipt, reason: string, letter: string | null]>
}

export interface StoreOptions {
  readonly table: string
  readonly keyed: boolean
  /** Milliseconds each. */
  readonly lease: number
  readonly retention: number
  readonly poll: number
}

/** A message that was given up. */
export interface LetterRow {
  readonly seq: number
  readonly claim: number
  readonly id: string
  readonly payload: string | null
  readonly metadata: string | null
  readonly reason: string | null
  readonly letter: string | null
  readonly deliveries: number
  readonly since: number
}

/** Which hand-over of which message. */
export type Pair = readonly [seq: number, claim: number]

// Rows of one INSERT, so that its parameters stay far below SQLite's bound.
const mostRows = 250
// Rows that become due in one statement, so that none takes long.
const mostDue = 1000
// Rows of one step of the walk that forgets old ids, so that it is worth its statements.
const leastWalk = 500
// The last millisecond that a Date can be.
const endOfTime = 8.64e15

/** A STRICT column takes whole milliseconds, and a time that JSON can say. */
const after = (now: number, delay: number): number => Math.min(Math.ceil(now + delay), endOfTime)

export class Store {
  readonly options: StoreOptions
  readonly database: Database["Service"]
  private readonly statements: Statements
  /** Made once for each number of rows: it is long, and looked up by its text. */
  private readonly inserts: Array<string | undefined> = []
  /** When something may have become due: by what this process knows, and at the latest after `poll`. */
  private nextLook = 0
  /** When something is due, by what the table said at the last look and what this process has done since. */
  private nextDue = Infinity
  /** How far the walk that forgets old ids has come: it begins anywhere, so that short processes cover the table too. */
  private walked: number | undefined
  private toWalk = leastWalk

  constructor(database: Database["Service"], options: StoreOptions) {
    this.database = database
    this.options = options
    this.statements = makeStatements(options.table)
  }

  enqueue(rows: ReadonlyArray<Enqueued>): Effect.Effect<void, SqlError> {
    return this.write(rows, (count) => this.inserts[count] ??= this.statements.enqueue(count))
  }

  /** Enqueues what does not wait and is not in flight, also where its id is known as done or dead. */
  takeBack(rows: ReadonlyArray<Enqueued>): Effect.Effect<void, SqlError> {
    return this.write(rows, this.statements.takeBack)
  }

  private write(rows: ReadonlyArray<Enqueued>, textOf: (count: number) => string): Effect.Effect<void, SqlError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const insert = rows.length <= mostRows
        ? this.insert(rows, textOf, now)
        : Effect.forEach(Arr.chunksOf(rows, mostRows), (chunk) => this.insert(chunk, textOf, now), { discard: true })
      const keys = keysOf(rows)
      const all = keys.length === 0 ? insert : Effect.andThen(insert, this.run(this.statements.block, [json(keys)]))
      const atomic = keys.length === 0 && rows.length <= mostRows ? all : this.database.sql.withTransaction(all)
      return Effect.andThen(atomic, this.changed)
    })
  }

  private insert(
    rows: ReadonlyArray<Enqueued>,
    textOf: (count: number) => string,
    now: number
  ): Effect.Effect<unknown, SqlError> {
    const params: Array<unknown> = []
    for (const { delay, id, key, metadata, payload, priority } of rows) {
      if (delay > 0) {
        const until = after(now, delay)
        this.isDue(until)
        params.push(id, "delayed", priority, now, until, key, payload, metadata)
      } else {
        params.push(id, "ready", priority, now, null, key, payload, metadata)
      }
    }
    return this.run(textOf(rows.length), params)
  }

  /** At most `max` messages, in order, each with the end of its lease. */
  claim(max: number): Effect.Effect<{ readonly rows: ReadonlyArray<ClaimedRow>; readonly until: number }, SqlError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const until = after(now, this.options.lease)
      const claim = Effect.map(this.query<ClaimedRow>(this.statements.claim, [until, max]), (rows) => {
        if (rows.length > 0) this.isDue(until)
        // RETURNING keeps no order.
        return { rows: rows.length < 2 ? rows : rows.toSorted(inOrder), until }
      })
      return now < this.nextLook ? claim : Effect.andThen(this.wakeDue(now), claim)
    })
  }

  /** One message by its id, wherever it waits, ahead of the others of its key; none while one of these is in flight. */
  claimId(
    id: string
  ): Effect.Effect<{ readonly row: ClaimedRow | undefined; readonly until: number }, SqlError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const until = after(now, this.options.lease)
      const claim = Effect.flatMap(this.query<ClaimedRow>(this.statements.claimId, [until, id]), ([row]) => {
        this.isDue(until)
        const claimed = { row, until }
        return row === undefined || row.key === null
          ? Effect.succeed(claimed)
          : Effect.as(this.run(this.statements.block, [json([row.key])]), claimed)
      })
      return Effect.andThen(this.wakeDue(now), this.database.sql.withTransaction(claim))
    })
  }

  /** Makes ready what is due by now; when to look again is the next due time, and not later than `poll`. */
  private wakeDue(now: number): Effect.Effect<void, SqlError> {
    return Effect.flatMap(
      this.run(this.statements.wakeDue, [now, mostDue]),
      (changes) =>
        Effect.map(this.query<{ readonly due: number | null }>(this.statements.nextDue, []), ([row]) => {
          this.nextDue = changes === mostDue ? now : row?.due ?? Infinity
          this.nextLook = Math.min(this.nextDue, now + this.options.poll)
        })
    )
  }

  private wakeAllDue(now: number): Effect.Effect<void, SqlError> {
    return Effect.flatMap(this.wakeDue(now), () => this.nextDue <= now ? this.wakeAllDue(now) : Effect.void)
  }

  private isDue(at: number): void {
    this.nextLook = Math.min(this.nextLook, at)
    this.nextDue = Math.min(this.nextDue, at)
  }

  /** When a fetch that found nothing should look again, unless something changes before. */
  get lookAgainAt(): number {
    return this.nextDue
  }

  /** The next claim looks at what is due: somebody else may have changed the table. */
  lookAtNextClaim(): void {
    this.nextLook = 0
  }

  /** Settles a batch; answers with the receipts that are no longer held. Marks nothing: the commit may be to come. */
  settle(groups: Groups): Effect.Effect<ReadonlyArray<Receipt>, SqlError> {
    const { statements } = this
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const { ack, bury, delay, release, requeue } = groups
      const steps: Array<Effect.Effect<ReadonlyArray<Receipt>, SqlError>> = []
      const step = (
        text: string,
        head: ReadonlyArray<unknown>,
        receipts: ReadonlyArray<Receipt>,
        pairs: string,
        to: string
      ) =>
        steps.push(
          Effect.flatMap(this.run(text, [...head, pairs]), (changes) =>
            changes === receipts.length ? nothing : this.missing(receipts, to))
        )
      if (ack.length > 0) step(statements.ack, [after(now, this.options.retention)], ack, pairsOf(ack), "done")
      if (release.length > 0) step(statements.release, [], release, pairsOf(release), "ready")
      if (requeue.length > 0) step(statements.requeue, [now], requeue, pairsOf(requeue), "ready")
      if (delay.length > 0) {
        const pairs = json(delay.map(([{ claim, seq }, delay]) => [seq, claim, after(now, delay)]))
        for (const [, wait] of delay) this.isDue(after(now, wait))
        step(statements.delay, [], delay.map(([receipt]) => receipt), pairs, "delayed")
      }
      if (bury.length > 0) {
        const pairs = json(bury.map(([{ claim, seq }, reason, letter]) => [seq, claim, reason, letter]))
        step(statements.bury, [now], bury.map(([receipt]) => receipt), pairs, "dead")
      }
      // By what the rows say, whatever the options of this process: a key must not wait for ever.
      const keys = keysOf(ack, bury)
      const all = Effect.map(Effect.forEach(steps, (step) => step), (lost) => lost.flat())
      const settled = keys.length > 0
        ? this.database.sql.withTransaction(Effect.tap(all, () => this.run(statements.unblock, [now, json(keys)])))
        : steps.length === 1
        ? steps[0]!
        : this.database.sql.withTransaction(all)
      const back = keys.length + release.length + requeue.length + delay.length > 0
      return Effect.tap(settled, () => Effect.andThen(this.forget(ack.length, now), back ? this.changed : Effect.void))
    })
  }

  /** Prolongs leases from now on; answers with the receipts that are no longer held. */
  extend(receipts: ReadonlyArray<Receipt>): Effect.Effect<
    { readonly lost: ReadonlyArray<Receipt>; readonly until: number },
    SqlError
  > {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const until = after(now, this.options.lease)
      return Effect.flatMap(
        this.run(this.statements.extend, [until, pairsOf(receipts)]),
        (changes) =>
          Effect.map(
            changes === receipts.length ? nothing : this.missing(receipts, "leased"),
            (lost) => ({ lost, until })
          )
      )
    })
  }

  /** Gives back what a closing connector holds, with a higher count. */
  giveBack(receipts: ReadonlyArray<Receipt>): Effect.Effect<void, SqlError> {
    if (receipts.length === 0) return Effect.void
    return Effect.andThen(this.run(this.statements.giveBack, [pairsOf(receipts)]), this.changed)
  }

  get count(): Effect.Effect<Connector.Count, SqlError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.andThen(
        this.wakeAllDue(now),
        Effect.map(
          this.query<Connector.Count>(this.statements.count, []),
          ([row]) => ({ ready: row?.ready ?? 0, inFlight: row?.inFlight ?? 0, delayed: row?.delayed ?? 0 })
        )
      ))
  }

  get ping(): Effect.Effect<void, SqlError> {
    return Effect.asVoid(this.query("SELECT 1", []))
  }

  /** At most `max` dead letters, oldest first, behind a place in their order. */
  letters(since: number, seq: number, max: number): Effect.Effect<ReadonlyArray<LetterRow>, SqlError> {
    return this.query<LetterRow>(this.statements.letters, [since, seq, max])
  }

  lettersOf(id: string): Effect.Effect<ReadonlyArray<LetterRow>, SqlError> {
    return this.query<LetterRow>(this.statements.lettersOf, [id])
  }

  removeLetters(letters: ReadonlyArray<Pair>): Effect.Effect<void, SqlError> {
    return Effect.asVoid(this.run(this.statements.removeLetters, [json(letters)]))
  }

  /** Puts dead letters back with a count of 0, behind what waits; answers with those that were there. */
  putBack(letters: ReadonlyArray<Pair>): Effect.Effect<ReadonlyArray<Pair>, SqlError> {
    type Row = Keyed & { readonly seq: number; readonly claim: number }
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const rows = this.query<Row>(this.statements.putBack, [now, json(letters)])
      const blocked = Effect.tap(rows, (rows) => {
        const keys = keysOf(rows)
        return keys.length === 0 ? Effect.void : this.run(this.statements.block, [json(keys)])
      })
      return Effect.flatMap(
        this.database.sql.withTransaction(blocked),
        (rows) => Effect.as(this.changed, rows.map(({ claim, seq }): Pair => [seq, claim]))
      )
    })
  }

  /** Wakes who waits for this table, once what is being written is committed. */
  private get changed(): Effect.Effect<void> {
    return this.database.sql.afterCommit(Effect.sync(() => this.database.changes.changed(this.options.table)))
  }

  /**
   * Forgets ids whose retention is over: for every id that is kept, the walk goes over two rows, so that it comes round
   * faster than the table grows.
   */
  private forget(kept: number, now: number): Effect.Effect<void> {
    this.toWalk += 2 * kept
    if (kept === 0 || this.toWalk < leastWalk) return Effect.void
    const rows = this.toWalk
    this.toWalk = 0
    const from = this.walked === undefined
      ? Effect.map(this.query<{ readonly seq: number }>(this.statements.anywhere, []), ([row]) => row?.seq ?? 0)
      : Effect.succeed(this.walked)
    // What is not forgotten now is forgotten the next time round.
    return Effect.ignore(Effect.flatMap(from, (from) => this.walk(from, rows, now)))
  }

  /** Goes over the next `rows` rows, and from the beginning again where the table ends. */
  private walk(from: number, rows: number, now: number): Effect.Effect<void, SqlError> {
    const piece = this.query<{ readonly last: number | null; readonly count: number }>(this.statements.piece, [
      from,
      rows
    ])
    return Effect.flatMap(piece, ([row]) => {
      const count = row?.count ?? 0
      this.walked = count < rows ? 0 : row?.last ?? 0
      const forget = row?.last == null ? Effect.void : this.run(this.statements.forget, [from, row.last, now])
      return count < rows && from > 0
        ? Effect.andThen(forget, this.walk(0, rows - count, now))
        : Effect.asVoid(forget)
    })
  }

  private missing(receipts: ReadonlyArray<Receipt>, state: string): Effect.Effect<ReadonlyArray<Receipt>, SqlError> {
    return Effect.map(
      this.query<{ readonly place: number }>(this.statements.missing, [pairsOf(receipts), state]),
      (rows) => rows.map(({ place }) => receipts[place]!)
    )
  }

  private query<A extends object>(
    text: string,
    params: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<A>, SqlError> {
    return this.database.sql.unsafe<A>(text, params)
  }

  /** Answers with the number of changed rows. */
  private run(text: string, params: ReadonlyArray<unknown>): Effect.Effect<number, SqlError> {
    return Effect.map(this.database.sql.unsafe(text, params).raw, changesOf)
  }
}

const nothing: Effect.Effect<ReadonlyArray<Receipt>> = Effect.succeed([])

const json = (value: unknown): string => JSON.stringify(value)

const pairsOf = (receipts: ReadonlyArray<Receipt>): string => json(receipts.map(({ claim, seq }) => [seq, claim]))

interface Keyed {
  readonly key: string | null
}

const keysOf = (
  rows: ReadonlyArray<Keyed>,
  firsts: ReadonlyArray<readonly [row: Keyed, ...rest: ReadonlyArray<unknown>]> = []
): ReadonlyArray<string> => {
  const keys = new Set<string>()
  for (const { key } of rows) if (key !== null) keys.add(key)
  for (const [{ key }] of firsts) if (key !== null) keys.add(key)
  return Array.from(keys)
}

const changesOf = (result: unknown): number =>
  typeof result === "object" && result !== null && "changes" in result ? Number(result.changes) : 0

const inOrder = (a: ClaimedRow, b: ClaimedRow): number => b.priority - a.priority || a.since - b.since || a.seq - b.seq
