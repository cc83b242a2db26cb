/**
 * One worker of a run, from its first start to its last end.
 *
 *     starting -> running -> draining -> ended
 *         ^          |
 *         |          v
 *         +---- restarting      it ended in a way that another start may mend, and nobody has asked for a drain
 *
 * Every start is an attempt of its own: see `attempt.ts`. What earlier attempts had reported is kept.
 */
import type { Control, Outcome, Run, Telemetry } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { WorkerFailed, WorkerGaveUp } from "../../WorkersError.ts"
import type { WorkerPlatform } from "../effectWorkers.ts"
import { attempt, type AttemptOptions, type End } from "./attempt.ts"
import * as Merge from "./merge.ts"
import type { Beat, ToWorker } from "./protocol.ts"
import type { Restarts } from "./restarts.ts"
import * as Series from "./series.ts"

export class Copy {
  readonly id: number
  phase: Run.WorkerOfRun["phase"] = "starting"
  pid: number | undefined
  restarts = 0
  // What the attempts before this one had done, as far as they had told.
  before: Outcome.Summary = Merge.nothing
  private seriesBefore: ReadonlyArray<Telemetry.Series> = []
  // The last word of this attempt, and when it came.
  beat: Beat | undefined
  heardAt = 0
  send: (message: ToWorker) => void = () => {}
  readonly draining = Deferred.makeUnsafe<void>()
  readonly stopping = Deferred.makeUnsafe<void>()

  constructor(id: number) {
    this.id = id
  }

  get isDraining(): boolean {
    return Deferred.isDoneUnsafe(this.draining)
  }

  get summary(): Outcome.Summary {
    return this.beat === undefined
      ? this.before
      : Merge.summaries([this.before, this.beat.status.summary], this.beat.status.summary.duration)
  }

  get series(): ReadonlyArray<Telemetry.Series> {
    return this.beat === undefined ? this.seriesBefore : Series.merge([...this.seriesBefore, ...this.beat.series])
  }

  status(idle: Control.Status): Control.Status {
    const { summary } = this
    return { ...(this.beat?.status ?? idle), fetched: summary.fetched, summary }
  }

  /** This attempt is over: what it had done is kept, and nothing is going on. */
  close(last: Outcome.Summary | undefined): void {
    this.before = last === undefined ? this.summary : Merge.summaries([this.before, last], last.duration)
    this.seriesBefore = this.series
    this.beat = undefined
    this.pid = undefined
    this.send = () => {}
  }
}

export interface CopyOptions extends Omit<AttemptOptions, "copy" | "limit"> {
  // The share of the limit, for all attempts together.
  readonly limit: number
  readonly restarts: Restarts
}

/** Succeeds once the worker has ended and is not started again: with what the run fails with because of it, if anything. */
export const live = (
  copy: Copy,
  options: CopyOptions
): Effect.Effect<WorkerGaveUp | WorkerFailed | undefined, never, WorkerPlatform> =>
  Effect.gen(function*() {
    const task = options.task
    const clock = yield* Clock.Clock
    while (!copy.isDraining) {
      const limit = options.limit - copy.before.fetched
      if (copy.restarts > 0 && limit <= 0) break
      copy.phase = "starting"
      const { end, summary, wellSince } = yield* attempt({ ...options, copy, limit })
      const pid = copy.pid
      copy.close(summary)
      if (end._tag === "Ended" && (end.signal === undefined || copy.isDraining)) break
      if (end._tag === "Failed" && !end.mends) {
        copy.phase = "ended"
        const { exitCode, reason, tag } = end
        return new WorkerFailed({ task, worker: copy.id, tag, reason, exitCode })
      }
      const last = whyOf(end)
      const annotations = { task, worker: copy.id, pid, exit: last }
      if (copy.isDraining) {
        yield* Effect.annotateLogs(Effect.logWarning("a worker ended while it was drained"), annotations)
        break
      }
      const starts = options.restarts.starts()
      const delay = yield* options.restarts.next(
        wellSince === undefined ? 0 : clock.currentTimeMillisUnsafe() - wellSince
      )
      if (delay === undefined) {
        copy.phase = "ended"
        yield* Effect.annotateLogs(Effect.logWarning("a worker ended and is given up"), annotations)
        return new WorkerGaveUp({ task, worker: copy.id, starts, last })
      }
      copy.phase = "restarting"
      yield* Effect.annotateLogs(
        Effect.logWarning(`a worker ended; it is started again in ${Duration.format(delay)}`),
        annotations
      )
      yield* Effect.raceFirst(Effect.sleep(delay), Deferred.await(copy.draining))
      if (!copy.isDraining) copy.restarts++
    }
    copy.phase = "ended"
    return undefined
  })

const whyOf = (end: End): string => {
  switch (end._tag) {
    case "Ended":
      return `drained by a ${end.signal} of its own`
    case "Failed":
      return `${end.tag}: ${end.reason}`
    case "Crashed":
      return end.why
  }
}
