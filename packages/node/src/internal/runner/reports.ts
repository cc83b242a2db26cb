/**
 * Observes the runs of a process, and logs what each did once its work is done: with the loggers that the run was started
 * with, so that the line goes where the lines of the run went.
 */
import type { Summary } from "@ergon/core/Outcome"
import type { Observer, Run } from "@ergon/core/Run"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Summaries from "../../Summaries.ts"

export interface Reports {
  readonly observer: Observer
  /** Logs what each run has done so far that has not said it yet: of a process that does not wait for them. */
  readonly rest: () => void
  /** The context of the newest run that has not closed. */
  readonly context: () => Context.Context<never> | undefined
}

interface Open {
  readonly context: Context.Context<never> | undefined
  readonly startedAt: number
  told: boolean
}

type Ended = Exit.Exit<Summary, unknown> | undefined

const endOf = (exit: Ended): "succeeded" | "interrupted" | "failed" | "unfinished" =>
  exit === undefined
    ? "unfinished"
    : Exit.isSuccess(exit)
    ? "succeeded"
    : Cause.hasInterruptsOnly(exit.cause)
    ? "interrupted"
    : "failed"

const annotationsOf = (summary: Summary): Record<string, unknown> => {
  const { duration, reasons, ...counts } = summary
  const counted = Object.entries(counts).filter(([name, count]) => count > 0 || name === "fetched")
  return {
    ...Object.fromEntries(counted),
    ...(Object.keys(reasons).length === 0 ? {} : { reasons }),
    duration_ms: Math.round(Duration.toMillis(duration))
  }
}

const summaryOf = (run: Run, exit: Ended, startedAt: number): Effect.Effect<Summary> =>
  exit !== undefined && Exit.isSuccess(exit)
    ? Effect.succeed(exit.value)
    : Effect.map(run.control.status, ({ summary }) =>
      // A program counts nothing, its time included.
      run.kind === "program" ? { ...summary, duration: Duration.millis(performance.now() - startedAt) } : summary)

const line = (run: Run, exit: Ended, startedAt: number): Effect.Effect<void> =>
  Effect.flatMap(summaryOf(run, exit, startedAt), (summary) => {
    const end = endOf(exit)
    const what = run.kind === "program"
      ? `${run.task}: a program of ${Summaries.duration(summary.duration)}`
      : Summaries.describe(summary, run.task)
    return Effect.annotateLogs(Effect.logInfo(end === "succeeded" ? what : `${what}; ${end}`), {
      task: run.task,
      end,
      ...run.kind === "program"
        ? { duration_ms: Math.round(Duration.toMillis(summary.duration)) }
        : annotationsOf(summary)
    })
  })

const write = (line: Effect.Effect<void>, context: Context.Context<never> | undefined): void =>
  void (context === undefined
    ? Effect.runFork(Effect.provideService(line, Logger.LogToStderr, true))
    : Effect.runForkWith(context)(line))

/** Logs something with the loggers of the newest run that has not closed; where there is none, with the default ones. */
export const log = (reports: Reports | undefined, line: Effect.Effect<void>): void => write(line, reports?.context())

export const make = (observed: Observer, summaries: boolean): Reports => {
  const open = new Map<Run, Open>()
  const tell = (run: Run, exit: Ended): void => {
    const entry = open.get(run)
    if (entry === undefined || entry.told || !summaries) return
    entry.told = true
    write(line(run, exit, entry.startedAt), entry.context)
  }
  return {
    observer: {
      started: (run) => {
        open.set(run, { context: Fiber.getCurrent()?.context, startedAt: performance.now(), told: false })
        observed.started(run)
      },
      finished: (run, exit) => {
        tell(run, exit)
        observed.finished(run, exit)
      },
      closed: (run, exit) => {
        open.delete(run)
        observed.closed(run, exit)
      }
    },
    rest: () => {
      for (const run of open.keys()) tell(run, undefined)
    },
    context: () => [...open.values()].at(-1)?.context
  }
}
