/**
 * One start of a worker: its process or thread from spawn to exit, and the talk with it.
 *
 *     spawned -> serving -> ending -> gone
 *
 * - spawned: until its first beat, for at most `supervision.startGrace`.
 * - ending: it was asked to drain or to stop, or it has said its last word. Worst case until it is gone:
 *   `shutdown.grace` (not after a stop, nor after the last word) plus `shutdown.close` plus `margin`; then it is killed.
 *
 * A pool of one worker for each attempt, in a scope of its own: what happens to it touches no other worker. Closing that
 * scope would kill the worker after 5 seconds, whatever it does, so it closes once the worker is gone.
 */
import * as Liveness from "@ergon/core/Liveness"
import * as Policy from "@ergon/core/Policy"
import type { Outcome, Telemetry } from "@ergon/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Options } from "../../Workers.ts"
import { Spawner, WorkerPlatform } from "../effectWorkers.ts"
import type { Copy } from "./copy.ts"
import { codecs, type Ended, type Failed, type ToHost, type ToWorker } from "./protocol.ts"
import type { Reaper } from "./reaper.ts"
import { spawn, type Spawned } from "./spawn.ts"
import { watch } from "./watch.ts"

// For what is on its way, and for a busy machine.
const margin = Duration.seconds(2)

export interface AttemptOptions {
  readonly copy: Copy
  readonly task: string
  readonly policy: Policy.Policy
  readonly limit: number
  readonly options: Options
  readonly execution: string
  readonly headers: Telemetry.Headers
  readonly histograms: boolean
  readonly reaper: Reaper
  /** What was set while the run went on. */
  readonly settings: () => ReadonlyArray<ToWorker>
}

export type End = Ended | Failed | { readonly _tag: "Crashed"; readonly why: string }

export interface Attempted {
  readonly end: End
  // As it says itself in its last word.
  readonly summary: Outcome.Summary | undefined
  // Since when it has served, in milliseconds on the clock.
  readonly wellSince: number | undefined
}

export const attempt = (
  { copy, execution, headers, histograms, limit, options, policy, reaper, settings, task }: AttemptOptions
): Effect.Effect<Attempted, never, WorkerPlatform> =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const runFork = Effect.runForkWith(yield* Effect.context<WorkerPlatform>())
    const { decodeToHost, encodeToWorker } = codecs()
    const serving = yield* Deferred.make<void>()
    const unhealthy = yield* Deferred.make<string>()
    let spawned: Spawned | undefined
    let started = false
    let why: string | undefined
    let last: Ended | Failed | undefined
    let wellSince: number | undefined

    const backing = yield* (yield* WorkerPlatform).spawn<unknown, unknown>(copy.id).pipe(
      Effect.provideService(Spawner, () => {
        spawned = spawn(copy.id, options)
        copy.pid = spawned.pid
        if (spawned.pid !== undefined && options.kind !== "thread") reaper.add(spawned.pid)
        return spawned.handle
      }),
      Effect.orDie
    )
    const send = (message: ToWorker) => Effect.ignore(backing.send(encodeToWorker(message)))
    copy.send = (message) => void runFork(send(message))
    const kill = (reason: string) =>
      Effect.sync(() => {
        why ??= reason
        spawned?.kill()
      })
    const { close, grace } = policy.shutdown
    const longest = Duration.sum(Duration.sum(grace, close), margin)
    const killAfter = (time: Duration.Duration, reason: string) =>
      Effect.delay(kill(`${reason} within ${Duration.format(time)} and was killed`), time)

    const hear = (message: ToHost): Effect.Effect<void> => {
      if (message._tag === "Beat") {
        const first = copy.beat?.status.phase !== "running" && message.status.phase === "running"
        copy.beat = message
        copy.heardAt = clock.currentTimeMillisUnsafe()
        wellSince ??= copy.heardAt
        Deferred.doneUnsafe(serving, Exit.void)
        if (copy.phase === "starting") copy.phase = "running"
        return first ? Effect.forEach(settings(), send, { discard: true }) : Effect.void
      }
      last = message
      Deferred.doneUnsafe(serving, Exit.void)
      return Effect.andThen(send({ _tag: "Bye" }), killAfter(Duration.sum(close, margin), "it did not exit"))
    }
    const drain = Effect.suspend(() => {
      copy.phase = "draining"
      return started
        ? Effect.andThen(send({ _tag: "Drain" }), killAfter(longest, "it did not drain"))
        : kill("drained before it had begun")
    })
    const stop = Effect.andThen(send({ _tag: "Stop" }), killAfter(Duration.sum(close, margin), "it did not stop"))
    const start: ToWorker = {
      _tag: "Start",
      task,
      policy: Policy.encode(Policy.make(Policy.merge(policy, { loop: { limit } }))),
      execution,
      headers: { ...headers },
      histograms
    }

    yield* Effect.forkScoped(Effect.andThen(Deferred.await(copy.draining), drain))
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(copy.stopping), stop))
    yield* Effect.forkScoped(Effect.timeoutOrElse(Deferred.await(serving), {
      duration: policy.supervision.startGrace,
      orElse: () =>
        kill(`it did not serve the task within ${Duration.format(policy.supervision.startGrace)} and was killed`)
    }))
    yield* Effect.andThen(Deferred.await(serving), watch(copy, Liveness.bounds(policy), limit, unhealthy)).pipe(
      Effect.raceFirst(Deferred.await(copy.draining)),
      Effect.forkScoped
    )
    yield* Deferred.await(unhealthy).pipe(
      Effect.flatMap((reason) => {
        why = reason
        return Effect.andThen(
          Effect.annotateLogs(Effect.logWarning("a worker is unhealthy; it is drained and started again"), {
            task,
            worker: copy.id,
            pid: spawned?.pid,
            reason
          }),
          drain
        )
      }),
      Effect.forkScoped
    )
    const exit = yield* backing.run((message) => hear(decodeToHost(message)), {
      onSpawn: Effect.suspend(() => {
        started = true
        return send(start)
      })
    }).pipe(Effect.exit)

    if (spawned?.pid !== undefined) reaper.remove(spawned.pid)
    const summary = last?.summary
    if (last !== undefined && why === undefined) return { end: last, summary, wellSince }
    const ended = why ?? crashOf(exit, spawned, wellSince !== undefined)
    return { end: { _tag: "Crashed", why: ended }, summary, wellSince }
  }))

const crashOf = (exit: Exit.Exit<never, unknown>, spawned: Spawned | undefined, served: boolean): string => {
  const ended = spawned?.ended() ??
    (Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it ended without a word")
  if (served) return ended
  return ended === "exited with code 0"
    ? `${ended} before it served the task: its entry has to run Workers.serve by ErgonRuntime.runMain`
    : `${ended} before it served the task: its own output says why`
}
