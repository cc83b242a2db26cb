/**
 * What can be done with a queue, as effects on its table. See `queueTable.ts` for the states of a message.
 *
 * Every operation is one statement or one transaction. Times are milliseconds of the database's clock, as this process
 * knows it.
 */
import type { Connector } from "@ergon/core"
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Database } from "../../Database.ts"
import { atomically } from "../atomically.ts"
import type { SqlError } from "../effectSql.ts"
import type { ClaimedRow, LetterRow, NewRow, Pair, QueueTable } from "./queueTable.ts"
import type { Receipt } from "./receipt.ts"

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

// Rows that become due in one statement, so that none takes long.
const mostDue = 1000
// The last millisecond that a Date can be.
const endOfTime = 8.64e15

/** A STRICT column takes whole milliseconds, and a time that JSON can say. */
const after = (now: number, delay: number): number => Math.min(Math.ceil(now + delay), endOfTime)

export class Store {
  readonly options: StoreOptions
  readonly database: Database["Service"]
  private readonly table: QueueTable
  private readonly clock: Clock.Clock
  /** When something may have become due: by what this process knows, and at the latest after `poll`. */
  private nextLook = 0
  /** When something is due, by what the table said at the last look and what this process has done since. */
  private nextDue = Infinity
  /** How far the walk that forgets old ids has come: it begins anywhere, so that short processes cover the table too. */
  private walked: number | undefined
  private toWalk: number

  constructor(database: Database["Service"], clock: Clock.Clock, options: StoreOptions) {
    this.database = database
    this.clock = clock
    this.options = options
    this.table = database.dialect.queue.open(database.sql, options.table)
    this.toWalk = database.dialect.queue.leastWalk
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe() + this.database.clockOffset()
  }

  enqueue(rows: ReadonlyArray<Enqueued>): Effect.Effect<void, SqlError> {
    return this.write(rows, this.table.enqueue)
  }

  /** Enqueues what does not wait and is not in flight, also where its id is known as done or dead. */
  takeBack(rows: ReadonlyArray<Enqueued>): Effect.Effect<void, SqlError> {
    return this.write(rows, this.table.takeBack)
  }

  private write(rows: ReadonlyArray<Enqueued>, into: QueueTable["enqueue"]): Effect.Effect<void, SqlError> {
    return Effect.suspend(() => {
      const { mostRows } = this.table
      const now = this.now()
      const news = rows.map((row) => this.newRow(row, now))
      const insert = news.length <= mostRows
        ? into(news, now)
        : Effect.forEach(Arr.chunksOf(news, mostRows), (chunk) => into(chunk, now), { discard: true })
      const keys = keysOf(rows)
      const all = keys.length === 0 ? insert : this.blocking(keys, insert)
      const atomic = keys.length === 0 && news.length <= mostRows ? all : atomically(this.database.sql, all)
      return Effect.andThen(atomic, this.changed)
    })
  }

  private newRow({ delay, id, key, metadata, payload, priority }: Enqueued, now: number): NewRow {
    if (delay <= 0) return { id, payload, metadata, key, priority, until: null }
    const until = after(now, delay)
    this.isDue(until)
    return { id, payload, metadata, key, priority, until }
  }

  /** Blocks what has to wait for others of these keys after what `effect` has written. */
  private blocking<A>(keys: ReadonlyArray<string>, effect: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    return Effect.andThen(this.locking(keys), Effect.tap(effect, () => this.table.block(keys)))
  }

  private locking(keys: ReadonlyArray<string>): Effect.Effect<void, SqlError> {
    return this.table.lockKeys === undefined || keys.length === 0 ? Effect.void : this.table.lockKeys(keys)
  }

