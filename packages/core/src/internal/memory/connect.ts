/**
 * A connection to a store: the source and the sink of one connector, open for as long as its scope.
 *
 * A fetch that finds nothing waits for the next change of the store (an offer, a requeue, a release, a close) or for
 * the moment when a delayed message is due or a lease is over, and looks again; it never polls. Taking is one
 * synchronous step at its very end: interrupting a fetch that waits takes nothing.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Capabilities, FetchRequest, QueueService, SinkService, SourceService } from "../../Connector.ts"
import { DispatchError, type Failed, FetchError, LettersError, SettleError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import { InvalidRequest, LeaseLost, NotFound, type Reason, Unknown, Unsupported } from "../../Reason.ts"
import { closed, lettersOfStore } from "./letters.ts"
import { Owner, type Refusal, type Store } from "./store.ts"
import { lookUntil } from "./waiting.ts"

/** Where the store hangs on the services that talk to it, so that a test can look into it. */
export const storeKey = "~ergon/core/Memory/store"

const nothing: Effect.Effect<ReadonlyArray<Delivery>> = Effect.succeed([])

const refusals: { readonly [R in Refusal]: Reason } = {
  lost: new LeaseLost({ message: "the delivery is no longer held: its lease ran out or its connector closed" }),
  unsupported: new Unsupported({ message: "this source cannot settle in that way; its capabilities say so" }),
  foreign: new InvalidRequest({ message: "the receipt is not one of this source" })
}

/** Settles a batch; the error names those that were refused. */
export const refusing = (
  settle: (refuse: (index: number, why: Refusal) => void) => void
): Effect.Effect<void, SettleError> => {
  const failed: Array<Failed> = []
  settle((index, why) => {
    failed.push({ index, reason: refusals[why] })
  })
  return failed[0] === undefined ? Effect.void : Effect.fail(new SettleError({ reason: failed[0].reason, failed }))
}

export interface MemorySource extends SourceService {
  readonly [storeKey]: Store
}

export interface MemoryQueue extends QueueService {
  readonly source: MemorySource
}

const capabilities = ({ options }: Store): Capabilities => ({
  settlement: "each",
  lease: options.lease === undefined ? undefined : { duration: Duration.millis(options.lease), extend: true },
  deliveries: options.countsDeliveries ? "native" : "engine",
  requeueDelay: options.delaysRequeues ? "native" : "engine",
  deadLetter: options.buriesDeadLetters ? "native" : "none",
  ordering: options.key === undefined ? "none" : "byKey"
})

const fetchFrom = (store: Store, owner: Owner) => {
  const take = (max: number): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> | undefined => {
    let deliveries: ReadonlyArray<Delivery>
    try {
      deliveries = store.take(owner, max)
    } catch (cause) {
      return Effect.fail(new FetchError({ reason: new Unknown({ message: "the source's iterable threw", cause }) }))
    }
    if (deliveries.length > 0) return Effect.succeed(deliveries)
    return store.ended ? Cause.done() : undefined
  }
  return ({ max, wait }: FetchRequest): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> =>
    Effect.suspend(() => {
      if (owner.closed) return Effect.fail(new FetchError({ reason: closed }))
      const now = take(max)
      if (now !== undefined) return now
      const millis = Duration.toMillis(wait)
      return millis <= 0 ? nothing : lookUntil({
        clock: store.options.clock,
        waiters: store.waiters,
        look: () => owner.closed ? nothing : take(max),
        nextChange: () => store.nextChange,
        until: store.now() + millis,
        otherwise: () => nothing
      })
    })
}

const sourceOf = (store: Store, owner: Owner, options: { readonly lazy: boolean }): MemorySource => {
  const eager: Pick<SourceService, "resolve" | "count"> = options.lazy ? {} : {
    resolve: (id) =>
      Effect.suspend(() => {
        if (owner.closed) return Effect.fail(new FetchError({ reason: closed }))
        const delivery = store.claim(owner, id)
        return delivery === undefined
          ? Effect.fail(new FetchError({ reason: new NotFound({ message: `no transaction "${id}" is waiting` }) }))
          : Effect.succeed(delivery)
      }),
    count: Effect.sync(() => store.count())
  }
  return {
    [storeKey]: store,
    format: "json",
    capabilities: capabilities(store),
    fetch: fetchFrom(store, owner),
    settle: (settlements) => Effect.suspend(() => refusing((refuse) => store.settle(settlements, refuse))),
    extend: (deliveries) => Effect.sync(() => store.extend(deliveries)),
    isHeld: (delivery) => store.isHeld(delivery),
    health: Effect.void,
    takeBack: (transactions) =>
      Effect.suspend(() => {
        if (owner.closed) return Effect.fail(new LettersError({ reason: closed }))
        store.takeBack(transactions)
        return Effect.void
      }),
    ...(store.options.buriesDeadLetters ? { letters: lettersOfStore(store, () => owner.closed) } : {}),
    ...eager
  }
}

const sinkOf = (store: Store, owner: Owner): SinkService => ({
  format: "json",
  dispatch: (transactions) =>
    Effect.suspend(() => {
      if (owner.closed) return Effect.fail(new DispatchError({ reason: closed }))
      store.offer(transactions)
      return Effect.void
    }),
  health: Effect.void
})

/** Opens a connection. When its scope closes, what it still holds comes back with a higher count. */
export const connect = (
  store: Store,
  options: { readonly lazy: boolean } = { lazy: false }
): Effect.Effect<MemoryQueue, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Owner()),
      (owner) => Effect.sync(() => store.close(owner))
    ),
    (owner) => ({ source: sourceOf(store, owner, options), sink: sinkOf(store, owner) })
  )
