/**
 * Work for the CPU in threads of its own, as a service: a step calls it, and the event loop of the engine stays free.
 *
 * **Details**
 * Calls wait in order for a free thread. Payload, result and error cross as their schemas encode them; defects cross too.
 * A thread that crashes fails its own call and no other, and another one is started in its place.
 *
 * **Example** (Resizing pictures beside the engine)
 * ```ts no-run="it starts threads"
 * import { Offload } from "@ergon/node"
 * import { Effect, Schema } from "effect"
 *
 * class Resize extends Offload.Service<Resize>()("resize", {
 *   payload: Schema.Struct({ file: Schema.String, width: Schema.Int }),
 *   success: Schema.String
 * }) {}
 *
 * // In resize.worker.ts, the entry of the threads:
 * const entry = Offload.serve(Resize, ({ file, width }) => Effect.succeed(`${file}-${width}`))
 *
 * // In the program: `Resize.use((resize) => resize(picture))` inside of a step, and
 * const threads = Offload.layer(Resize, { entry: new URL("./resize.worker.ts", import.meta.url), size: 2 })
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { isMainThread } from "node:worker_threads"
import type { Plain } from "./internal/offload/protocol.ts"
import { OffloadError } from "./OffloadError.ts"

// What a call can fail with besides its own errors.
export { OffloadError } from "./OffloadError.ts"

/**
 * What a service calls: its payload in, its result out.
 *
 * **Details**
 * Interrupting a call stops the work: what waits is interrupted in its thread; a thread in synchronous code, an endless
 * loop say, is terminated after 250 ms and replaced. So the deadline of a transaction holds for code of the CPU as well.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<in Payload, out Success, out Error> {
  (payload: Payload): Effect.Effect<Success, Error | OffloadError>
}

/**
 * The class that `Offload.Service` returns.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<
  in out Self,
  in out Id extends string,
  in out Payload extends Plain,
  in out Success extends Plain,
  in out Error extends Plain
> extends Context.ServiceClass<Self, `ergon/Offload/${Id}`, Call<Payload["Type"], Success["Type"], Error["Type"]>> {
  readonly id: Id
  readonly payload: Payload
  readonly success: Success
  readonly error: Error
}

/**
 * Declares a service that runs in threads: a name, and the schemas of what crosses. Without `success` a call answers
 * nothing, without `error` it has no typed error of its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>() =>
<
  const Id extends string,
  Payload extends Plain,
  Success extends Plain = typeof Schema.Void,
  Error extends Plain = typeof Schema.Never
>(
  id: Id,
  schemas: { readonly payload: Payload; readonly success?: Success; readonly error?: Error }
): ServiceClass<Self, Id, Payload, Success, Error> =>
  Object.assign(
    Context.Service<Self, Call<Payload["Type"], Success["Type"], Error["Type"]>>()(`ergon/Offload/${id}`),
    {
      id,
      payload: schemas.payload,
      success: schemas.success ?? Schema.Void as Plain as Success,
      error: schemas.error ?? Schema.Never as Plain as Error
    }
  )

/**
 * The threads of a service.
 *
 * **Details**
 * - `entry`: the module that a thread begins with, as a URL, a `file:` URL as text or a path. It runs `Offload.serve`.
 * - `size`: how many threads, at least 1. More than there are processors for gains nothing.
 * - `execArgv`: options of Node for the threads; those of the process unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly entry: string | URL
  readonly size: number
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/**
 * Starts the threads of a service, and ends them when the Layer closes.
 *
 * **Details**
 * Fails with an `OffloadError` when a thread does not serve within 30 seconds, cannot load its entry, or serves another
 * service. A thread that ends later is replaced: after a second, and twice that each time until one serves again, at most
 * 30 seconds. Closing interrupts what runs; worst case 5 seconds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <
  Self,
  Id extends string,
  Payload extends Plain,
  Success extends Plain,
  Error extends Plain
>(
  service: ServiceClass<Self, Id, Payload, Success, Error>,
  options: Options
): Layer.Layer<Self, OffloadError> =>
  Layer.effect(
    service,
    Effect.promise(() => import("./internal/offload/pool.ts")).pipe(
      Effect.flatMap((pool) => pool.make(service.id, service, options)),
      // Its exits are decoded by the schemas that these types come from.
      Effect.map((run) => run as Call<Payload["Type"], Success["Type"], Error["Type"]>)
    )
  )

/**
 * In the entry of a thread: runs the calls of a service, one at a time, until the pool closes. Run it by the `runMain` of
 * `@effect/platform-node/NodeRuntime`.
 *
 * **Details**
 * Every call has a Scope of its own. It runs below the span of its caller, and what it logs says the same task and
 * transaction. For its spans and lines to be sent, the thread needs telemetry of its own: `Observability.layerRuns` of
 * @ergon/telemetry around it knows which run it works for.
 *
 * Fails with an `OffloadError` when no pool has started this thread.
 *
 * @category threads
 * @since 0.1.0
 */
export const serve = <
  Self,
  Id extends string,
  Payload extends Plain,
  Success extends Plain,
  Error extends Plain,
  R = never
>(
  service: ServiceClass<Self, Id, Payload, Success, Error>,
  handler: (payload: Payload["Type"]) => Effect.Effect<Success["Type"], Error["Type"], R>
): Effect.Effect<void, OffloadError, Exclude<R, Scope.Scope>> =>
  isMainThread
    ? Effect.fail(
      new OffloadError({ service: service.id, reason: "Offload.serve works only in a thread of Offload.layer" })
    )
    : Effect.flatMap(
      Effect.promise(() => import("./internal/offload/serve.ts")),
      (thread) => thread.serve<Exclude<R, Scope.Scope>>(service.id, service, handler as never)
    )
