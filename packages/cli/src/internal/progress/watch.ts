/**
 * Looks at all runs again and again, and asks their sources what they still hold: each at most once per second, and never
 * while it has not answered yet.
 */
import type { Status } from "@ergon/core/Control"
import type { Run } from "@ergon/core/Run"
import type { Entry, Runs } from "@ergon/node/Runs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { doneOf, type Moment, rateOf, type Sample, sampled } from "./measure.ts"

/** What a source held, and what had been fetched from it by then. */
interface Held {
  readonly waiting: number
  readonly known: number
}

interface Seen {
  samples: ReadonlyArray<Sample>
  held: Held | undefined
  askedAt: number
  isAsking: boolean
  drainingSince: number | undefined
}

export interface Watch {
  /** All runs as they are now. */
  readonly moments: () => ReadonlyArray<Moment>
  /** Stops asking. */
  readonly close: () => void
}

const asking = 1000

const heldBy = (run: Run): Effect.Effect<Held | undefined> =>
  Effect.gen(function*() {
    const source = (yield* run.connectors).find(({ count, role }) => role === "source" && count !== undefined)
    if (source?.count === undefined) return undefined
    const { delayed, ready } = yield* source.count
    const { fetched } = yield* run.control.status
    // What is in flight there was fetched here, or by other consumers.
    return { waiting: ready + delayed, known: fetched + ready + delayed }
  }).pipe(Effect.catchCause(() => Effect.succeed(undefined)))

const phaseOf = (entry: Entry, status: Status): Moment["phase"] => {
  if (entry.phase === "closing") return "closing"
  if (entry.phase === "closed") return "ended"
  if (status.phase !== "idle") return status.phase
  return entry.run.kind === "program" ? "running" : "connecting"
}

/** `now`: milliseconds since 1970. */
export const make = (runs: Runs["Service"], now: () => number = Date.now): Watch => {
  const seen = new Map<Run, Seen>()
  const controller = new AbortController()

  const ask = (run: Run, state: Seen): void => {
    if (state.isAsking || now() - state.askedAt < asking) return
    state.isAsking = true
    state.askedAt = now()
    Effect.runCallback(heldBy(run), {
      signal: controller.signal,
      onExit: (exit) => {
        state.isAsking = false
        if (exit._tag === "Success") state.held = exit.value
      }
    })
  }

  const look = (entry: Entry): Moment => {
    const { run } = entry
    const status = Effect.runSync(run.control.status)
    const workers = Effect.runSync(run.workers)
    const done = doneOf(status)
    const at = now()
    const before = seen.get(run) ??
      { samples: [], held: undefined, askedAt: -Infinity, isAsking: false, drainingSince: undefined }
    seen.set(run, before)
    before.samples = sampled(before.samples, { at, done })
    if (status.phase === "draining") before.drainingSince ??= at
    if (entry.phase === "running" && status.phase === "running") ask(run, before)
    const grace = Duration.toMillis(run.policy.shutdown.grace)
    return {
      task: run.task,
      kind: run.kind,
      phase: phaseOf(entry, status),
      elapsed: at - entry.startedAt,
      done,
      rate: rateOf(before.samples),
      inFlight: status.inFlight,
      succeeded: status.summary.succeeded,
      failed: status.summary.failed + status.summary.timeout,
      retries: status.summary.retries,
      waiting: before.held?.waiting,
      known: before.held?.known,
      limit: run.policy.loop.limit,
      streaming: run.policy.loop.streaming,
      graceLeft: before.drainingSince === undefined ? undefined : Math.max(0, grace - (at - before.drainingSince)),
      workers: workers.length === 0
        ? undefined
        : {
          running: workers.filter(({ phase }) => phase === "running" || phase === "draining").length,
          all: workers.length
        }
    }
  }

  return {
    moments: () => Effect.runSync(runs.all).map(look),
    close: () => controller.abort()
  }
}
