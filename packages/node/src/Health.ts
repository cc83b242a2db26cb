/**
 * The endpoint of a process, for whoever keeps it alive, sends it work and draws its curves: whether it is alive and
 * ready, its metrics, and how its tasks are.
 *
 * `ErgonRuntime.runMain` serves it with its option `http`; the Layer here is for programs that are run otherwise.
 *
 * @since 0.1.0
 */
import type { HealthError } from "./HealthError.ts"
import type { Runs } from "./Runs.ts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

// Why the endpoint cannot be served.
export { HealthError } from "./HealthError.ts"

/**
 * Where it is served: `port` 0 takes a free one, which is logged; `host` is `127.0.0.1` unless given.
 *
 * **Gotchas**
 * Nobody is asked who they are. On another address than the loopback, whoever reaches it can read it: no payload and no
 * secret is told, but names, counts, policies and the texts of errors are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly port: number
  readonly host?: string | undefined
}

const count = Schema.Number

const numbers = {
  concurrency: count,
  inFlight: count,
  buffered: count,
  held: count,
  settling: count,
  resisting: count
}

/**
 * What /status answers with, as a schema. Times are ISO 8601, durations seconds, memory bytes, rates per second over
 * the last minute.
 *
 * **Details**
 * `tasks`: the runs of the process in the order of their starts, those that go on first; of those that are over, the
 * newest 20. `rates` are those of all runs of a task together. `policy` is in force, as `Policy.encode` writes it.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Struct({
  process: Schema.Struct({
    pid: Schema.Number,
    node: Schema.String,
    startedAt: Schema.String,
    uptime: Schema.Number,
    memory: Schema.Number
  }),
  live: Schema.Boolean,
  ready: Schema.Boolean,
  notReady: Schema.Array(Schema.String),
  tasks: Schema.Array(
    Schema.Struct({
      task: Schema.String,
      kind: Schema.Literals(["consumer", "producer", "program"]),
      phase: Schema.Literals(["running", "draining", "stopping", "closing", "closed"]),
      startedAt: Schema.String,
      ...numbers,
      rates: Schema.Struct({ fetched: Schema.Number, ended: Schema.Number }),
      summary: Schema.Struct({
        fetched: count,
        succeeded: count,
        failed: count,
        requeued: count,
        timeout: count,
        redelivered: count,
        released: count,
        deadLettered: count,
        discarded: count,
        reasons: Schema.Record(Schema.String, count),
        retries: count,
        delayed: count,
        duration: Schema.Number
      }),
      connectors: Schema.Array(
        Schema.Struct({
          id: Schema.String,
          role: Schema.Literals(["source", "sink", "deadLetters"]),
          health: Schema.Literals(["healthy", "unhealthy", "unknown"]),
          reason: Schema.NullOr(Schema.String)
        })
      ),
      backlog: Schema.NullOr(Schema.Struct({ ready: count, delayed: count })),
      liveness: Schema.Struct({
        healthy: Schema.Boolean,
        unhealthyFor: Schema.Number,
        reasons: Schema.Array(Schema.Struct({ _tag: Schema.String, message: Schema.String }))
      }),
      workers: Schema.Array(
        Schema.Struct({
          id: Schema.Number,
          pid: Schema.NullOr(Schema.Number),
          phase: Schema.Literals(["starting", "running", "draining", "restarting", "ended"]),
          restarts: count,
          ...numbers
        })
      ),
      policy: Schema.Json
    })
  )
})

/**
 * What /status answers with.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * Serves the endpoint for as long as the Layer is open.
 *
 * **Details**
 * - `GET /live`: 200 while the last check of every run found nothing, 503 with the reasons otherwise.
 * - `GET /ready`: 200 while every run works (of one in workers, at least one worker) and at least one does; 503 with the
 *   reasons otherwise, and from the first signal on. The server itself stays until the very end.
 * - `GET /metrics`: the text format of Prometheus: the tasks, and what else is in effect's registry of metrics. Names and
 *   labels are those that Prometheus gives the same metrics when they arrive by OTLP: `ergon_transactions_total` with
 *   `ergon_task` and `ergon_outcome`. What runs below the Layer keeps durations for it, in workers too.
 * - `GET /status`: JSON, see `Status`.
 *
 * `HEAD` works as well. Every answer is made when it is asked for; connectors are asked at most once a second for their
 * health and their count, and an answer waits at most half a second for them. Closing takes at most a fifth of a second,
 * whatever the clients do. At most 64 connections are open.
 *
 * Fails with `HealthError` when it cannot listen there.
 *
 * **Example** (Beside a task, in a program of another kind)
 * ```ts import.meta.vitest
 * import { Task } from "@ergon/core"
 * import { Health, Runs } from "@ergon/node"
 * import { Effect, Layer } from "effect"
 *
 * const layers = Layer.provideMerge(Health.layer({ port: 0 }), Runs.layer)
 * const summary = await Effect.runPromise(Task.run(Task.make("nightly", Effect.void)).pipe(Effect.provide(layers)))
 * summary.fetched // => 0
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, HealthError, Runs> =>
  Layer.unwrap(Effect.map(Effect.promise(() => import("./internal/http/part.ts")), ({ part }) => part(options)))
