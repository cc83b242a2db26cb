/**
 * The host of the workers of one run: starts them, waits for all of them, and is the one run that the observer is told of.
 *
 *     running -> draining -> stopping -> idle
 *
 * Draining begins with the first request, by the handle, by an interruption, or because a worker failed for good or was
 * given up. It ends when the last worker is gone.
 */
import { Control, Policy, Run, Task, Telemetry } from "@ergon/core"
import type { Outcome } from "@ergon/core"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import type { Options } from "../../Workers.ts"
import { type WorkersError, WorkersRefused } from "../../WorkersError.ts"
import { connectorsOf } from "./connectors.ts"
import { Copy, live } from "./copy.ts"
import * as Merge from "./merge.ts"
import type { ToWorker } from "./protocol.ts"
import * as Reaper from "./reaper.ts"
import * as Restarts from "./restarts.ts"
import { problemOf } from "./spawn.ts"

type AnyTask = Task.Any<unknown, unknown>
type Described = ReturnType<typeof Task.describe>

export const run = (task: AnyTask, options: Options): Effect.Effect<Outcome.Summary, WorkersError> =>
  Effect.flatMap(
    plan(task, options),
    (described) =>
      runCopies(described, options).pipe(traced(described.task, options.count), Run.surround(described.task))
  )

/** The span of the run, above the ones that its workers have, when a tracer listens. */
const traced = (task: string, workers: number) => <A, E>(run: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Context.getOrUndefined(context, Tracer.Tracer) === undefined
      ? run
      : Effect.withSpan(run, `${Telemetry.spans.run.name} ${task}`, {
        attributes: { [Telemetry.attributes.task]: task, [Telemetry.attributes.workers]: workers }
      })
  )

/** What the copies run under, or why they cannot run. */
const plan = (task: AnyTask, options: Options): Effect.Effect<Described, WorkersRefused> =>
  Effect.suspend(() => {
    const problems: Array<string> = []
    const attempted = <A>(compute: () => A, path = ""): A | undefined => {
      try {
        return compute()
      } catch (error) {
        if (!(error instanceof Policy.PolicyError)) throw error
        problems.push(...error.problems.map((problem) => `${path}${problem}`))
        return undefined
      }
    }
    const { count } = options
    if (!Number.isInteger(count) || count < 1) problems.push(`count must be a whole number of at least 1, got ${count}`)
    const described = attempted(() => Task.describe(task.pipe(Task.policy(options.policy ?? {}))))
    if (described?.kind === "producer" && count > 1) {
      problems.push(
        `it is a producer, and each of ${count} workers would produce everything again: use 1 worker, or let the ` +
          "workers consume what one producer produces"
      )
    }
    attempted(() => Policy.schedule(Restarts.restartPolicy(options.restart)), "restart.")
    const entry = problemOf(options.entry)
    if (entry !== undefined) problems.push(entry)
    return described === undefined || problems.length > 0
      ? Effect.fail(new WorkersRefused({ task: task.name, problems }))
      : Effect.succeed(described)
  })

const runCopies = (described: Described, options: Options): Effect.Effect<Outcome.Summary, WorkersError> =>
  Effect.gen(function*() {
    const { policy, task } = described
    const clock = yield* Clock.Clock
    const observer = yield* Run.Observer
    const own = yield* Control.make
    const idle = yield* own.status
    const execution = (yield* Run.Execution)?.execution ?? crypto.randomUUID()
    const headers = yield* Telemetry.headers
    const histograms = yield* Telemetry.Histograms
    const reaper = yield* Reaper.make(policy.shutdown.close)
    const shares = Merge.shares(policy.loop.limit, options.count)
    // One without a share has nothing to do; the first one runs all the same, and finds what is wrong with the task.
    const copies = shares.flatMap((share, id) => share > 0 || id === 0 ? [new Copy(id)] : [])
    const settings = new Map<ToWorker["_tag"], ToWorker>()
    const startedAt = clock.currentTimeMillisUnsafe()
    let phase: Control.Status["phase"] = "running"
    let endedAt: number | undefined
    let error: WorkersError | undefined

    const summary = (): Outcome.Summary =>
      Merge.summaries(
        copies.map((copy) => copy.summary),
        Duration.millis((endedAt ?? clock.currentTimeMillisUnsafe()) - startedAt)
      )
    const drain = (): void => {
      if (phase === "running") phase = "draining"
      for (const copy of copies) Deferred.doneUnsafe(copy.draining, Exit.void)
    }
    const stop = (): void => {
      drain()
      if (phase === "draining") phase = "stopping"
      for (const copy of copies) Deferred.doneUnsafe(copy.stopping, Exit.void)
    }
    const tellAll = (message: ToWorker): void => {
      settings.set(message._tag, message)
      for (const copy of copies) copy.send(message)
    }
    const control: Control.Control = {
      ...own,
      status: Effect.sync(() =>
        phase === "idle"
          ? { ...idle, fetched: summary().fetched, summary: summary() }
          : Merge.statuses(copies.map((copy) => copy.status(idle)), { phase, summary: summary() })
      ),
      // The handle that belongs to no run knows what is valid.
      setConcurrency: (concurrency) =>
        Effect.map(own.setConcurrency(concurrency), () => tellAll({ _tag: "SetConcurrency", concurrency })),
      setRate: (rate) =>
        Effect.map(own.setRate(rate), () =>
          tellAll({
            _tag: "SetRate",
            rate: rate && { limit: rate.limit, interval: Duration.fromInputUnsafe(rate.interval) }
          })),
      drain: Effect.sync(drain),
      stop: Effect.sync(stop)
    }
    const told: Run.Run = {
      ...described,
      control,
      connectors: Effect.sync(() => connectorsOf(copies)),
      workers: Effect.sync(() =>
        copies.map((copy) => ({
          id: copy.id,
          pid: copy.pid,
          phase: copy.phase,
          restarts: copy.restarts,
          status: copy.status(idle),
          series: copy.series
        }))
      )
    }
    const one = (copy: Copy) =>
      Effect.gen(function*() {
        const restarts = yield* Restarts.make(Restarts.restartPolicy(options.restart))
        const limit = shares[copy.id]!
        const failed = yield* live(copy, {
          task,
          policy,
          limit,
          options,
          execution,
          headers,
          histograms,
          reaper,
          restarts,
          settings: () => [...settings.values()]
        })
        if (failed === undefined) return
        error ??= failed
        drain()
      })

    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        observer.started(told)
        const running = yield* Effect.forkChild(
          Effect.forEach(copies, one, { concurrency: "unbounded", discard: true })
        )
        const waited = yield* restore(Fiber.join(running)).pipe(
          Effect.onInterrupt(() => Effect.suspend(() => (drain(), Fiber.await(running)))),
          Effect.exit
        )
        endedAt = clock.currentTimeMillisUnsafe()
        phase = "idle"
        const exit: Exit.Exit<Outcome.Summary, WorkersError> = Exit.isFailure(waited)
          ? Exit.failCause(waited.cause)
          : error === undefined
          ? Exit.succeed(summary())
          : Exit.fail(error)
        observer.finished(told, exit)
        observer.closed(told, exit)
        return yield* exit
      })
    )
  }).pipe(Effect.scoped, Effect.provide(NodeWorker.layerPlatform))
