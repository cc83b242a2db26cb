/**
 * The source side of a stream: deliveries out of what a reader finds, and what becomes of them.
 */
import { type Connector, ConnectorError, type Delivery, type Disposition, Reason } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../../RedisError.ts"
import { replyCode } from "../client/reason.ts"
import { read } from "./entry.ts"
import type { Found, Group, Move } from "./group.ts"
import { Reader } from "./reader.ts"
import { Receipt } from "./receipt.ts"

export interface SourceOptions {
  /** Milliseconds. */
  readonly poll: number
  /** Milliseconds that an answer may take. */
  readonly patience: number
  readonly letters: Required<Connector.Letters>
  readonly takeBack: NonNullable<Connector.SourceService["takeBack"]>
}

/** Why a connector does nothing any more. */
export const closed = new Reason.InvalidRequest({ message: "the connector is closed" })

const lost = new Reason.LeaseLost({
  message: "the delivery is no longer held: its lease ran out or its connector closed"
})
const shared = new Reason.Unsupported({
  message: "a transaction of a stream with several groups cannot be claimed before its turn"
})
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })

const fetchError = ({ reason }: RedisError) => new ConnectorError.FetchError({ reason })
const settleError = ({ reason }: RedisError) => new ConnectorError.SettleError({ reason })

// A connector ends within 5 seconds.
const closing = Duration.seconds(4)
// Entries of one script: the server does nothing else meanwhile.
const most = 500

const none: ReadonlyArray<Delivery.Delivery> = []

