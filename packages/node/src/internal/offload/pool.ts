/**
 * A pool of threads for one service. Calls wait in order for a free thread; a thread has one call at a time.
 *
 * One thread, over and over, each start in a scope of its own:
 *
 *     starting -> free <-> busy -> gone -> starting      a crash: after a delay; a call that did not stop: at once
 *
 * A call that is interrupted asks its thread to stop. A thread that does not answer within `patience` is in synchronous
 * code that nothing can interrupt: it is terminated. Worst case until an interrupted call has ended: `patience`, and the
 * time to terminate a thread.
 */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { Policy } from "@ergon/core"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Worker } from "node:worker_threads"
import type { Options } from "../../Offload.ts"
import { OffloadError } from "../../OffloadError.ts"
import { Spawner, WorkerPlatform } from "../effectWorkers.ts"
import { fileOf, problemOf } from "../workers/spawn.ts"
import { identity, leaving } from "./boundary.ts"
import { codecs, type Schemas, type ToPool, type ToThread } from "./protocol.ts"

// How long a thread may take to serve, and to answer that it has stopped.
const startWithin = Duration.seconds(30)
const patience = Duration.millis(250)

const respawn: Policy.RetryInput = {
  maxAttempts: Number.MAX_SAFE_INTEGER,
  backoff: "1 second",
  multiplier: 2,
  cap: "30 seconds"
}

/** One start of a thread. */
interface Thread {
  readonly send: (message: ToThread) => Effect.Effect<void>
  readonly terminate: Effect.Effect<void>
  isAlive: boolean
  // Whether somebody waits for its answer, or did until it was terminated.
  isWanted: boolean
  answer: Deferred.Deferred<unknown, OffloadError> | undefined
}

export type Run = (payload: unknown) => Effect.Effect<unknown, unknown>

export const make = (
  service: string,
  schemas: Schemas,
  options: Options
): Effect.Effect<Run, OffloadError, Scope.Scope> =>
  Effect.gen(function*() {
    const problem = problemOf(options.entry) ??
      (Number.isInteger(options.size) && options.size >= 1
        ? undefined
        : `size must be a whole number of at least 1, got ${options.size}`)
    if (problem !== undefined) return yield* new OffloadError({ service, reason: problem })
    const platform = yield* WorkerPlatform
    const { decodeExit, encodePayload } = codecs(schemas)
    const workerData = yield* identity
    const free = yield* Queue.unbounded<Thread>()
    let lastId = 0

    const start = (started: Deferred.Deferred<void, OffloadError>): Effect.Effect<Thread> =>
      Effect.gen(function*() {
        let worker: Worker | undefined
        let failure: string | undefined
        const backing = yield* platform.spawn<ToPool, ToThread>(0).pipe(
          Effect.provideService(Spawner, () => {
            worker = new Worker(fileOf(options.entry), {
              name: `ergon-${service}`,
              workerData,
              ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] })
            })
            worker.once("error", (error) => {
              failure = `its thread ended by ${String(error)}`
            })
            worker.once("exit", (code) => {
              failure ??= `its thread exited with code ${code}`
            })
            return worker
          }),
          Effect.orDie
        )
        const thread: Thread = {
          send: (message) => Effect.ignore(backing.send(message)),
          terminate: Effect.asVoid(Effect.promise(async () => worker?.terminate())),
          isAlive: true,
          isWanted: true,
          answer: undefined
        }
        const fail = (reason: string) => {
          const error = new OffloadError({ service, reason })
          Deferred.doneUnsafe(started, Exit.fail(error))
          if (thread.answer !== undefined) Deferred.doneUnsafe(thread.answer, Exit.fail(error))
        }
        const hear = (message: ToPool): void => {
          if (message._tag === "Exit") {
            if (thread.answer !== undefined) Deferred.doneUnsafe(thread.answer, Exit.succeed(message.exit))
          } else if (message.service !== service) {
            fail(`its entry serves "${message.service}"`)
          } else {
            Deferred.doneUnsafe(started, Exit.void)
            Queue.offerUnsafe(free, thread)
          }
        }
        yield* Effect.timeoutOrElse(Deferred.await(started), {
          duration: startWithin,
          orElse: () =>
            Effect.andThen(
              Effect.sync(() => fail(`its thread did not serve within ${Duration.format(startWithin)}`)),
              thread.terminate
            )
        }).pipe(Effect.ignore, Effect.forkScoped)
        yield* Effect.ignore(backing.run((message) => Effect.sync(() => hear(message))))
        thread.isAlive = false
        fail(failure ?? "its thread is gone")
        return thread
      }).pipe(Effect.scoped)

    const keep = (first: Deferred.Deferred<void, OffloadError>): Effect.Effect<void> =>
      Effect.gen(function*() {
        let step = yield* Schedule.toStep(Policy.schedule(respawn))
        let started = first
        for (;;) {
          const { isWanted } = yield* start(started)
          const served = Exit.isSuccess(yield* Effect.exit(Deferred.await(started)))
          // A pool whose threads never served is not made at all.
          if (!served && started === first) return
          started = yield* Deferred.make<void, OffloadError>()
          if (!isWanted) continue
          if (served) step = yield* Schedule.toStep(Policy.schedule(respawn))
          const [, delay] = yield* Effect.orDie(
            Effect.clockWith((clock) => step(clock.currentTimeMillisUnsafe(), undefined))
          )
          yield* Effect.logWarning(
            `a thread of "${service}" ended; another one is started in ${Duration.format(delay)}`
          )
          yield* Effect.sleep(delay)
        }
      })

    const takeFree: Effect.Effect<Thread> = Effect.flatMap(
      Queue.take(free),
      (thread) => thread.isAlive ? Effect.succeed(thread) : takeFree
    )
    const stop = (thread: Thread, id: number, answer: Deferred.Deferred<unknown, OffloadError>) =>
      thread.send({ _tag: "Interrupt", id }).pipe(
        Effect.andThen(Effect.timeoutOption(Effect.exit(Deferred.await(answer)), patience)),
        Effect.flatMap((answered) => {
          if (answered._tag === "Some") return Effect.void
          thread.isAlive = false
          thread.isWanted = false
          return thread.terminate
        })
      )

    const starts = yield* Effect.forEach(
      Array.from({ length: options.size }),
      () =>
        Effect.gen(function*() {
          const started = yield* Deferred.make<void, OffloadError>()
          yield* Effect.forkScoped(keep(started))
          return started
        })
    )
    yield* Effect.forEach(starts, Deferred.await, { concurrency: "unbounded", discard: true })

    const run: Run = (payload) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const encoded = yield* Effect.orDie(encodePayload(payload))
          const boundary = yield* leaving
          const thread = yield* restore(takeFree)
          const id = ++lastId
          const answer = yield* Deferred.make<unknown, OffloadError>()
          thread.answer = answer
          yield* thread.send({ _tag: "Call", id, payload: encoded, boundary })
          const told = yield* restore(Deferred.await(answer)).pipe(
            Effect.onInterrupt(() => stop(thread, id, answer)),
            Effect.ensuring(Effect.sync(() => {
              thread.answer = undefined
              if (thread.isAlive) Queue.offerUnsafe(free, thread)
            }))
          )
          return yield* yield* Effect.orDie(decodeExit(told))
        })
      )
    return run
  }).pipe(Effect.provide(NodeWorker.layerPlatform))
