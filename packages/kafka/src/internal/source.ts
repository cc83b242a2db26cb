/**
 * A consumer group as a watermark source.
 *
 * Taking is one synchronous step at the very end of a fetch, so interrupting one takes nothing.
 */
import { type Connector, ConnectorError, type Delivery, Reason } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Clients } from "./client/clients.ts"
import { type Group, openGroup } from "./group/group.ts"
import { Place } from "./group/partition.ts"
import type { SourceSettings } from "./settings/source.ts"

/** What Kafka declares. */
export const capabilities: Connector.Capabilities = {
  settlement: "watermark",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "byKey"
}

// How long a fetch waits, beyond its own time, for a group that is not ready: a rebalance, a broker that is away.
const patience = 20_000
const settlingWithin = Duration.seconds(25)

const failWith = (reason: Reason.Reason) => Effect.fail(new ConnectorError.FetchError({ reason }))
const closed = new Reason.InvalidRequest({ message: "the connector is closed" })
const nothing: Effect.Effect<ReadonlyArray<Delivery.Delivery>> = Effect.succeed([])

/** What will not pass while somebody waits. Of what nobody knows anything about, a new session may be the end. */
const isHopeless = (reason: Reason.Reason): boolean =>
  !reason.isRetryable && reason._tag !== "LeaseLost" && reason._tag !== "Unknown"

const fetch = (
  group: Group,
  max: number,
  wait: number
): Effect.Effect<ReadonlyArray<Delivery.Delivery>, ConnectorError.FetchError> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const now = () => clock.currentTimeMillisUnsafe()
    const until = now() + wait
    const look: Effect.Effect<ReadonlyArray<Delivery.Delivery>, ConnectorError.FetchError> = Effect.suspend(() => {
      if (group.closed) return nothing
      const deliveries = group.take(max)
      if (deliveries.length > 0) return Effect.succeed(deliveries)
      const { problem } = group
      if (problem !== undefined && isHopeless(problem)) return failWith(problem)
      const left = until - now()
      if (left > 0) return Effect.andThen(pause(left), look)
      if (problem === undefined && wait > 0) return nothing
      if (now() - until >= patience) {
        return failWith(problem ?? new Reason.Timeout({ message: "what the cluster has did not arrive in time" }))
      }
      // Not ready, or asked whether there is anything at all: the cluster knows.
      return Effect.matchEffect(problem === undefined ? group.isEmpty : Effect.succeed(false), {
        onFailure: () => Effect.andThen(pause(500), look),
        onSuccess: (empty) => empty ? nothing : Effect.andThen(pause(500), look)
      })
    })
    const pause = (left: number) => group.changed.change(Math.max(1, Math.min(left, group.nextDue - Date.now())))
    return look
  })

/** Joins the group; closing the scope leaves it. */
export const openSource = (
  clients: Clients,
  settings: SourceSettings
): Effect.Effect<Connector.SourceService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const group = yield* openGroup(clients, settings)
    const turn = yield* Semaphore.make(1)
    const open = Effect.suspend(() => group.closed ? failWith(closed) : Effect.void)
    const asked = <A>(effect: Effect.Effect<A, Reason.Reason>) =>
      Effect.andThen(open, Effect.mapError(effect, (reason) => new ConnectorError.FetchError({ reason })))
    return {
      format: "json",
      capabilities,
      fetch: ({ max, wait }) => Effect.andThen(open, fetch(group, max, Duration.toMillis(wait))),
      settle: (settlements) =>
        turn.withPermit(group.settle(settlements)).pipe(
          Effect.timeoutOrElse({
            duration: settlingWithin,
            orElse: () =>
              Effect.fail(
                new ConnectorError.SettleError({
                  reason: new Reason.Timeout({ message: "committing: no answer in time" })
                })
              )
          }),
          Effect.flatMap((failed) => {
            const [first] = failed
            return first === undefined
              ? Effect.void
              : Effect.fail(new ConnectorError.SettleError({ reason: first.reason, failed }))
          })
        ),
      isHeld: ({ receipt }) => receipt instanceof Place && receipt.partition.held,
      count: asked(group.count),
      health: asked(Effect.suspend(() => group.problem === undefined ? Effect.void : Effect.fail(group.problem)))
    } satisfies Connector.SourceService
  })
