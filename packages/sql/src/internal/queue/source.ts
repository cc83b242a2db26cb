/**
 * The source side of a queue.
 *
 * A fetch that finds nothing waits for a change by this process, and looks every `poll` whether another process changed
 * the database or something became due. Claiming is uninterruptible: an interrupted fetch has claimed nothing, or hands
 * over what it has claimed. Worst case: a fetch is interrupted only after the database's `busy`.
 */
import { type Connector, ConnectorError, type Delivery, Disposition, Reason, Transaction } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { atomically } from "../atomically.ts"
import type { SqlError } from "../effectSql.ts"
import { closed } from "../rowSink.ts"
import { Ahead } from "./ahead.ts"
import { lettersOf } from "./letters.ts"
import type { ClaimedRow } from "./queueTable.ts"
import { Receipt } from "./receipt.ts"
import { openTakeBack, type SinkOptions } from "./sink.ts"
import type { Groups, Store } from "./store.ts"

/** Where a source of this package can be told: it has everything that `Sql.letters` and `Sql.redrive` need. */
export const lettersKey = "~ergon/sql/Sql/letters"

export interface SqlSource extends Connector.SourceService {
  readonly [lettersKey]: Required<Connector.Letters>
}

const lost = new Reason.LeaseLost({
  message: "the delivery is no longer held: its lease ran out or its connector closed"
})
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })

// A connector ends within 5 seconds.
const closing = Duration.seconds(5)

const noMetadata: Transaction.Metadata = Object.freeze({})
const none: ReadonlyArray<Delivery.Delivery> = []
const nothingSeen = Effect.succeed(0)

/**
 * Opens the source side of a queue; `id` is that of its key. When the scope closes, what it still holds comes back with
 * a higher count.
 */
