/**
 * The table of a queue, as a dialect of SQL works on it. A row is a message; `state` says where it is:
 *
 *     ready ──claim──▶ leased ──Ack────────▶ done: keeps its id until `until`, for de-duplication
 *       ▲  ▲             │ ├──DeadLetter──▶ dead ──put back──▶ ready              (deliveries 0)
 *       │  │             │ ├──Requeue(delay)─▶ delayed ──`until`──▶ ready     (deliveries + 1)
 *       │  └─────────────┘ └──Release──▶ ready                             (deliveries unchanged)
 *       │   Requeue, `until` has come, closed                              (deliveries + 1)
 *     blocked: an earlier message of its key is not done
 *
 * What is taken back goes from `done` or `dead` to `ready`, as if it arrived anew, with deliveries 0: its letter was kept
 * elsewhere.
 *
 * `since` is the place in the order: when it was enqueued, requeued or became due. `claim` counts hand-overs: a
 * settlement names the claim that it settles, so that who has lost a lease cannot settle the next one's.
 *
 * Each operation is one statement where the database can say it in one. `store.ts` composes them, in transactions where
 * there are several; times are milliseconds of the database's clock.
 */
import type { Connector } from "@ergon/core"
import type { Effect } from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"
import type { Receipt } from "./receipt.ts"

/** A message about to be written: `delayed` until `until`, or ready. */
export interface NewRow {
  readonly id: string
  readonly payload: string
  readonly metadata: string
  readonly key: string | null
  readonly priority: number
  readonly until: number | null
}

/** What a claim returns. */
export interface ClaimedRow {
  readonly seq: number
  readonly id: string
  /** Null only where somebody has written to the table by hand; `metadata` too. */
  readonly payload: string | null
  readonly metadata: string | null
  readonly key: string | null
  readonly deliveries: number
  readonly claim: number
  readonly priority: number
  readonly since: number
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

/** Settles what is still held; answers with those that are not. */
type Settle<A> = (items: ReadonlyArray<A>, now: number) => Effect<ReadonlyArray<Receipt>, SqlError>

export interface QueueTable {
  /** How many rows one `enqueue` or `takeBack` takes. */
  readonly mostRows: number
  /** Writes rows at `now`. An id that is there already changes nothing, unless it is done and its `until` has come. */
  readonly enqueue: (rows: ReadonlyArray<NewRow>, now: number) => Effect<void, SqlError>
  /** The same, and also what is done or dead arrives anew. */
  readonly takeBack: (rows: ReadonlyArray<NewRow>, now: number) => Effect<void, SqlError>
  /**
   * Makes every other transaction that needs one of these keys wait for the end of this one, where several write at a
   * time. Comes before whatever reads the keys.
   */
  readonly lockKeys: ((keys: ReadonlyArray<string>) => Effect<void, SqlError>) | undefined
  /** Only the first living message of a key may be ready or delayed: blocks the others of these keys. */
  readonly block: (keys: ReadonlyArray<string>) => Effect<void, SqlError>
  /** Makes the first blocked one of each key ready where nothing of the key lives before it. */
  readonly unblock: (keys: ReadonlyArray<string>, now: number) => Effect<void, SqlError>
  /** Leases at most `max` ready messages until `until`, in any order among themselves. */
  readonly claim: (until: number, max: number) => Effect<ReadonlyArray<ClaimedRow>, SqlError>
  /** Leases the message of this id wherever it waits, unless another one of its key is leased. Inside a transaction. */
  readonly claimId: (until: number, id: string) => Effect<ClaimedRow | undefined, SqlError>
  /** Makes at most `max` messages ready that are due at `now`; answers with their number. */
  readonly wakeDue: (now: number, max: number) => Effect<number, SqlError>
  /** When the next leased or delayed message is due; none is `null`. */
  readonly nextDue: Effect<number | null, SqlError>
  /** Done; the id is kept until `until`. */
  readonly ack: (
    receipts: ReadonlyArray<Receipt>,
    now: number,
    until: number
  ) => Effect<ReadonlyArray<Receipt>, SqlError>
  readonly release: Settle<Receipt>
  readonly requeue: Settle<Receipt>
  readonly delay: Settle<readonly [receipt: Receipt, until: number]>
  readonly bury: Settle<readonly [receipt: Receipt, reason: string, letter: string | null]>
  /** What a closing connector holds becomes ready with a higher count. */
  readonly giveBack: (receipts: ReadonlyArray<Receipt>) => Effect<void, SqlError>
  readonly extend: (receipts: ReadonlyArray<Receipt>, until: number) => Effect<ReadonlyArray<Receipt>, SqlError>
  readonly count: Effect<Connector.Count, SqlError>
  /** A place in the table, anywhere. */
  readonly anywhere: Effect<number, SqlError>
  /** The last of the next `rows` places behind one, and how many there are. */
  readonly piece: (from: number, rows: number) => Effect<
    { readonly last: number | null; readonly count: number },
    SqlError
  >
  /** Removes what is done and no longer kept, between two places. */
  readonly forget: (from: number, to: number, now: number) => Effect<void, SqlError>
  /** At most `max` dead letters, oldest first, behind a place in their order. */
  readonly letters: (since: number, seq: number, max: number) => Effect<ReadonlyArray<LetterRow>, SqlError>
  readonly lettersOf: (id: string) => Effect<ReadonlyArray<LetterRow>, SqlError>
  readonly removeLetters: (letters: ReadonlyArray<Pair>) => Effect<void, SqlError>
  /** Dead letters become ready, with a count of 0; answers with those that were there. Inside a transaction. */
  readonly putBack: (letters: ReadonlyArray<Pair>, now: number) => Effect<
    ReadonlyArray<{ readonly seq: number; readonly claim: number; readonly key: string | null }>,
    SqlError
  >
  /** What `changed` compares with, where it does: asked before a claim that finds nothing. */
  readonly seen: Effect<number, SqlError> | undefined
  /** Whether there may be something to claim: a light statement, that a waiting fetch asks every `poll`. */
  readonly changed: (seen: number, now: number) => Effect<boolean, SqlError>
}

/** How a dialect makes and opens the table of a queue. */
export interface QueueDialect {
  /** What makes version n + 1 out of version n; version 0 is no table. */
  readonly versions: (table: string) => ReadonlyArray<ReadonlyArray<string>>
  readonly open: (sql: Client.SqlClient, table: string) => QueueTable
  /** How often a waiting fetch looks for itself, unless the options say; milliseconds. */
  readonly poll: number
  /** How many rows to claim for a consumer that takes one full batch after the other; 0 for no more than it asks for. */
  readonly ahead: number
  /** Rows of one step of the walk that forgets old ids, so that it is worth its statements. */
  readonly leastWalk: number
}