  /** At most `max` messages, in order, each with the end of its lease. */
  claim(max: number): Effect.Effect<{ readonly rows: ReadonlyArray<ClaimedRow>; readonly until: number }, SqlError> {
    return Effect.suspend(() => {
      const now = this.now()
      const until = after(now, this.options.lease)
      const claim = Effect.map(this.table.claim(until, max), (rows) => {
        if (rows.length > 0) this.isDue(until)
        return { rows: rows.length < 2 ? rows : rows.toSorted(inOrder), until }
      })
      return now < this.nextLook ? claim : Effect.andThen(this.wakeDue(now), claim)
    })
  }

  /** One message by its id, wherever it waits, ahead of the others of its key; none while one of these is in flight. */
  claimId(
    id: string
  ): Effect.Effect<{ readonly row: ClaimedRow | undefined; readonly until: number }, SqlError> {
    return Effect.suspend(() => {
      const now = this.now()
      const until = after(now, this.options.lease)
      const claim = Effect.flatMap(this.table.claimId(until, id), (row) => {
        this.isDue(until)
        const claimed = { row, until }
        return row === undefined || row.key === null
          ? Effect.succeed(claimed)
          : Effect.as(this.table.block([row.key]), claimed)
      })
      return Effect.andThen(this.wakeDue(now), atomically(this.database.sql, claim))
    })
  }

  /** Makes ready what is due by now; when to look again is the next due time, and not later than `poll`. */
  private wakeDue(now: number): Effect.Effect<void, SqlError> {
    return Effect.flatMap(this.look(now), () =>
      this.nextDue > now
        ? Effect.void
        : Effect.flatMap(
          this.table.wakeDue(now, mostDue),
          (changes) => changes === mostDue ? Effect.void : this.look(now)
        ))
  }

