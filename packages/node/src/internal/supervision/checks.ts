/**
 * The checks of the runs of a process: one place for all who want to know how the runs are, so that connectors are asked
 * once and not by each of them. Worst case of a check: the largest `supervision.check` of the runs.
 */
import type { Connector } from "@ergon/core"
import * as Liveness from "@ergon/core/Liveness"
import type { Run } from "@ergon/core/Run"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { type Entry, Runs } from "../../Runs.ts"
import { check as ask } from "../workers/checks.ts"

/** How a run is, as of its last check. A run in workers is judged by its host: its own liveness says nothing. */
export interface Checked {
  readonly entry: Entry
  readonly bounds: Liveness.Bounds
  readonly liveness: Liveness.Liveness
  readonly connectors: ReadonlyArray<Liveness.ConnectorCheck>
  readonly count: Connector.Count | undefined
}

export class Checks extends Context.Service<Checks, {
  /** Checks all runs whose work goes on. */
  readonly check: Effect.Effect<ReadonlyArray<Checked>>
  /** What was found last, looked at anew when it is older than a second; waits at most half a second for that. */
  readonly latest: Effect.Effect<ReadonlyArray<Checked>>
  /** Who knows how long the process has been awake, in milliseconds; `undefined` while nobody does. */
  readonly measure: (awake: () => number | undefined) => Effect.Effect<void>
}>()("@ergon/node/Checks") {}

const fresh = 1000
const patience = 500

interface Known extends Omit<Checked, "entry"> {
  readonly awake: number | undefined
}

const make = Effect.gen(function*() {
  const runs = yield* Runs
  const clock = yield* Clock.Clock
  const scope = yield* Effect.scope
  const known = new Map<Run, Known>()
  let awake: () => number | undefined = () => undefined
  let checkedAt = -Infinity
  let running: Fiber.Fiber<void> | undefined

  const start = (entry: Entry): Known => ({
    bounds: Liveness.bounds(entry.run.policy),
    liveness: Liveness.start(entry.startedAt),
    connectors: [],
    count: undefined,
    awake: awake()
  })
  const working = Effect.map(runs.all, (all) => {
    const entries = all.filter(({ phase }) => phase === "running")
    const current = new Set(entries.map(({ run }) => run))
    for (const run of known.keys()) {
      if (!current.has(run)) known.delete(run)
    }
    for (const entry of entries) {
      if (!known.has(entry.run)) known.set(entry.run, start(entry))
    }
    return entries
  })
  const found = Effect.map(working, (entries) => entries.map((entry): Checked => ({ entry, ...known.get(entry.run)! })))

  const checkOne = ({ run }: Entry): Effect.Effect<void> =>
    Effect.gen(function*() {
      const before = known.get(run)!
      const { bounds } = before
      const now = awake()
      // The number wraps around.
      const passed = now === undefined || before.awake === undefined ? undefined : (now - before.awake) | 0
      const judged = Effect.gen(function*() {
        const { connectors, count } = yield* ask(yield* run.connectors, run.policy.supervision.check)
        const status = yield* run.control.status
        const at = clock.currentTimeMillisUnsafe()
        const liveness = (yield* run.workers).length > 0
          ? Liveness.start(at)
          : Liveness.check(bounds, before.liveness, { at, passed, status, connectors, count })
        return { bounds, liveness, connectors, count: count?._tag === "Counted" ? count : undefined, awake: now }
      })
      const failed = (cause: Cause.Cause<never>): Known => ({
        ...before,
        liveness: Liveness.checkFailed(bounds, before.liveness, {
          at: clock.currentTimeMillisUnsafe(),
          passed,
          reason: Liveness.checkFailedReason(Cause.pretty(cause))
        }),
        awake: now
      })
      const next = yield* Effect.catchCause(judged, (cause) => Effect.succeed(failed(cause)))
      if (known.has(run)) known.set(run, next)
    })
  const checkAll = Effect.flatMap(
    working,
    (entries) => Effect.forEach(entries, checkOne, { concurrency: "unbounded", discard: true })
  ).pipe(
    Effect.ensuring(Effect.sync(() => {
      running = undefined
      checkedAt = clock.currentTimeMillisUnsafe()
    }))
  )
  const begin = Effect.suspend(() =>
    running === undefined
      ? Effect.map(Effect.forkIn(checkAll, scope), (fiber) => {
        if (fiber.pollUnsafe() === undefined) running = fiber
        return fiber
      })
      : Effect.succeed(running)
  )
  return Checks.of({
    check: Effect.andThen(Effect.flatMap(begin, Fiber.await), found),
    latest: Effect.suspend(() =>
      clock.currentTimeMillisUnsafe() - checkedAt < fresh
        ? found
        : Effect.andThen(Effect.timeoutOption(Effect.flatMap(begin, Fiber.await), patience), found)
    ),
    measure: (given) =>
      Effect.sync(() => {
        awake = given
      })
  })
})

export const layer: Layer.Layer<Checks, never, Runs> = Layer.effect(Checks, make)
