/**
 * Faults on demand: wraps a source or a sink so that chosen calls fail, hang, answer late, fail in part, or hand over
 * more than they should.
 *
 * A plan says what happens at which call; calls are counted per operation from 1, for as long as the Layer lives.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Connector from "../Connector.ts"
import { DispatchError, type Failed, FetchError, SettleError } from "../ConnectorError.ts"
import type { Delivery } from "../Delivery.ts"
import type { Reason } from "../Reason.ts"

/**
 * What goes wrong at one call.
 *
 * **Details**
 * - `Fail`: fails with `reason`; with `when: "after"` only once the call has taken effect, as when an answer is lost.
 * - `Hang`: never answers, before or after it has taken effect; can be interrupted.
 * - `Late`: answers correctly, after `by`.
 * - `Die`: a defect.
 * - `Partly`: the elements at `indices` fail with `reason` and nothing happens to them; the others succeed. Of a batch
 *   without such elements nothing fails. For `settle` and `dispatch`; a fetch is not affected.
 * - `Surplus`: a fetch asks the source for `extra` more than it was asked for.
 * - `Duplicate`: a fetch hands over everything twice, receipts included.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Fail"; readonly when: "before" | "after"; readonly reason: Reason }
  | { readonly _tag: "Hang"; readonly when: "before" | "after" }
  | { readonly _tag: "Late"; readonly by: Duration.Input }
  | { readonly _tag: "Die"; readonly defect: unknown }
  | { readonly _tag: "Partly"; readonly indices: ReadonlyArray<number>; readonly reason: Reason }
  | { readonly _tag: "Surplus"; readonly extra: number }
  | { readonly _tag: "Duplicate" }

/**
 * What goes wrong at which call: the number of the call, from 1, to a fault or `undefined`.
 *
 * @category models
 * @since 0.1.0
 */
export type Plan = (call: number) => Fault | undefined

/**
 * The plans for a source, one per operation. An operation without one works.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourcePlans {
  readonly fetch?: Plan | undefined
  readonly settle?: Plan | undefined
  readonly extend?: Plan | undefined
}

/**
 * The plans for a sink.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkPlans {
  readonly dispatch?: Plan | undefined
}

/**
 * Fails without having taken effect.
 *
 * @category faults
 * @since 0.1.0
 */
export const failBefore = (reason: Reason): Fault => ({ _tag: "Fail", when: "before", reason })

/**
 * Takes effect, then fails all the same.
 *
 * @category faults
 * @since 0.1.0
 */
export const failAfter = (reason: Reason): Fault => ({ _tag: "Fail", when: "after", reason })

/**
 * Never answers; `"after"` once it has taken effect. `"before"` unless given.
 *
 * @category faults
 * @since 0.1.0
 */
export const hang = (when: "before" | "after" = "before"): Fault => ({ _tag: "Hang", when })

/**
 * Answers correctly, but only after this time.
 *
 * @category faults
 * @since 0.1.0
 */
export const late = (by: Duration.Input): Fault => ({ _tag: "Late", by })

/**
 * Dies with this defect.
 *
 * @category faults
 * @since 0.1.0
 */
export const die = (defect: unknown): Fault => ({ _tag: "Die", defect })

/**
 * Fails for the elements at these indices of the batch, and works for the others.
 *
 * @category faults
 * @since 0.1.0
 */
export const partly = (indices: ReadonlyArray<number>, reason: Reason): Fault => ({ _tag: "Partly", indices, reason })

/**
 * A fetch hands over up to this many more than it was asked for.
 *
 * @category faults
 * @since 0.1.0
 */
export const surplus = (extra: number): Fault => ({ _tag: "Surplus", extra })

/**
 * A fetch hands over everything twice.
 *
 * @category faults
 * @since 0.1.0
 */
export const duplicate: Fault = { _tag: "Duplicate" }

/**
 * The fault at every call.
 *
 * @category plans
 * @since 0.1.0
 */
