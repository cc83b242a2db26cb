/**
 * The most that the end of a process takes. Watches the runs, and what is being closed while none of them runs.
 *
 *     open -> closing -> out        no request: nothing runs, and Layers or the scope of a run are being closed; after
 *       |  <-    |                  `shutdown.close` the process is forced out. What closes in time leads back: a program
 *       |        |                  that goes on after its runs stays
 *       +--------+--> ending -> out    after a signal: the process is forced out at the earliest of
 *                                      - `grace` + `close` after the first request,
 *                                      - `close` after the last run has finished,
 *                                      - `close` after the second signal
 *
 * `grace` and `close` are the largest of the policies: of the runs that are running at the first request, and of all runs.
 * Where no run has begun yet, they are the defaults.
 */
import * as Policy from "@ergon/core/Policy"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import type { Entry } from "../../Runs.ts"

export interface BoundOptions {
  readonly entries: () => ReadonlyArray<Entry>
  /** What is being closed, as `Closing.exits` says. */
  readonly closing: () => ReadonlyArray<Exit.Exit<unknown, unknown>>
  /** Half of the time is over; in milliseconds. */
  readonly slow: (after: number, atMost: number) => void
  /** Ends the process; in milliseconds. Without a request, what closes was closed with `exits`. */
  readonly force: (after: number, exits: ReadonlyArray<Exit.Exit<unknown, unknown>>) => void
}

export interface Bound {
  /** The runs have changed. */
  readonly changed: () => void
  /** The process is asked to end. */
  readonly requested: () => void
  /** What runs is interrupted. */
  readonly stopping: () => void
  /** The main fiber has ended. */
  readonly ended: () => void
}

type Field = "grace" | "close"

const largest = (entries: ReadonlyArray<Entry>, field: Field): number =>
  Math.max(...entries.map(({ run }) => Duration.toMillis(run.policy.shutdown[field])))

const byDefault = (field: Field): number => Duration.toMillis(Policy.defaults.shutdown[field])

export const make = (options: BoundOptions): Bound => {
  let poll: NodeJS.Timeout | undefined
  let slow: NodeJS.Timeout | undefined
  let out: NodeJS.Timeout | undefined
  let requestedAt: number | undefined
  let finished = false
  // When the process is forced out; after a request.
  let deadline = Infinity
  // Since when something has been closing; without one.
  let since: number | undefined
  let warned = false

  const now = (): number => performance.now()
  const runs = (): boolean => options.entries().some(({ phase }) => phase === "running")
  const close = (): number => {
    const entries = options.entries()
    return entries.length === 0 ? byDefault("close") : largest(entries, "close")
  }
  const grace = (): number => {
    const entries = options.entries()
    const running = entries.filter(({ phase }) => phase === "running")
    return entries.length === 0 ? byDefault("grace") : running.length === 0 ? 0 : largest(running, "grace")
  }

  const noLaterThan = (at: number): void => {
    const from = requestedAt
    if (from === undefined || at >= deadline) return
    deadline = at
    clearTimeout(out)
    out = setTimeout(() => options.force(at - from, []), at - now())
  }
  const warn = (after: number): void => {
    if (!warned) options.slow(after, close())
    warned = true
  }
  const finish = (): void => {
    if (finished) return
    finished = true
    const [at, time] = [now(), close()]
    noLaterThan(at + time)
    slow = setTimeout(() => warn(now() - at), time / 2)
  }

  const look = (): void => {
    const exits = options.closing()
    if (exits.length === 0) {
      since = undefined
      warned = false
      return
    }
    since ??= now()
    const [after, time] = [now() - since, close()]
    if (after >= time) options.force(time, exits)
    else if (after >= time / 2) warn(after)
  }
  const watch = (): void => {
    clearInterval(poll)
    poll = undefined
    since = undefined
    if (requestedAt !== undefined || runs()) return
    // A twentieth of the time is soon enough, and costs nothing while a program goes on without runs.
    poll = setInterval(look, Math.min(500, Math.max(20, close() / 20)))
  }

  return {
    changed: () => {
      if (requestedAt === undefined) watch()
      else if (!runs()) finish()
    },
    requested: () => {
      if (requestedAt !== undefined) return
      requestedAt = now()
      const begun = options.entries().length > 0
      noLaterThan(requestedAt + grace() + close())
      clearInterval(poll)
      if (begun && !runs()) finish()
    },
    stopping: () => noLaterThan(now() + close()),
    ended: () => {
      clearInterval(poll)
      clearTimeout(slow)
      clearTimeout(out)
    }
  }
}
