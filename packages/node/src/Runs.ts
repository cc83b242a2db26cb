/**
 * The runs of a process, for whoever looks after them: the runner, its supervisor, its endpoint, a progress display.
 *
 * @since 0.1.0
 */
import { Run } from "@ergon/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

/**
 * A run and where it stands.
 *
 * **Details**
 * - `phase`: `running` until all of its work is settled or it has failed, `closing` while its own Layers close, and
 *   `closed` after that.
 * - `startedAt`: milliseconds since 1970.
 * - `exit`: what its work came to, from `closing` on; once it is closed, what all of it came to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly run: Run.Run
  readonly phase: "running" | "closing" | "closed"
  readonly startedAt: number
  readonly exit: Exit.Exit<unknown, unknown> | undefined
}

/**
 * Every run that has begun below this service, in the order of their starts. At most 1,000 that are closed are kept, the
 * newest ones.
 *
 * @category services
 * @since 0.1.0
 */
export class Runs extends Context.Service<Runs, {
  readonly all: Effect.Effect<ReadonlyArray<Entry>>
  /** Calls `listener` after every change, until the function that it answers with is called. */
  readonly subscribe: (listener: () => void) => () => void
}>()("@ergon/node/Runs") {}

const mostClosed = 1000

const make = Effect.sync(() => {
  let entries: ReadonlyArray<Entry> = []
  const listeners = new Set<() => void>()
  const changed = (next: ReadonlyArray<Entry>): void => {
    entries = next
    for (const listener of listeners) listener()
  }
  const patched = (run: Run.Run, patch: Partial<Entry>): ReadonlyArray<Entry> =>
    entries.map((entry) => entry.run === run ? { ...entry, ...patch } : entry)
  const observer: Run.Observer = {
    started: (run) => changed([...entries, { run, phase: "running", startedAt: Date.now(), exit: undefined }]),
    finished: (run, exit) => changed(patched(run, { phase: "closing", exit })),
    closed: (run, exit) => {
      const next = patched(run, { phase: "closed", exit })
      const closed = next.filter(({ phase }) => phase === "closed")
      changed(closed.length > mostClosed ? next.filter((entry) => entry !== closed[0]) : next)
    }
  }
  const runs: Runs["Service"] = {
    all: Effect.sync(() => entries),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }
  return Context.make(Runs, runs).pipe(Context.add(Run.Observer, observer))
})

/**
 * Observes the runs below it.
 *
 * **Example** (What has run)
 * ```ts import.meta.vitest
 * import { Task } from "@ergon/core"
 * import { Runs } from "@ergon/node"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Task.run(Task.make("nightly", Effect.void))
 *   return (yield* (yield* Runs.Runs).all).map(({ phase, run }) => `${run.task} is ${phase}`)
 * })
 * await Effect.runPromise(Effect.provide(program, Runs.layer)) // => ["nightly is closed"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Runs> = Layer.effectContext(make)
