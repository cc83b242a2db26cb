/**
 * A table as a watermark source: one partition in the order of its cursor, whose place stands in the same database.
 *
 *     standing by ──claim──▶ reading ──the cursor is another's, or `until` has passed──▶ standing by
 *                               └──closed──▶ given back
 *
 * What was handed over while reading is held until then; the next reader begins at the place that was kept last. Reading
 * runs one fetch after the other and is never cut off; taking is one synchronous step at the very end of a fetch, so that
 * interrupting one takes nothing.
 */
import { type Connector, ConnectorError, Delivery, type Disposition, Reason, Transaction } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Database } from "../../Database.ts"
import type { SqlError } from "../effectSql.ts"
import { closed } from "../rowSink.ts"
import { type Cursor, positionOf } from "./sourceCursor.ts"
import type { Position } from "./sourceDialect.ts"
import type { Horizon } from "./sourceHorizon.ts"

/** What a table declares. */
export const capabilities: Connector.Capabilities = {
  settlement: "watermark",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "total"
}

/** A row: where it is, and what it is. */
export interface ReadRow {
  readonly position: Position
  readonly id: string
  readonly payload: unknown
  readonly malformed: string | undefined
}

export interface TableReading {
  readonly table: string
  readonly by: ReadonlyArray<string>
  readonly cursor: Cursor
  readonly horizon: Horizon | undefined
  /** At most `max` rows behind a position, and up to another one; fewer where somebody is writing there. */
  readonly page: (
    behind: Position | undefined,
    upTo: Position | undefined,
    max: number
  ) => Effect.Effect<{ readonly rows: ReadonlyArray<ReadRow>; readonly isBlocked: boolean }, SqlError>
  readonly waiting: (behind: Position | undefined) => Effect.Effect<number, SqlError>
  /** Milliseconds each. */
  readonly lease: number
  readonly poll: number
}

/** Of one reader, for as long as the cursor is its own. */
class Tenure {
  position: Position | undefined
  safe: Position | undefined
  rows: Array<ReadRow> = []
  /** Since when somebody has been writing where it would read on. */
  blockedAt: number | undefined
  handedOver = 0
  moved = 0

  constructor(position: Position | undefined) {
    this.position = position
  }
}

/** One hand-over: its place in the order of this tenure. */
class Receipt {
  readonly tenure: Tenure
  readonly number: number
  readonly position: Position

  constructor(tenure: Tenure, number: number, position: Position) {
    this.tenure = tenure
    this.number = number
    this.position = position
  }
}

// Rows that are read at once, so that a fetch of few needs not always ask.
const leastPage = 100
// How often writers that hold up a mark are looked at, in milliseconds.
const markPoll = 20
// How long writers may hold up a fetch that does not wait, in milliseconds.
const grace = 1000
// A connector ends within 5 seconds.
const closing = Duration.seconds(4)

const lost = new Reason.LeaseLost({ message: "another reader has the cursor, or the connector is closed" })
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })
const unsupported = new Reason.Unsupported({ message: "a table settles by position: this disposition has none" })

const none: ReadonlyArray<Delivery.Delivery> = []

