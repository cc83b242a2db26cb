/**
 * Supervises the runs of a process.
 *
 *     resting -> watching -> ending       resting: no run goes on that is judged here
 *        ^          |                     ending: a run was unhealthy for `unhealthyGrace`, or the event loop was blocked
 *        +----------+                     for so long; the process drains and exits with 1
 *
 * Every `supervision.check` (the smallest of the runs) the main thread looks at the runs; as often, and every second at
 * least, it tells the watchdog that it is there and how long it may be silent. What follows when it stays silent is the watchdog's: see watch.ts.
 *
 * Worst cases, with the default policy in brackets. From a blocked event loop to the kill: twice `check`,
 * `unhealthyGrace`, `grace` and `close`, and 2 seconds (92 s). From the first unhealthy check to the drain:
 * `unhealthyGrace`, one `check`, and one more when a connector does not answer (50 s).
 */
import * as Liveness from "@ergon/core/Liveness"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { type Entry, Runs } from "../../Runs.ts"
import { Shutdown } from "../runner/shutdown.ts"
import { State } from "./beats.ts"
import { type Checked, Checks } from "./checks.ts"
import * as Inspected from "./inspected.ts"
import * as Thread from "./thread.ts"

// The runner's own bound comes first: it logs why, and exits with the right code.
const slack = 1000
// Between two beats, in milliseconds: a run that begins meanwhile may ask for more checks.
const longestRest = 1000

const millis = Duration.toMillis

/** Whose own work is in this process. Closing may block as well. */
const isWatched = ({ phase, run }: Entry): boolean => phase !== "closed" && Effect.runSync(run.workers).length === 0

/** How long the watchdog has to hear nothing before it acts. */
export const allowance = (checked: ReadonlyArray<Pick<Checked, "bounds" | "liveness">>): number =>
  Math.min(...checked.map(({ bounds, liveness }) =>
    Liveness.isHealthy(liveness)
      ? Math.max(0, bounds.startGrace - liveness.age) + bounds.blocked + bounds.unhealthyGrace
      : Math.max(bounds.blocked, bounds.unhealthyGrace - liveness.unhealthyFor)
  ))

const reasonsOf = ({ entry, liveness }: Checked): string =>
  `task "${entry.run.task}": ${liveness.reasons.map(({ message }) => message).join("; ")}`

export const superviseRuns: Effect.Effect<void, never, Runs | Shutdown | Checks | Scope.Scope> = Effect.gen(
  function*() {
    const runs = yield* Runs
    const shutdown = yield* Shutdown
    const checks = yield* Checks
    const inspected = yield* Inspected.probe
    const log = Effect.runForkWith(yield* Effect.context<never>())
    const begun = yield* Deferred.make<void>()
    let thread: Thread.Thread | undefined
    let last: ReadonlyArray<Checked> = []

    const watched = (): ReadonlyArray<Entry> => Effect.runSync(runs.all).filter(isWatched)

    /** Tells the watchdog that the event loop turns, and what to expect; answers with the time between two checks. */
    const beat = ({ beats }: Thread.Thread): number => {
      const entries = watched()
      const bounds = entries.map(({ run }) => Liveness.bounds(run.policy))
      const check = Math.min(...bounds.map((one) => one.check))
      if (entries.length > 0) {
        const known = new Map(last.map((checked) => [checked.entry.run, checked]))
        const allowed = allowance(
          entries.map(({ run, startedAt }, index) =>
            known.get(run) ?? { bounds: bounds[index]!, liveness: Liveness.start(startedAt) }
          )
        )
        const ending = entries.map(({ run: { policy: { shutdown } } }) =>
          millis(shutdown.grace) + millis(shutdown.close)
        )
        beats.set("tick", Math.max(10, Math.min(1000, Math.floor(check / 4))))
        beats.set("within", slack + Math.max(...ending))
        // Who stops at a breakpoint is not stuck.
        beats.set("allowed", inspected() ? -1 : allowed)
      } else beats.set("allowed", -1)
      beats.add("beats", 1)
      return check
    }

    const unsubscribe = runs.subscribe(() => {
      if (thread !== undefined) return void beat(thread)
      if (watched().length === 0) return
      // At once, and from within the run: its first transaction may block already.
      thread = Thread.start((error) =>
        void log(
          Effect.logWarning("the event loop is not watched from outside: the watchdog's thread does not run", error)
        )
      )
      beat(thread)
      Deferred.doneUnsafe(begun, Exit.void)
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        unsubscribe()
        thread?.end()
      })
    )

    const unhealthy = new Set<Entry["run"]>()
    const tell = (checked: Checked): Effect.Effect<void> => {
      const { entry: { run }, liveness } = checked
      if (Liveness.isHealthy(liveness) !== unhealthy.has(run)) return Effect.void
      if (unhealthy.delete(run)) return Effect.logInfo(`task "${run.task}" is healthy again`)
      unhealthy.add(run)
      return Effect.logWarning(`unhealthy: ${reasonsOf(checked)}`)
    }
    const end = ({ beats }: Thread.Thread, why: string, reasons: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (beats.get("state") !== State.running) return Effect.void
        beats.enter(State.ending)
        return Effect.andThen(Effect.logError(`unhealthy for too long: ${reasons}`), shutdown.drain(1, why))
      })
    const look = Effect.fnUntraced(function*(thread: Thread.Thread) {
      last = (yield* checks.check).filter(({ entry }) => isWatched(entry))
      for (const run of unhealthy) {
        if (!last.some(({ entry }) => entry.run === run)) unhealthy.delete(run)
      }
      yield* Effect.forEach(last, tell, { discard: true })
      const ill = last.find(({ bounds, liveness }) => Liveness.asksForEnd(bounds, liveness))
      if (ill !== undefined) yield* end(thread, `task "${ill.entry.run.task}" is unhealthy`, reasonsOf(ill))
    })

    const watch = Effect.gen(function*() {
      yield* Deferred.await(begun)
      if (thread === undefined) return
      yield* checks.measure(thread.awake)
      let looking: Fiber.Fiber<void> | undefined
      let lookedAt = performance.now()
      for (;;) {
        const check = beat(thread)
        yield* Effect.sleep(Math.min(check, longestRest))
        if (thread.beats.get("asked") === 1) {
          const silent = thread.beats.get("silent")
          const bound = Math.min(...watched().map(({ run }) => Liveness.bounds(run.policy).blocked))
          yield* end(thread, "the event loop was blocked", Liveness.loopBlocked(silent, bound).message)
        }
        const soon = performance.now() - lookedAt < check - 1
        if (soon || (looking !== undefined && looking.pollUnsafe() === undefined)) continue
        lookedAt = performance.now()
        looking = yield* Effect.forkScoped(look(thread))
      }
    })
    yield* Effect.forkScoped(watch)
  }
)