  private look(now: number): Effect.Effect<void, SqlError> {
    return Effect.map(this.table.nextDue, (due) => {
      this.nextDue = due ?? Infinity
      this.nextLook = Math.min(this.nextDue, now + this.options.poll)
    })
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

  /** What `changedElsewhere` compares with, where it does. */
  get seen(): Effect.Effect<number, SqlError> | undefined {
    return this.table.seen
  }

  /** Whether somebody else may have made something claimable. */
  changedElsewhere(seen: number): Effect.Effect<boolean, SqlError> {
    return Effect.suspend(() => this.table.changed(seen, this.now()))
  }

  /** Settles a batch; answers with the receipts that are no longer held. Marks nothing: the commit may be to come. */
  settle(groups: Groups): Effect.Effect<ReadonlyArray<Receipt>, SqlError> {
    return Effect.suspend(() => {
      const { table } = this
      const now = this.now()
      const { ack, bury, delay, release, requeue } = groups
      const steps: Array<Effect.Effect<ReadonlyArray<Receipt>, SqlError>> = []
      if (ack.length > 0) steps.push(table.ack(ack, now, after(now, this.options.retention)))
      if (release.length > 0) steps.push(table.release(release, now))
      if (requeue.length > 0) steps.push(table.requeue(requeue, now))
      if (delay.length > 0) {
        const until = delay.map(([receipt, wait]) => [receipt, after(now, wait)] as const)
        for (const [, at] of until) this.isDue(at)
        steps.push(table.delay(until, now))
      }
      if (bury.length > 0) steps.push(table.bury(bury, now))
      // By what the rows say, whatever the options of this process: a key must not wait for ever.
      const keys = keysOf(ack, bury)
      const back = keys.length + release.length + requeue.length + delay.length > 0
      if (keys.length > 0) steps.push(Effect.as(table.unblock(keys, now), noReceipts))
      const all = Effect.map(Effect.forEach(steps, (step) => step), (lost) => lost.flat())
      const settled = steps.length === 1
        ? steps[0]!
        : atomically(this.database.sql, Effect.andThen(this.locking(keys), all))
      return Effect.tap(settled, () => Effect.andThen(this.forget(ack.length, now), back ? this.changed : Effect.void))
    })
  }

  /** Prolongs leases from now on; answers with the receipts that are no longer held. */
  extend(receipts: ReadonlyArray<Receipt>): Effect.Effect<
    { readonly lost: ReadonlyArray<Receipt>; readonly until: number },
    SqlError
  > {
    return Effect.suspend(() => {
      const until = after(this.now(), this.options.lease)
      return Effect.map(this.table.extend(receipts, until), (lost) => ({ lost, until }))
    })
  }

  /** Gives back what a closing connector holds, with a higher count. */
  giveBack(receipts: ReadonlyArray<Receipt>): Effect.Effect<void, SqlError> {
    if (receipts.length === 0) return Effect.void
    return Effect.andThen(this.table.giveBack(receipts), this.changed)
  }

  get count(): Effect.Effect<Connector.Count, SqlError> {
    return Effect.suspend(() => Effect.andThen(this.wakeAllDue(this.now()), this.table.count))
  }

  get ping(): Effect.Effect<void, SqlError> {
    return Effect.asVoid(this.database.sql.unsafe("SELECT 1"))
  }

  /** At most `max` dead letters, oldest first, behind a place in their order. */
  letters(since: number, seq: number, max: number): Effect.Effect<ReadonlyArray<LetterRow>, SqlError> {
    return this.table.letters(since, seq, max)
  }

  lettersOf(id: string): Effect.Effect<ReadonlyArray<LetterRow>, SqlError> {
    return this.table.lettersOf(id)
  }

  removeLetters(letters: ReadonlyArray<Pair>): Effect.Effect<void, SqlError> {
    return this.table.removeLetters(letters)
  }

  /** Puts dead letters back with a count of 0, behind what waits; answers with those that were there. */
  putBack(letters: ReadonlyArray<Pair>): Effect.Effect<ReadonlyArray<Pair>, SqlError> {
    return Effect.suspend(() => {
      const blocked = Effect.tap(this.table.putBack(letters, this.now()), (rows) => {
        const keys = keysOf(rows)
        return keys.length === 0 ? Effect.void : this.table.block(keys)
      })
      return Effect.flatMap(
        atomically(this.database.sql, blocked),
        (rows) => Effect.as(this.changed, rows.map(({ claim, seq }): Pair => [seq, claim]))
      )
    })
  }

  /** Wakes who waits for this table, here and elsewhere, once what is being written is committed. */
  private get changed(): Effect.Effect<void> {
    const { changes, sql } = this.database
    return sql.afterCommit(Effect.sync(() => {
      changes.changed(this.options.table)
      changes.tell(this.options.table)
    }))
  }

  /**
   * Forgets ids whose retention is over: for every id that is kept, the walk goes over two rows, so that it comes round
   * faster than the table grows.
   */
  private forget(kept: number, now: number): Effect.Effect<void> {
    this.toWalk += 2 * kept
    if (kept === 0 || this.toWalk < this.database.dialect.queue.leastWalk) return Effect.void
    const rows = this.toWalk
    this.toWalk = 0
    const from = this.walked === undefined ? this.table.anywhere : Effect.succeed(this.walked)
    // What is not forgotten now is forgotten the next time round.
    return Effect.ignore(Effect.flatMap(from, (from) => this.walk(from, rows, now)))
  }

  /** Goes over the next `rows` rows, and from the beginning again where the table ends. */
  private walk(from: number, rows: number, now: number): Effect.Effect<void, SqlError> {
    return Effect.flatMap(this.table.piece(from, rows), ({ count, last }) => {
      this.walked = count < rows ? 0 : last ?? 0
      const forget = last === null ? Effect.void : this.table.forget(from, last, now)
      return count < rows && from > 0
        ? Effect.andThen(forget, this.walk(0, rows - count, now))
        : forget
    })
  }
}

const noReceipts: ReadonlyArray<Receipt> = []

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

const inOrder = (a: ClaimedRow, b: ClaimedRow): number => b.priority - a.priority || a.since - b.since || a.seq - b.seq