export const openTableSource = (
  { clockOffset, dialect: { reasonOf }, sql }: Database["Service"],
  reading: TableReading
): Effect.Effect<Connector.SourceService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { by, cursor, horizon, lease, page, poll, table } = reading
    const clock = yield* Clock.Clock
    const turn = yield* Semaphore.make(1)
    const settling = yield* Semaphore.make(1)
    const claiming = yield* Semaphore.make(1)
    const ending = yield* Deferred.make<void>()
    const metadata = Object.freeze({ table })
    let isOpen = true
    let tenure: Tenure | undefined
    /** Until when the cursor is ours, as far as this process knows. */
    let until = 0

    const fetchError = (error: SqlError) => new ConnectorError.FetchError({ reason: reasonOf(error) })
    const end = () => {
      if (tenure === undefined) return
      tenure = undefined
      horizon?.forget()
    }
    // Whose turn it is goes by the clock of the database, so that machines need not agree on the time.
    const now = () => clock.currentTimeMillisUnsafe() + clockOffset()
    const current = () => {
      if (tenure !== undefined && now() >= until) end()
      return tenure
    }

    /** Ours again or for longer. What another reader has done meanwhile is where this one begins. */
    const claim = claiming.withPermit(Effect.suspend(() => {
      if (!isOpen) return Effect.void
      const asked = now()
      return Effect.flatMap(cursor.claim(asked, asked + lease), (state) => {
        if (!state.isOurs) return Effect.sync(end)
        if (current() !== undefined) return Effect.sync(() => void (until = asked + lease))
        return Effect.flatMap(
          Effect.mapError(positionOf(state.place, by), (problem) =>
            new ConnectorError.FetchError({
              reason: new Reason.InvalidRequest({
                message: `the cursor of table "${table}" cannot be used: ${problem}`
              })
            })),
          (position) =>
            Effect.sync(() => {
              until = asked + lease
              tenure = new Tenure(position)
            })
        )
      })
    }))
    const claimed = Effect.mapError(claim, (error) => error._tag === "SqlError" ? fetchError(error) : error)

    // A reader that is busy for long, or has nothing to do, keeps its cursor.
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(
      clock.sleep(Duration.millis(lease / 3)),
      Effect.suspend(() =>
        current() === undefined ? Effect.void : Effect.tapCause(
          Effect.uninterruptible(claim),
          (cause) => Effect.logWarning(`table "${table}": the cursor could not be kept`, cause)
        )
      ).pipe(Effect.ignore)
    )))
    yield* Effect.addFinalizer(() => {
      isOpen = false
      end()
      return Effect.andThen(
        Deferred.succeed(ending, undefined),
        // What is on its way to claim it again comes first, and nothing does afterwards.
        settling.withPermit(claiming.withPermit(cursor.giveBack)).pipe(
          Effect.interruptible,
          Effect.timeout(closing),
          Effect.catchCause((cause) =>
            Effect.logWarning(`table "${table}": the cursor was not given back and is free after its lease`, cause)
          )
        )
      )
    })

    /** Reads on, where there is something to read. */
    const fill = (max: number) =>
      turn.withPermit(Effect.uninterruptible(Effect.suspend(() => {
        if (!isOpen) return Effect.void
        const one = current()
        if (one === undefined) return claimed
        if (one.rows.length > 0) return Effect.void
        return Effect.mapError(readOn(one, max), fetchError)
      })))
    const readOn = (one: Tenure, max: number): Effect.Effect<void, SqlError> => {
      if (horizon === undefined) return keep(one, undefined, max)
      if (one.safe !== undefined) return keep(one, one.safe, max)
      return Effect.flatMap(horizon.safeBehind(one.position), (safe) => {
        if (safe === undefined) return Effect.void
        one.safe = safe
        return keep(one, safe, max)
      })
    }
    const keep = (one: Tenure, upTo: Position | undefined, max: number) => {
      const size = Math.max(max, leastPage)
      return Effect.map(page(one.position, upTo, size), ({ isBlocked, rows }) => {
        one.rows = Array.from(rows)
        one.position = rows.at(-1)?.position ?? one.position
        one.blockedAt = isBlocked ? one.blockedAt ?? now() : undefined
        if (rows.length < size && !isBlocked) one.safe = undefined
      })
    }

    const take = (max: number): ReadonlyArray<Delivery.Delivery> => {
      const one = current()
      if (one === undefined || one.rows.length === 0) return none
      return one.rows.splice(0, max).map(({ id, malformed, payload, position }) =>
        Delivery.make(Transaction.make(id, payload, metadata), {
          receipt: new Receipt(one, ++one.handedOver, position),
          malformed
        })
      )
    }

    const look = (
      max: number,
      last: number,
      isPatient: boolean
    ): Effect.Effect<ReadonlyArray<Delivery.Delivery>, ConnectorError.FetchError> =>
      Effect.suspend(() => {
        if (!isOpen) return Effect.succeed(none)
        const taken = take(max)
        if (taken.length > 0) return Effect.succeed(taken)
        const stoodBy = current() === undefined
        return Effect.flatMap(fill(max), () => {
          const again = (tenure?.rows.length ?? 0) > 0 || (stoodBy && tenure !== undefined)
          return again ? look(max, last, isPatient) : rest(max, last, isPatient)
        })
      })
    const rest = (max: number, last: number, isPatient: boolean) => {
      // Whether there is something is not known before a mark has settled: who waits for nothing wants to know.
      const openUntil = tenure === undefined ? undefined : horizon?.marked?.countAt ?? tenure.blockedAt
      const left = (openUntil === undefined || !isPatient ? last : openUntil + grace) - now()
      if (left <= 0) return Effect.succeed(none)
      const pause = openUntil === undefined ? poll : Math.max(1, Math.min(poll, Math.max(openUntil - now(), markPoll)))
      const waited = clock.sleep(Duration.millis(Math.min(pause, left)))
      return Effect.flatMap(Effect.raceFirst(waited, Deferred.await(ending)), () => look(max, last, isPatient))
    }

    /** One write for all of them: the furthest place counts. */
    const settle = (settlements: ReadonlyArray<Disposition.Settlement>) =>
      Effect.suspend(() => {
        const failed: Array<ConnectorError.Failed> = []
        const acked: Array<number> = []
        let furthest: Receipt | undefined
        const one = current()
        for (const [index, { delivery: { receipt }, disposition }] of settlements.entries()) {
          if (!(receipt instanceof Receipt)) failed.push({ index, reason: foreign })
          else if (receipt.tenure !== one) failed.push({ index, reason: lost })
          else if (disposition._tag !== "Ack") failed.push({ index, reason: unsupported })
          else {
            acked.push(index)
            if (furthest === undefined || receipt.number > furthest.number) furthest = receipt
          }
        }
        const answer = Effect.suspend(() => {
          const [first] = failed
          return first === undefined
            ? Effect.void
            : Effect.fail(new ConnectorError.SettleError({ reason: first.reason, failed }))
        })
        const to = furthest
        // What was settled before changes nothing.
        if (one === undefined || to === undefined || to.number <= one.moved) return answer
        const refuse = (reason: Reason.Reason) => {
          for (const index of acked) failed.push({ index, reason })
        }
        const asked = now()
        const moved = Effect.matchEffect(cursor.move(to.position, asked + lease), {
          onFailure: (error) => Effect.sync(() => refuse(reasonOf(error))),
          onSuccess: (isOurs) =>
            Effect.sync(() => {
              if (isOurs) {
                one.moved = to.number
                if (tenure === one) until = asked + lease
                return
              }
              if (tenure === one) end()
              refuse(lost)
            })
        })
        return Effect.andThen(moved, answer)
      })

    return {
      format: "json",
      capabilities,
      fetch: ({ max, wait }) =>
        Effect.suspend(() =>
          isOpen
            ? look(max, now() + Duration.toMillis(wait), Duration.isZero(wait))
            : Effect.fail(new ConnectorError.FetchError({ reason: closed }))
        ),
      settle: (settlements) => settling.withPermit(Effect.uninterruptible(settle(settlements))),
      isHeld: ({ receipt }) => receipt instanceof Receipt && receipt.tenure === current(),
      count: Effect.suspend(() => {
        const one = current()
        return Effect.map(
          Effect.mapError(reading.waiting(one?.position), fetchError),
          (behind) => ({
            ready: behind + (one?.rows.length ?? 0),
            inFlight: one === undefined ? 0 : one.handedOver - one.moved,
            delayed: 0
          })
        )
      }),
      health: Effect.mapError(Effect.asVoid(sql.unsafe("SELECT 1")), fetchError)
    } satisfies Connector.SourceService
  })