export const openSource = (
  store: Store,
  id: string,
  options: SinkOptions
): Effect.Effect<SqlSource, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const { database, options: { keyed, lease, poll, table } } = store
    const { reasonOf } = database.dialect
    const fetchError = (error: SqlError) => new ConnectorError.FetchError({ reason: reasonOf(error) })
    const settleError = (error: SqlError) => new ConnectorError.SettleError({ reason: reasonOf(error) })
    const held = new Set<Receipt>()
    let isClosed = false
    const letters = lettersOf(store, { source: id, isClosed: () => isClosed })
    const takeBack = yield* openTakeBack(store, options)
    const ahead = new Ahead(store, database.dialect.queue.ahead)
    yield* Effect.addFinalizer(() => {
      isClosed = true
      const receipts = Array.from(held)
      for (const receipt of receipts) receipt.state = "lost"
      held.clear()
      database.changes.changed(table)
      return Effect.andThen(ahead.close, store.giveBack(receipts)).pipe(
        // A transaction of somebody else may hold the database. What is not given back comes back after its lease.
        Effect.interruptible,
        Effect.timeout(closing),
        Effect.catchCause((cause) => Effect.logWarning(`queue "${table}": what is held could not be given back`, cause))
      )
    })

    yield* ahead.watch

    const handOver = (row: ClaimedRow, until: number): Delivery.Delivery => {
      const receipt = new Receipt(row.seq, row.claim, row.key, until)
      held.add(receipt)
      const metadata = row.metadata === "{}" ? noMetadata : parse<unknown>(row.metadata)
      const payload = parse<unknown>(row.payload)
      const isSound = isMetadata(metadata) && payload !== unreadable
      return {
        transaction: Transaction.make(
          row.id,
          payload === unreadable ? row.payload : payload,
          isMetadata(metadata) ? metadata : noMetadata
        ),
        deliveries: row.deliveries,
        receipt,
        key: row.key ?? undefined,
        partition: undefined,
        malformed: isSound ? undefined : `the row of "${row.id}" in table "${table}" does not hold what was enqueued`
      }
    }
    const settled = (receipt: Receipt, state: "settled" | "lost") => {
      receipt.state = state
      held.delete(receipt)
    }

    /** What was claimed by who is interrupted before it could hand it over goes back at once. */
    const handingOver = <A, E>(
      claiming: (keep: (deliveries: ReadonlyArray<Delivery.Delivery>) => void) => Effect.Effect<A, E>
    ) =>
      Effect.suspend(() => {
        let kept = none
        return Effect.onInterrupt(
          claiming((deliveries) => void (kept = deliveries)),
          () => kept.length === 0 ? Effect.void : putBack(kept)
        )
      })
    const putBack = (deliveries: ReadonlyArray<Delivery.Delivery>) =>
      settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.release))).pipe(
        Effect.catch((error) =>
          Effect.logWarning(`queue "${table}": a claim of an interrupted fetch stays held`, error)
        )
      )

    const take = (max: number, keep: (deliveries: ReadonlyArray<Delivery.Delivery>) => void) =>
      Effect.suspend(() => {
        if (isClosed) return Effect.succeed(none)
        return Effect.matchEffect(ahead.claim(max), {
          onFailure: (error) => Effect.fail(fetchError(error)),
          onSuccess: ({ rows, until }) => {
            const deliveries = rows.map((row) => handOver(row, until))
            keep(deliveries)
            return Effect.succeed(deliveries)
          }
        })
      }).pipe(Effect.uninterruptible)

    /**
     * Until a change of another process, or until something is due; looks every `poll`. Whether it is worth a claim: not
     * when the time is over.
     */
    const elsewhere = (until: number, seen: number): Effect.Effect<boolean, SqlError> =>
      Effect.suspend(() => {
        const now = store.now()
        const at = Math.min(until, now + poll, Math.max(store.lookAgainAt, now + 1))
        return Effect.flatMap(clock.sleep(Duration.millis(at - now)), () => {
          if (at >= store.lookAgainAt) return Effect.succeed(true)
          if (at >= until) return Effect.succeed(false)
          return Effect.flatMap(
            store.changedElsewhere(seen),
            (changed) => changed ? Effect.succeed(true) : elsewhere(until, seen)
          )
        })
      })

    type Claim = Effect.Effect<ReadonlyArray<Delivery.Delivery>, ConnectorError.FetchError>

    /** Claims, and again whenever there may be something, until something comes or the time is over. */
    const waitFor = (claim: Claim, until: number): Claim =>
      Effect.suspend(() => {
        store.lookAtNextClaim()
        return waiting(claim, until, store.seen === undefined ? nothingSeen : Effect.mapError(store.seen, fetchError))
      })

    const waiting = (claim: Claim, until: number, asked: Effect.Effect<number, ConnectorError.FetchError>): Claim =>
      Effect.suspend(() => {
        const before = database.changes.count(table)
        return Effect.flatMap(asked, (seen) =>
          Effect.flatMap(claim, (deliveries) => {
            if (deliveries.length > 0 || isClosed || store.now() >= until) return Effect.succeed(deliveries)
            const change = Effect.raceFirst(
              Effect.as(database.changes.after(table, before), true),
              Effect.mapError(elsewhere(until, seen), fetchError)
            )
            return Effect.flatMap(change, (worth) => worth ? waitFor(claim, until) : Effect.succeed(none))
          }))
      })

    const fetch = ({ max, wait }: Connector.FetchRequest) =>
      handingOver((keep) => {
        if (isClosed) return Effect.fail(new ConnectorError.FetchError({ reason: closed }))
        const until = store.now() + Duration.toMillis(wait)
        const claim = take(max, keep)
        // Where nothing has to be asked before, a claim that finds nothing need not be made twice.
        if (store.seen === undefined) return waiting(claim, until, nothingSeen)
        return Effect.flatMap(
          claim,
          (deliveries) =>
            deliveries.length > 0 || isClosed || store.now() >= until
              ? Effect.succeed(deliveries)
              : waitFor(claim, until)
        )
      })

    /** Sorts a batch into its groups; what cannot be settled is named at once. */
    const group = (settlements: ReadonlyArray<Disposition.Settlement>) => {
      const groups: Groups = { ack: [], release: [], requeue: [], delay: [], bury: [] }
      const failed: Array<ConnectorError.Failed> = []
      const places = new Map<Receipt, number>()
      const now = store.now()
      settlements.forEach(({ delivery: { receipt }, disposition, letter }, index) => {
        if (!(receipt instanceof Receipt)) return failed.push({ index, reason: foreign })
        if (receipt.state === "settled" || places.has(receipt)) return
        if (!receipt.isHeld(now)) {
          settled(receipt, "lost")
          return failed.push({ index, reason: lost })
        }
        places.set(receipt, index)
        switch (disposition._tag) {
          case "Ack":
            return groups.ack.push(receipt)
          case "Release":
            return groups.release.push(receipt)
          case "Requeue": {
            const delay = Duration.toMillis(disposition.delay)
            return delay > 0 ? groups.delay.push([receipt, delay]) : groups.requeue.push(receipt)
          }
          case "DeadLetter":
            return groups.bury.push([receipt, disposition.reason, letter === undefined ? null : JSON.stringify(letter)])
        }
      })
      return { failed, groups, places }
    }
    type Grouped = ReturnType<typeof group>

    /** After the commit: what was settled is, what was lost is named. */
    const finish = ({ failed, places }: Grouped, gone: ReadonlyArray<Receipt>) => {
      for (const receipt of gone) {
        settled(receipt, "lost")
        failed.push({ index: places.get(receipt)!, reason: lost })
        places.delete(receipt)
      }
      for (const receipt of places.keys()) settled(receipt, "settled")
      return failed[0] === undefined
        ? Effect.void
        : Effect.fail(new ConnectorError.SettleError({ reason: failed[0].reason, failed }))
    }

    const settle = (settlements: ReadonlyArray<Disposition.Settlement>) =>
      Effect.suspend(() => {
        const grouped = group(settlements)
        if (grouped.places.size === 0) return finish(grouped, [])
        return Effect.flatMap(
          Effect.mapError(store.settle(grouped.groups), settleError),
          (gone) =>
            // What is released keeps its place in the order, which is before what is kept.
            grouped.groups.release.length > 0
              ? Effect.andThen(ahead.giveBack, finish(grouped, gone))
              : finish(grouped, gone)
        )
      }).pipe(Effect.uninterruptible)

    const commit: Connector.Commit = {
      database,
      transact: (settlements, write) =>
        Effect.suspend(() => {
          const grouped = group(settlements)
          const transaction = Effect.flatMap(
            Effect.mapError(grouped.places.size === 0 ? Effect.succeed([]) : store.settle(grouped.groups), settleError),
            (gone) => {
              const lostNow = new Set(gone)
              const holding: Array<number> = []
              for (const [receipt, index] of grouped.places) if (!lostNow.has(receipt)) holding.push(index)
              return Effect.as(write(holding), gone)
            }
          )
          return Effect.flatMap(
            Effect.catchTag(
              atomically(database.sql, transaction),
              "SqlError",
              (error) => Effect.fail(settleError(error))
            ),
            (gone) => finish(grouped, gone)
          )
        }).pipe(Effect.uninterruptible)
    }

    return {
      [lettersKey]: letters,
      format: "json",
      capabilities: {
        settlement: "each",
        lease: { duration: Duration.millis(lease), extend: true },
        deliveries: "native",
        requeueDelay: "native",
        deadLetter: "native",
        ordering: keyed ? "byKey" : "none"
      },
      fetch,
      settle,
      extend: (deliveries) =>
        Effect.suspend(() => {
          const now = store.now()
          const ours: Array<Receipt> = []
          const places = new Map<unknown, number>()
          const gone: Array<number> = []
          deliveries.forEach(({ receipt }, index) => {
            if (!(receipt instanceof Receipt) || !receipt.isHeld(now)) return gone.push(index)
            places.set(receipt, index)
            return ours.push(receipt)
          })
          if (ours.length === 0) return Effect.succeed(gone)
          return Effect.map(Effect.mapError(store.extend(ours), settleError), ({ lost, until }) => {
            for (const receipt of ours) receipt.until = until
            for (const receipt of lost) {
              settled(receipt, "lost")
              gone.push(places.get(receipt)!)
            }
            return gone.toSorted((a, b) => a - b)
          })
        }).pipe(Effect.uninterruptible),
      isHeld: ({ receipt }) => receipt instanceof Receipt && receipt.isHeld(store.now()),
      resolve: (id) =>
        handingOver((keep) => {
          if (isClosed) return Effect.fail(new ConnectorError.FetchError({ reason: closed }))
          return Effect.flatMap(Effect.mapError(store.claimId(id), fetchError), ({ row, until }) => {
            if (row === undefined) {
              const reason = new Reason.NotFound({
                message:
                  `no transaction "${id}" waits in table "${table}": it is not there, in flight, done or dead, ` +
                  "or another one of its key is in flight"
              })
              return Effect.fail(new ConnectorError.FetchError({ reason }))
            }
            const delivery = handOver(row, until)
            keep([delivery])
            return Effect.succeed(delivery)
          }).pipe(Effect.uninterruptible)
        }),
      count: Effect.mapError(store.count, fetchError),
      health: Effect.mapError(store.ping, fetchError),
      commit,
      letters,
      takeBack
    }
  })

const unreadable = Symbol("unreadable")

/** What is in a column, or `unreadable` when somebody has put there what is no JSON. */
const parse = <A>(text: string | null): A | typeof unreadable => {
  if (text === null) return unreadable
  try {
    return JSON.parse(text)
  } catch {
    return unreadable
  }
}

const isMetadata = (value: unknown): value is Transaction.Metadata =>
  typeof value === "object" && value !== null && !Array.isArray(value)
