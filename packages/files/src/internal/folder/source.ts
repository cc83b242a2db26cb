/**
 * A watched folder as a source.
 *
 * A fetch hands out what the last look found, looks again when nothing of that is left, and sleeps between looks. Claims
 * are looked at once per interval in any case, so that a lease that is over waits behind no backlog. Waiting can be
 * interrupted; claiming cannot, and what was claimed for a fetch that is interrupted in that moment is given back.
 *
 * A hand-over is held until it is settled (settling again changes nothing) or lost: its lease is over by our own clock,
 * or its claim has another name. Closing gives back what is held; worst case 5 seconds.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Capabilities, Count, SourceService } from "@ergon/core/Connector"
import { type Failed, FetchError, SettleError } from "@ergon/core/ConnectorError"
import type { Delivery } from "@ergon/core/Delivery"
import * as Disposition from "@ergon/core/Disposition"
import { InvalidRequest, LeaseLost, NotFound, type Reason } from "@ergon/core/Reason"
import { ioReason } from "../ioReason.ts"
import type { Claim } from "./claim.ts"
import { Lost } from "./folder.ts"
import { Handover, toDelivery } from "./handover.ts"
import { folderLetters } from "./letters.ts"
import { openPlace, type Settings, Unusable } from "./place.ts"
import { Watch } from "./watch.ts"

const closedReason = new InvalidRequest({ message: "the connector is closed" })
const closed = new FetchError({ reason: closedReason })
const foreign = new InvalidRequest({ message: "the receipt is not one of this source" })
const closeWithin = Duration.seconds(5)
const settledTogether = 8

const capabilities = (lease: number): Capabilities => ({
  settlement: "each",
  lease: { duration: Duration.millis(lease), extend: true },
  deliveries: "native",
  requeueDelay: "engine",
  deadLetter: "native",
  ordering: "none"
})

const nothing: ReadonlyArray<Delivery> = []

export const folderSource = (
  settings: Settings & { readonly poll: number }
): Effect.Effect<SourceService, FetchError, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const what = `the folder "${settings.path}"`
    const fetchError = (error: unknown): FetchError =>
      new FetchError({
        reason: error instanceof Unusable
          ? new InvalidRequest({ message: error.message })
          : ioReason(what, error)
      })
    const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, FetchError> =>
      Effect.tryPromise({ try: run, catch: fetchError })

    const place = yield* attempt(() => openPlace(settings))
    const watch = new Watch(place, settings.poll, now)
    const mutex = yield* Semaphore.make(1)
    const end = yield* Deferred.make<void>()
    const held = new Set<Handover>()
    let open = true

    const settleHandover = async (
      handover: Handover,
      { disposition, letter }: Disposition.Settlement
    ): Promise<Reason | undefined> => {
      if (handover.state === "held" && handover.claim.until <= now()) handover.state = "lost"
      const lost = new LeaseLost({ message: `"${handover.claim.name}" is no longer held: its lease is over` })
      if (handover.state === "lost") {
        held.delete(handover)
        return lost
      }
      try {
        await handover.settle(() => watch.settle(handover.claim, disposition, letter))
        held.delete(handover)
        return undefined
      } catch (error) {
        if (!(error instanceof Lost)) return ioReason(`cannot settle "${handover.claim.name}"`, error)
        handover.state = "lost"
        held.delete(handover)
        return lost
      }
    }

    /** Gives claims back. To whoever settles them later they are settled, or lost: they are delivered again. */
    const release = (handovers: ReadonlyArray<Handover>, state: "settled" | "lost" = "settled") =>
      Effect.promise(() =>
        Promise.all(
          handovers.map(async (handover) => {
            await settleHandover(handover, Disposition.settlement(handover.delivery, Disposition.release))
            handover.state = state
          })
        )
      )

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        open = false
        return Effect.andThen(
          Deferred.succeed(end, undefined),
          Effect.timeoutOption(Effect.interruptible(release([...held], "lost")), closeWithin)
        )
      })
    )

    const handOver = (claim: Claim): Handover => {
      const handover = new Handover(claim, (self) => toDelivery(place, self))
      held.add(handover)
      return handover
    }

    const warned = Effect.suspend(() =>
      Effect.forEach(watch.warnings.splice(0), (message) => Effect.logWarning(message), { discard: true })
    )

    /** Looks and claims. What it claims for somebody who has gone meanwhile is given back. */
    const look = (claim: () => Promise<ReadonlyArray<Claim>>): Effect.Effect<ReadonlyArray<Delivery>, FetchError> =>
      Effect.suspend(() => {
        let taken: ReadonlyArray<Handover> = []
        const claimed = Effect.flatMap(attempt(claim), (claims) => {
          taken = claims.map(handOver)
          return open ? Effect.as(warned, taken) : Effect.as(release(taken), [])
        })
        return mutex.withPermits(1)(Effect.uninterruptible(claimed)).pipe(
          Effect.map((handovers) => handovers.map(({ delivery }) => delivery)),
          Effect.onInterrupt(() => release(taken))
        )
      })

    const lookUntil = (max: number, until: number): Effect.Effect<ReadonlyArray<Delivery>, FetchError> =>
      Effect.flatMap(look(() => watch.take(max)), (deliveries) => {
        const left = until - now()
        if (deliveries.length > 0 || left <= 0 || !open) return Effect.succeed(deliveries)
        const pause = Effect.sleep(Duration.millis(Math.min(settings.poll, left)))
        return Effect.flatMap(
          Effect.raceFirst(pause, Deferred.await(end)),
          () => open ? lookUntil(max, until) : Effect.succeed(nothing)
        )
      })

    const service: SourceService = {
      format: "json",
      capabilities: capabilities(place.lease),
      fetch: ({ max, wait }) =>
        Effect.suspend(() => open ? lookUntil(max, now() + Duration.toMillis(wait)) : Effect.fail(closed)),
      settle: (settlements) =>
        Effect.gen(function*() {
          const failed: Array<Failed> = []
          const settleAt = async (settlement: Disposition.Settlement, index: number): Promise<void> => {
            const { receipt } = settlement.delivery
            const reason = receipt instanceof Handover ? await settleHandover(receipt, settlement) : foreign
            if (reason !== undefined) failed.push({ index, reason })
          }
          yield* Effect.forEach(
            settlements,
            (settlement, index) => Effect.uninterruptible(Effect.promise(() => settleAt(settlement, index))),
            { concurrency: settledTogether, discard: true }
          )
          const [first] = failed
          if (first !== undefined) return yield* new SettleError({ reason: first.reason, failed })
        }),
      extend: (deliveries) =>
        Effect.tryPromise({
          try: async () => {
            const kept = await Promise.all(
              deliveries.map(({ receipt }) =>
                receipt instanceof Handover ? receipt.extend(watch, now()) : Promise.resolve(false)
              )
            )
            return kept.flatMap((held, index) => held ? [] : [index])
          },
          catch: (error) => new SettleError({ reason: ioReason(`cannot extend a lease in ${what}`, error) })
        }),
      isHeld: ({ receipt }) => receipt instanceof Handover && receipt.state === "held" && receipt.claim.until > now(),
      resolve: (id) =>
        Effect.suspend(() =>
          open
            ? Effect.flatMap(
              look(async () => {
                const claim = await watch.find(id)
                return claim === undefined ? [] : [claim]
              }),
              ([delivery]) =>
                delivery === undefined
                  ? Effect.fail(
                    new FetchError({ reason: new NotFound({ message: `no file "${id}" is waiting in ${what}` }) })
                  )
                  : Effect.succeed(delivery)
            )
            : Effect.fail(closed)
        ),
      count: Effect.suspend((): Effect.Effect<Count, FetchError> => attempt(() => watch.count())),
      letters: folderLetters(place, watch, () => open),
      health: Effect.suspend(() => open ? Effect.asVoid(attempt(() => openPlace(settings))) : Effect.fail(closed))
    }
    return service
  })