/** Opens the source side; when the scope closes, what it still holds comes back with a higher count. */
export const openSource = (
  group: Group,
  { letters, patience, poll, takeBack }: SourceOptions
): Effect.Effect<Connector.SourceService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const { keep, keys, lease } = group.options
    const held = { 1: new Map<string, Receipt>(), 2: new Map<string, Receipt>() } as const
    let isClosed = false
    const isKnown = ({ count, id, which }: Pick<Found, "which" | "id" | "count">) =>
      held[which].get(id)?.count === count
    const reader = new Reader(group, clock, { poll, patience, isKnown })
    let forgotten = 0
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        const receipts = [...held[1].values(), ...held[2].values()]
        for (const receipt of receipts) receipt.state = "lost"
        held[1].clear()
        held[2].clear()
        reader.close()
        return group.leave(receipts).pipe(
          Effect.interruptible,
          Effect.timeout(closing),
          // What is not given back comes back after its lease.
          Effect.catchCause((cause) =>
            receipts.length === 0
              ? Effect.logDebug(`stream "${keys.stream}": its consumer stays in the group`, cause)
              : Effect.logWarning(`stream "${keys.stream}": what is held could not be given back`, cause)
          )
        )
      })
    )

    const settled = (receipt: Receipt, state: "settled" | "lost") => {
      receipt.state = state
      const receipts = held[receipt.which]
      if (receipts.get(receipt.id) === receipt) receipts.delete(receipt.id)
    }

    const handOver = ({ count, fields, id, which }: Found, until: number): Delivery.Delivery => {
      const { deliveries, malformed, transaction, unique } = read(id, fields)
      const kept = unique === undefined ? undefined : { id: transaction.id, retention: unique }
      const receipt = new Receipt(which, id, count, kept, until)
      held[which].set(id, receipt)
      return {
        transaction,
        deliveries: deliveries + count - 1,
        receipt,
        key: undefined,
        partition: undefined,
        malformed: malformed === undefined ? undefined : `entry ${id} of "${keys.stream}": ${malformed}`
      }
    }

    /** Leases that ran out unsettled are nobody's to remember. */
    const forget = (at: number) => {
      if (at < forgotten + poll) return
      forgotten = at
      for (const receipts of [held[1], held[2]]) {
        for (const receipt of receipts.values()) if (receipt.until <= at) settled(receipt, "lost")
      }
    }

    const fetch = ({ max, wait }: Connector.FetchRequest) =>
      Effect.suspend(() => {
        if (isClosed) return Effect.fail(new ConnectorError.FetchError({ reason: closed }))
        let kept: ReadonlyArray<Found> = []
        forget(now())
        return Effect.matchEffect(reader.read(max, now() + Duration.toMillis(wait)), {
          onFailure: (error) => isClosed ? Effect.succeed(none) : Effect.fail(fetchError(error)),
          onSuccess: (found) => {
            // Closing has given it back.
            if (isClosed) return Effect.succeed(none)
            // Two reads that were asked at once may bring the same.
            kept = found.filter((one) => !isKnown(one))
            const until = now() + lease
            return Effect.succeed(kept.map((one) => handOver(one, until)))
          }
        }).pipe(
          // What nobody was there to take any more goes back at once.
          Effect.onInterrupt(() =>
            Effect.sync(() => {
              for (const { id, which } of kept) held[which].delete(id)
              reader.giveBack(kept)
            })
          )
        )
      })

    const resolve = (id: string): Effect.Effect<Delivery.Delivery, ConnectorError.FetchError> =>
      Effect.suspend(() => {
        if (isClosed) return Effect.fail(new ConnectorError.FetchError({ reason: closed }))
        return Effect.matchEffect(group.claim(id), {
          onFailure: ({ reason }) => {
            const isShared = replyCode(reason.cause) === "SHARED"
            if (!isShared) reader.doubt()
            return Effect.fail(new ConnectorError.FetchError({ reason: isShared ? shared : reason }))
          },
          onSuccess: (found) => {
            reader.again()
            const message =
              `no transaction "${id}" waits in "${keys.stream}": it is not there, in flight, delayed, done or dead`
            return found === undefined
              ? Effect.fail(new ConnectorError.FetchError({ reason: new Reason.NotFound({ message }) }))
              : Effect.succeed(handOver(found, now() + lease))
          }
        })
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => reader.doubt())))

    /** Sorts a batch; what cannot be settled is named at once. */
    const sort = (settlements: ReadonlyArray<Disposition.Settlement>) => {
      const acks: { readonly 1: Array<Receipt>; readonly 2: Array<Receipt> } = { 1: [], 2: [] }
      const moves: Array<Move> = []
      const failed: Array<ConnectorError.Failed> = []
      const places = new Map<Receipt, number>()
      const at = now()
      settlements.forEach(({ delivery: { receipt }, disposition, letter }, index) => {
        if (!(receipt instanceof Receipt)) return failed.push({ index, reason: foreign })
        if (receipt.state === "settled" || places.has(receipt)) return
        if (!receipt.isHeld(at)) {
          settled(receipt, "lost")
          return failed.push({ index, reason: lost })
        }
        places.set(receipt, index)
        switch (disposition._tag) {
          case "Ack":
            return acks[receipt.which].push(receipt)
          case "Release":
            return moves.push({ receipt, to: "again", raise: false })
          case "Requeue": {
            const delay = Math.ceil(Duration.toMillis(disposition.delay))
            return moves.push(
              delay > 0 ? { receipt, to: "delay", delay } : { receipt, to: "again", raise: true }
            )
          }
          case "DeadLetter":
            return moves.push({
              receipt,
              to: "dead",
              reason: disposition.reason,
              letter: letter === undefined ? "" : JSON.stringify(letter)
            })
        }
      })
      return { acks, moves, failed, places }
    }

    const settle = (settlements: ReadonlyArray<Disposition.Settlement>) =>
      Effect.suspend(() => {
        const { acks, failed, moves, places } = sort(settlements)
        const send = (
          receipts: ReadonlyArray<Receipt>,
          asked: Effect.Effect<ReadonlyArray<number>, RedisError>
        ): Effect.Effect<void> =>
          Effect.matchEffect(
            asked,
            {
              onFailure: ({ reason }) =>
                Effect.sync(() => {
                  for (const receipt of receipts) {
                    if (reason._tag === "NotFound") settled(receipt, "lost")
                    failed.push({ index: places.get(receipt) ?? 0, reason: reason._tag === "NotFound" ? lost : reason })
                  }
                }),
              onSuccess: (gone) =>
                Effect.sync(() => {
                  const missing = new Set(gone)
                  receipts.forEach((receipt, place) => {
                    settled(receipt, missing.has(place) ? "lost" : "settled")
                    if (missing.has(place)) failed.push({ index: places.get(receipt) ?? 0, reason: lost })
                  })
                })
            }
          )
        const sent: Array<Effect.Effect<void>> = []
        for (const which of [1, 2] as const) {
          for (const part of parts(acks[which])) {
            sent.push(Effect.suspend(() => send(part, asking(part, group.acknowledge(which, part)))))
          }
        }
        for (const part of parts(moves)) {
          const receipts = part.map(({ receipt }) => receipt)
          sent.push(Effect.suspend(() => send(receipts, asking(receipts, group.move(part)))))
          for (const move of part) {
            if (move.to === "again") reader.again()
            if (move.to === "delay") reader.dueIn(move.delay)
          }
        }
        const all = sent.length === 1 ? sent[0]! : Effect.all(sent, { concurrency: "unbounded", discard: true })
        return Effect.flatMap(all, () =>
          failed[0] === undefined
            ? Effect.void
            : Effect.fail(new ConnectorError.SettleError({ reason: failed[0].reason, failed })))
      })

    /** From here on nobody knows whether it took effect, until there is an answer. */
    const asking = <A>(receipts: ReadonlyArray<Receipt>, effect: Effect.Effect<A, RedisError>) =>
      Effect.suspend(() => {
        // The arguments have been made before.
        for (const receipt of receipts) receipt.asked = true
        return Effect.tapError(effect, ({ reason }) =>
          Effect.sync(() => {
            // The server has said that nothing was done.
            if (reason._tag !== "ConnectionLost" && reason._tag !== "Timeout") {
              for (const receipt of receipts) receipt.asked = false
            }
          }))
      })

    const extend = (deliveries: ReadonlyArray<Delivery.Delivery>) =>
      Effect.suspend(() => {
        const at = now()
        const gone = new Set<number>()
        const ours: { readonly 1: Array<Receipt>; readonly 2: Array<Receipt> } = { 1: [], 2: [] }
        const places = new Map<Receipt, Array<number>>()
        deliveries.forEach(({ receipt }, index) => {
          if (!(receipt instanceof Receipt) || !receipt.isHeld(at)) return void gone.add(index)
          const known = places.get(receipt)
          if (known !== undefined) return void known.push(index)
          places.set(receipt, [index])
          ours[receipt.which].push(receipt)
        })
        const one = (which: 1 | 2, part: ReadonlyArray<Receipt>) =>
          Effect.map(group.extend(which, part), (missing) => {
            const lostOnes = new Set(missing)
            part.forEach((receipt, place) => {
              if (!lostOnes.has(place)) {
                receipt.until = at + lease
                return
              }
              settled(receipt, "lost")
              for (const index of places.get(receipt) ?? []) gone.add(index)
            })
          })
        const asked = ([1, 2] as const).flatMap((which) => parts(ours[which]).map((part) => one(which, part)))
        return Effect.as(
          Effect.mapError(Effect.all(asked, { concurrency: "unbounded", discard: true }), settleError),
          gone
        )
      }).pipe(Effect.map((gone) => Array.from(gone).toSorted((a, b) => a - b)))

    const count = Effect.map(group.count, ([ready, inFlight, delayed]) => ({ ready, inFlight, delayed }))
    const whileOpen = <A>(effect: Effect.Effect<A, RedisError>) =>
      Effect.suspend(() =>
        isClosed
          ? Effect.fail(new ConnectorError.FetchError({ reason: closed }))
          : Effect.mapError(effect, fetchError)
      )

    return {
      format: "json",
      capabilities: {
        settlement: "each",
        lease: { duration: Duration.millis(lease), extend: true },
        deliveries: "native",
        requeueDelay: "native",
        deadLetter: "native",
        ordering: "none"
      },
      fetch,
      settle,
      extend,
      isHeld: ({ receipt }) => receipt instanceof Receipt && receipt.isHeld(now()),
      // What is kept cannot be taken out of its turn.
      ...(keep === undefined ? { resolve } : {}),
      count: whileOpen(count),
      health: whileOpen(Effect.asVoid(count)),
      letters,
      takeBack
    }
  })

const parts = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  if (all.length === 0) return []
  if (all.length <= most) return [all]
  return Array.from({ length: Math.ceil(all.length / most) }, (_, n) => all.slice(n * most, (n + 1) * most))
}