export const always = (fault: Fault): Plan => () => fault

/**
 * The fault at one call, counted from 1.
 *
 * @category plans
 * @since 0.1.0
 */
export const at = (call: number, fault: Fault): Plan => (now) => now === call ? fault : undefined

/**
 * The fault at the first calls, this many.
 *
 * @category plans
 * @since 0.1.0
 */
export const first = (calls: number, fault: Fault): Plan => (now) => now <= calls ? fault : undefined

/**
 * One entry per call; `undefined` where it works. After the last entry everything works.
 *
 * **Example** (A broker that restarts)
 * ```ts import.meta.vitest
 * import { Reason } from "@ergon/core"
 * import { Faults } from "@ergon/core/testing"
 *
 * const lost = Faults.failBefore(new Reason.ConnectionLost({ message: "broker restarting" }))
 * const plan = Faults.sequence([undefined, lost, lost])
 * plan(1) // => undefined
 * plan(2) === lost // => true
 * plan(4) // => undefined
 * ```
 *
 * @category plans
 * @since 0.1.0
 */
export const sequence = (faults: ReadonlyArray<Fault | undefined>): Plan => (call) => faults[call - 1]

const counted = (plan: Plan | undefined): () => Fault | undefined => {
  let calls = 0
  return () => plan?.(++calls)
}

const inject = <A, E>(
  fault: Fault | undefined,
  call: Effect.Effect<A, E>,
  fail: (reason: Reason) => E
): Effect.Effect<A, E> => {
  switch (fault?._tag) {
    case "Fail": {
      const failure = Effect.fail(fail(fault.reason))
      return fault.when === "before" ? failure : Effect.andThen(call, failure)
    }
    case "Hang":
      return fault.when === "before" ? Effect.never : Effect.andThen(call, Effect.never)
    case "Late":
      return Effect.delay(call, fault.by)
    case "Die":
      return Effect.die(fault.defect)
    default:
      return call
  }
}

const injectBatch = <A, E>(
  fault: Fault | undefined,
  batch: ReadonlyArray<A>,
  call: (batch: ReadonlyArray<A>) => Effect.Effect<void, E>,
  fail: (reason: Reason, failed?: ReadonlyArray<Failed>) => E
): Effect.Effect<void, E> => {
  if (fault?._tag !== "Partly") return inject(fault, call(batch), fail)
  const failed = fault.indices.filter((index) => index < batch.length).map((index) => ({ index, reason: fault.reason }))
  if (failed.length === 0) return call(batch)
  const rest = batch.filter((_, index) => !fault.indices.includes(index))
  return Effect.andThen(rest.length === 0 ? Effect.void : call(rest), Effect.fail(fail(fault.reason, failed)))
}

/**
 * A source with faults, from its service. For authors of connectors; tests of tasks use `Faults.source`.
 *
 * @category services
 * @since 0.1.0
 */
