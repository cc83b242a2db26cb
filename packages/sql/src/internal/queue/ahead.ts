/**
 * Claims more than it is asked for while a consumer takes one full batch right after the other, and keeps the rest for it:
 * a statement that claims 256 messages costs the server little more than one that claims 64.
 *
 *     empty ──a full batch, soon after a full batch──▶ keeping ──taken──▶ empty
 *                                                        │  not asked for within `patience`, something else was released,
 *                                                        └─▶ given back, as if it had never been claimed      or closed
 *
 * What is kept is leased, and nobody else gets it: for at most `patience` and a statement. A process that is killed
 * meanwhile leaves it to the end of its lease, with what it had in hand.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { SqlError } from "../effectSql.ts"
import type { ClaimedRow } from "./queueTable.ts"
import { Receipt } from "./receipt.ts"
import type { Store } from "./store.ts"

/** Rows, and the end of their leases. */
export interface Claimed {
  readonly rows: ReadonlyArray<ClaimedRow>
  readonly until: number
}

// A batch that says something about how fast a consumer is.
const leastFull = 16
// Milliseconds after a full batch in which it has asked again: its work takes no time.
const soon = 20
const patience = 50
// Characters of what is claimed at once beyond what was asked for, by what came last: large ones are not kept.
const mostText = 4_000_000

const none: ReadonlyArray<ClaimedRow> = []

const sizeOf = (rows: ReadonlyArray<ClaimedRow>): number => {
  let size = 0
  for (const { payload } of rows) size += payload?.length ?? 0
  return size
}

export class Ahead {
  private readonly store: Store
  private most: number
  /** Open while something is kept. */
  readonly keeping: Latch.Latch = Latch.makeUnsafe(false)
  private rows = none
  private until = 0
  private claimedAt = -Infinity
  private fullAt = -Infinity
  /** Characters of a payload, on average of the last ones. */
  private size = 1
  private isClosed = false

  constructor(store: Store, most: number) {
    this.store = store
    this.most = most
  }

  /** At most `max`, what is kept first. */
  claim(max: number): Effect.Effect<Claimed, SqlError> {
    return Effect.suspend(() => {
      if (this.rows.length === 0) return this.fresh(max)
      return this.isStale ? Effect.andThen(this.giveBack, this.fresh(max)) : Effect.succeed(this.take(max))
    })
  }

  private get isStale(): boolean {
    return this.store.now() - this.claimedAt > patience
  }

  private fresh(max: number): Effect.Effect<Claimed, SqlError> {
    const isFast = max >= leastFull && this.store.now() - this.fullAt <= soon
    const many = isFast ? Math.max(max, Math.min(this.most, Math.floor(mostText / this.size))) : max
    return Effect.flatMap(this.store.claim(many), ({ rows, until }) => {
      if (rows.length > 0) this.size = Math.max(1, sizeOf(rows) / rows.length)
      if (rows.length <= max && this.rows.length === 0) {
        if (rows.length === max) this.fullAt = this.store.now()
        return Effect.succeed({ rows, until })
      }
      // The earlier end holds for all.
      this.until = this.rows.length === 0 ? until : Math.min(until, this.until)
      this.rows = this.rows.concat(rows)
      this.claimedAt = this.store.now()
      this.keeping.openUnsafe()
      const taken = this.take(max)
      return this.isClosed ? Effect.as(this.giveBack, taken) : Effect.succeed(taken)
    })
  }

  private take(max: number): Claimed {
    const rows = this.rows.slice(0, max)
    this.rows = this.rows.length > max ? this.rows.slice(max) : none
    if (rows.length === max) this.fullAt = this.store.now()
    if (this.rows.length === 0) this.keeping.closeUnsafe()
    return { rows, until: this.until }
  }

  /** Gives back what is kept; what cannot be given back comes back after its lease. */
  get giveBack(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.rows.length === 0) return Effect.void
      const receipts = this.rows.map(({ claim, key, seq }) => new Receipt(seq, claim, key, this.until))
      this.rows = none
      this.fullAt = -Infinity
      this.keeping.closeUnsafe()
      return Effect.ignore(this.store.settle({ ack: [], release: receipts, requeue: [], delay: [], bury: [] }))
    })
  }

  /** Gives back what is kept, and keeps nothing any more. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosed = true
      this.most = 0
      return this.giveBack
    })
  }

  /** Gives back what nobody asks for, for as long as the scope is open. */
  get watch(): Effect.Effect<void, never, Scope.Scope> {
    return this.most === 0 ? Effect.void : Effect.asVoid(Effect.forkScoped(Effect.forever(
      this.keeping.await.pipe(
        Effect.andThen(Effect.sleep(patience)),
        Effect.andThen(Effect.suspend(() => this.isStale ? Effect.uninterruptible(this.giveBack) : Effect.void))
      )
    )))
  }
}
