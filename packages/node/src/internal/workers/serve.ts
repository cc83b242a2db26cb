/**
 * A worker: runs the task that the host asks for.
 *
 *     waiting -> running -> telling -> over
 *        |          |          |
 *        +----------+----------+-> orphaned -> over
 *
 * - waiting: until Start. running: until the task has ended, which a Drain, a Stop, a signal of its own or an
 *   interruption bring about.
 * - telling: the last word is sent; at most `farewell` until the host has answered it.
 * - orphaned: the host is gone. What runs is interrupted and released; the process ends within `shutdown.close`, whatever
 *   resists.
 */
import type { Outcome, Run } from "@ergon/core"
import * as Control from "@ergon/core/Control"
import * as Policy from "@ergon/core/Policy"
import { Execution, Observer } from "@ergon/core/Run"
import * as Task from "@ergon/core/Task"
import { Histograms, withHeaders } from "@ergon/core/Telemetry"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { constVoid, identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import { parentPort } from "node:worker_threads"
import { WorkerRunnerPlatform } from "../effectWorkers.ts"
import { check, type Checks } from "./checks.ts"
import { describe, type Described, unknownTask } from "./failure.ts"
import { obedience } from "./obedience.ts"
import { beatEvery } from "./pace.ts"
import { snapshot } from "./series.ts"
import { codecs, type Start, type ToHost, type ToWorker } from "./protocol.ts"

// Milliseconds that the host has to answer the last word.
const farewell = 5000

type AnyTask = Task.Any<unknown, never>

export const serve = (tasks: ReadonlyArray<AnyTask>, id: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const host = yield* connect
    const start = yield* host.start
    if (start === undefined) return
    const found = tasks.find(({ name }) => name === start.task)
    if (found === undefined) {
      const summary = (yield* (yield* Control.make).status).summary
      return yield* host.tell({ _tag: "Failed", summary, ...unknownTask(start.task, tasks.map(({ name }) => name)) })
    }
    yield* runTask(host, found, start, id)
  }).pipe(
    Effect.scoped,
    Effect.annotateLogs({ worker: id }),
    Effect.provide(NodeWorkerRunner.layer)
  )

/** The side of the worker of what stands between it and its host. */
interface Host {
  /** `undefined` when the host asks for nothing any more. */
  readonly start: Effect.Effect<Start | undefined>
  readonly send: (message: ToHost) => void
  /** The last word: sent, and heard. */
  readonly tell: (message: ToHost) => Effect.Effect<void>
  readonly isGone: () => boolean
  /** Who is told what the host asks for, and that it is gone. */
  readonly listen: (listener: (message: ToWorker | "gone") => void) => void
}

const connect: Effect.Effect<Host, never, WorkerRunnerPlatform | Scope.Scope> = Effect.gen(function*() {
  const runner = yield* Effect.orDie((yield* WorkerRunnerPlatform).start<unknown, unknown>())
  const { decodeToWorker, encodeToHost } = codecs()
  const start = yield* Deferred.make<Start | undefined>()
  const heard = yield* Deferred.make<void>()
  const early: Array<ToWorker | "gone"> = []
  let listener = (message: ToWorker | "gone"): void => void early.push(message)
  let gone = false

  const hear = (message: ToWorker): void => {
    if (message._tag === "Start") Deferred.doneUnsafe(start, Exit.succeed(message))
    else if (message._tag === "Bye") Deferred.doneUnsafe(heard, Exit.void)
    else listener(message)
  }
  const left = (): void => {
    if (gone) return
    gone = true
    Deferred.doneUnsafe(start, Exit.succeed(undefined))
    Deferred.doneUnsafe(heard, Exit.void)
    listener("gone")
  }
  const send = (message: ToHost): void => {
    if (!gone && (parentPort !== null || process.connected)) runner.sendUnsafe(0, encodeToHost(message))
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      // A message that cannot be sent any more is no reason to crash: that the host is gone is heard otherwise.
      process.on("error", constVoid)
      process.on("disconnect", left)
      if (parentPort === null && !process.connected) left()
    }),
    () => Effect.sync(() => process.off("error", constVoid).off("disconnect", left))
  )
  // It ends when the host closes the connection.
  yield* runner.run((_, message) => Effect.sync(() => hear(decodeToWorker(message)))).pipe(
    Effect.ensuring(Effect.sync(left)),
    Effect.forkScoped({ startImmediately: true })
  )
  return {
    start: Deferred.await(start),
    send,
    tell: (message) =>
      Effect.andThen(
        Effect.sync(() => send(message)),
        Effect.ignore(Effect.timeout(Deferred.await(heard), farewell))
      ),
    isGone: () => gone,
    listen: (next) => {
      listener = next
      for (const message of early.splice(0)) next(message)
    }
  }
})

const runTask = (host: Host, found: AnyTask, start: Start, worker: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const control = yield* Control.make
    const clock = yield* Clock.Clock
    const observer = yield* Observer
    const policy = yield* Effect.orDie(Policy.decode(start.policy))
    let connectors: Run.Run["connectors"] = Effect.succeed([])
    let checks: Checks = { connectors: [], count: undefined }

    const beat = Effect.map(
      Effect.all([control.status, start.histograms ? snapshot : Effect.succeed([])]),
      ([status, series]) => host.send({ _tag: "Beat", at: clock.currentTimeMillisUnsafe(), status, ...checks, series })
    )
    const checking = Effect.suspend(() => connectors).pipe(
      Effect.flatMap((all) => check(all, policy.supervision.check)),
      Effect.map((result) => {
        checks = result
      }),
      Effect.delay(policy.supervision.check)
    )
    // What listens here keeps them by itself.
    const keeping = start.histograms
      ? Effect.provideService(Histograms, true)
      : identity<Effect.Effect<Outcome.Summary, unknown>>
    const task = Task.run(found.pipe(Task.policy(policy)), { control }).pipe(
      Effect.provideService(Observer, {
        ...observer,
        started: (run) => {
          connectors = run.connectors
          observer.started(run)
        }
      }),
      withHeaders(start.headers),
      Effect.provideService(Execution, { execution: start.execution, worker }),
      keeping
    )
    yield* beat
    yield* Effect.forkScoped(Effect.forever(checking))
    yield* beat.pipe(Effect.delay(beatEvery(policy)), Effect.forever, Effect.forkScoped)
    yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const running = yield* Effect.forkChild(restore(task))
        const { obey, signal } = yield* obedience({ control, running, close: policy.shutdown.close, changed: beat })
        host.listen(obey)
        yield* Effect.onInterrupt(restore(Fiber.await(running)), () => Fiber.interrupt(running)).pipe(Effect.exit)
        const exit = yield* Fiber.await(running)
        const { summary } = yield* control.status
        if (host.isGone() && Exit.isFailure(exit))
          yield* Effect.logError("the task failed, and the host is gone", exit.cause)
        yield* beat
        yield* host.tell(lastWord(exit, summary, signal()))
      })
    )
  })

const lastWord = (
  exit: Exit.Exit<Outcome.Summary, unknown>,
  summary: Outcome.Summary,
  signal: string | undefined
): ToHost => {
  if (Exit.isSuccess(exit)) return { _tag: "Ended", summary: exit.value, signal }
  if (Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Ended", summary, signal }
  const described: Described = describe(exit.cause)
  return { _tag: "Failed", summary, ...described }
}