export const sourceService = (service: Connector.SourceService, plans: SourcePlans): Connector.SourceService => {
  const nextFetch = counted(plans.fetch)
  const nextSettle = counted(plans.settle)
  const nextExtend = counted(plans.extend)
  const { extend, isHeld, resolve, takeBack } = service
  const fetch = (
    request: Connector.FetchRequest
  ): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> =>
    Effect.suspend(() => {
      const fault = nextFetch()
      switch (fault?._tag) {
        case "Surplus":
          return service.fetch({ ...request, max: request.max + fault.extra })
        case "Duplicate":
          return Effect.map(service.fetch(request), (deliveries) => [...deliveries, ...deliveries])
        default:
          return inject(fault, service.fetch(request), (reason) => new FetchError({ reason }))
      }
    })
  return {
    // What else hangs on it, for those who know it; and by name what a class keeps on its prototype.
    ...service,
    format: service.format,
    capabilities: service.capabilities,
    ...(service.count === undefined ? {} : { count: service.count }),
    ...(service.health === undefined ? {} : { health: service.health }),
    ...(service.commit === undefined ? {} : { commit: service.commit }),
    ...(service.letters === undefined ? {} : { letters: service.letters }),
    ...(takeBack === undefined ? {} : {
      takeBack: (...given: Parameters<typeof takeBack>) => takeBack.call(service, ...given)
    }),
    ...(isHeld === undefined ? {} : { isHeld: (delivery: Delivery) => isHeld.call(service, delivery) }),
    ...(resolve === undefined ? {} : { resolve: (id: string) => resolve.call(service, id) }),
    ...(extend === undefined ? {} : {
      extend: (deliveries: ReadonlyArray<Delivery>) =>
        Effect.suspend(() =>
          inject(nextExtend(), extend.call(service, deliveries), (reason) => new SettleError({ reason }))
        )
    }),
    fetch,
    settle: (settlements) =>
      Effect.suspend(() =>
        injectBatch(
          nextSettle(),
          settlements,
          (settlements) => service.settle(settlements),
          (reason, failed) => new SettleError({ reason, failed })
        )
      )
  }
}

/**
 * A sink with faults, from its service. For authors of connectors; tests of tasks use `Faults.sink`.
 *
 * @category services
 * @since 0.1.0
 */
export const sinkService = (service: Connector.SinkService, plans: SinkPlans): Connector.SinkService => {
  const next = counted(plans.dispatch)
  return {
    ...service,
    format: service.format,
    ...(service.database === undefined ? {} : { database: service.database }),
    ...(service.letters === undefined ? {} : { letters: service.letters }),
    ...(service.health === undefined ? {} : { health: service.health }),
    dispatch: (transactions) =>
      Effect.suspend(() =>
        injectBatch(
          next(),
          transactions,
          (transactions) => service.dispatch(transactions),
          (reason, failed) => new DispatchError({ reason, failed })
        )
      )
  }
}

/**
 * Puts faults into the source of a Layer; a queue's sink stays as it is.
 *
 * **Example** (The first settlement is lost)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Reason, Transaction } from "@ergon/core"
 * import { Faults } from "@ergon/core/testing"
 * import { Schema } from "effect"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 *
 * const layer = Memory.source(Orders, [Transaction.make("order-1", { quantity: 2 })]).pipe(
 *   Faults.source(Orders, { settle: Faults.at(1, Faults.failAfter(new Reason.Timeout({ message: "no answer" }))) })
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source =
  <Self, S extends Schema.Constraint>(key: Connector.AnySource<Self, S>, plans: SourcePlans) =>
  <E, R>(layer: Layer.Layer<Self, E, R>): Layer.Layer<Self, E, R> =>
    Layer.effect(
      key,
      Effect.map(key, (service) => ({ ...service, source: sourceService(service.source, plans) }))
    ).pipe(Layer.provide(layer))

/**
 * Puts faults into the sink of a Layer; a queue's source stays as it is.
 *
 * @category layers
 * @since 0.1.0
 */
export const sink =
  <Self, S extends Schema.Constraint>(key: Connector.AnySink<Self, S>, plans: SinkPlans) =>
  <E, R>(layer: Layer.Layer<Self, E, R>): Layer.Layer<Self, E, R> =>
    Layer.effect(
      key,
      Effect.map(key, (service) => ({ ...service, sink: sinkService(service.sink, plans) }))
    ).pipe(Layer.provide(layer))

/**
 * Puts faults into a Layer for dead letters.
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters =
  <Self>(key: Connector.AnyDeadLetters<Self>, plans: SinkPlans) =>
  <E, R>(layer: Layer.Layer<Self, E, R>): Layer.Layer<Self, E, R> =>
    Layer.effect(
      key,
      Effect.map(key, (service) => ({ deadLetters: sinkService(service.deadLetters, plans) }))
    ).pipe(Layer.provide(layer))
