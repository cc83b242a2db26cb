/**
 * A file as a watermark source: one partition, whose position stands in a sidecar.
 *
 * Fetches run one after the other while they read and side by side while they wait. Taking is one synchronous step at
 * the very end of a fetch, so interrupting one takes nothing; a read that was begun is finished.
 */
import { type Connector, ConnectorError, type Delivery, type Disposition, Reason } from "@ergon/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { ioReason } from "../ioReason.ts"
import { lock, Locked } from "../lock.ts"
import { Changed, checkFile, Place, Reading, type Settings } from "./reading.ts"
import { Unusable } from "./sidecar.ts"

/** What a file declares. */
export const capabilities: Connector.Capabilities = {
  settlement: "watermark",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "total"
}

const reasonOf = (what: string, error: unknown): Reason.Reason =>
  error instanceof Changed || error instanceof Unusable
    ? new Reason.InvalidRequest({ message: error.message })
    : error instanceof Locked
    ? new Reason.InvalidRequest({ message: `${what}: a file has one reader at a time. ${error.message}` })
    : ioReason(what, error)

const fetchError = (what: string) => (error: unknown): ConnectorError.FetchError =>
  new ConnectorError.FetchError({ reason: reasonOf(what, error) })

const nothing: Effect.Effect<ReadonlyArray<Delivery.Delivery>> = Effect.succeed([])

const closed = new Reason.InvalidRequest({ message: "the connector is closed" })

/** How a file is read and followed. `poll`: how often a followed file is looked at, in milliseconds. */
export interface SourceSettings extends Settings {
  readonly format: Connector.Format
  readonly poll: number
}

/** Closing the scope unlocks it. */
const locked = (sidecar: string): Effect.Effect<void, ConnectorError.FetchError, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.tryPromise({ try: () => lock(sidecar), catch: fetchError(`locking "${sidecar}"`) }),
    (held) => Effect.ignore(Effect.tryPromise(() => held.release()))
  ))

/** Opens a file; closing the scope closes it. */
export const connect = (
  settings: SourceSettings
): Effect.Effect<Connector.SourceService, ConnectorError.FetchError, Scope.Scope> =>
  Effect.gen(function*() {
    const { follow, format, path, poll, sidecar } = settings
    const what = `reading "${path}"`
    const turn = yield* Semaphore.make(1)
    const settling = yield* Semaphore.make(1)
    const closing = yield* Deferred.make<void>()
    const clock = yield* Clock.Clock
    yield* Effect.tryPromise({ try: () => checkFile(path), catch: fetchError(what) })
    if (sidecar !== undefined) yield* locked(sidecar)
    let open = true
    const reading = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => Reading.open(settings), catch: fetchError(what) }),
      (reading) => turn.withPermit(settling.withPermit(Effect.ignore(Effect.tryPromise(() => reading.close()))))
    )
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        open = false
        return Deferred.succeed(closing, undefined)
      })
    )

    const fill = turn.withPermit(Effect.uninterruptible(
      Effect.tryPromise({ try: () => open ? reading.fill() : Promise.resolve(false), catch: fetchError(what) })
    ))

    const look = (
      max: number,
      until: number
    ): Effect.Effect<ReadonlyArray<Delivery.Delivery>, ConnectorError.FetchError | Cause.Done> =>
      Effect.suspend(() => {
        if (!open) return nothing
        let deliveries: ReadonlyArray<Delivery.Delivery>
        try {
          deliveries = reading.take(max)
        } catch (error) {
          return Effect.fail(fetchError(what)(error))
        }
        if (deliveries.length > 0) return Effect.succeed(deliveries)
        if (reading.ended) return Cause.done()
        return Effect.flatMap(fill, (filled) => filled || !follow ? look(max, until) : rest(max, until))
      })

    const rest = (max: number, until: number) => {
      const left = until - clock.currentTimeMillisUnsafe()
      if (left <= 0) return nothing
      const pause = clock.sleep(Duration.millis(Math.min(poll, left)))
      return Effect.flatMap(Effect.raceFirst(pause, Deferred.await(closing)), () => look(max, until))
    }

    return {
      format,
      capabilities,
      fetch: ({ max, wait }) =>
        Effect.suspend(() =>
          open
            ? look(max, clock.currentTimeMillisUnsafe() + Duration.toMillis(wait))
            : Effect.fail(new ConnectorError.FetchError({ reason: closed }))
        ),
      settle: (settlements) =>
        settling.withPermit(
          Effect.uninterruptible(Effect.suspend(() => settle(open ? reading : undefined, settlements)))
        ),
      health: Effect.suspend(() =>
        open
          ? Effect.tryPromise({ try: () => reading.check(), catch: fetchError(what) })
          : Effect.fail(new ConnectorError.FetchError({ reason: closed }))
      )
    } satisfies Connector.SourceService
  })

const lost = new Reason.LeaseLost({ message: "the connector that handed it over is closed" })
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })
const unsupported = new Reason.Unsupported({ message: "a file settles by position: this disposition has none" })

/** One write of the sidecar for all of them: the furthest place counts. */
const settle = (
  reading: Reading | undefined,
  settlements: ReadonlyArray<Disposition.Settlement>
): Effect.Effect<void, ConnectorError.SettleError> => {
  const failed: Array<ConnectorError.Failed> = []
  const acked: Array<number> = []
  let furthest: Place | undefined
  for (const [index, { delivery, disposition }] of settlements.entries()) {
    const { receipt } = delivery
    if (!(receipt instanceof Place)) failed.push({ index, reason: foreign })
    else if (reading === undefined || receipt.reading !== reading) failed.push({ index, reason: lost })
    else if (disposition._tag === "Ack") {
      acked.push(index)
      if (furthest === undefined || receipt.offset > furthest.offset) furthest = receipt
    } else if (disposition._tag === "Release") reading.giveBack(delivery, receipt)
    else failed.push({ index, reason: unsupported })
  }
  const answer = Effect.suspend(() => {
    const [first] = failed
    return first === undefined
      ? Effect.void
      : Effect.fail(new ConnectorError.SettleError({ reason: first.reason, failed }))
  })
  const place = furthest
  if (reading === undefined || place === undefined) return answer
  const what = `storing the position of "${reading.settings.path}" in "${reading.settings.sidecar}"`
  const commit = Effect.tryPromise({ try: () => reading.commit(place), catch: (error) => reasonOf(what, error) })
  const noted = Effect.catch((reason: Reason.Reason) =>
    Effect.sync(() => {
      for (const index of acked) failed.push({ index, reason })
    })
  )
  return Effect.andThen(noted(commit), answer)
}
