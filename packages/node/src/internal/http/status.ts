/** What /status tells: how the process and its tasks are. No payload and no secret is in it. */
import * as Policy from "@ergon/core/Policy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Status } from "../../Health.ts"
import type { Rates } from "./rates.ts"
import type { Seen } from "./view.ts"

type TaskStatus = Status["tasks"][number]

const mostClosed = 20

const seconds = (millis: number): number => Math.round(millis) / 1000

const summaryOf = ({ status: { summary } }: Seen): TaskStatus["summary"] => ({
  ...summary,
  duration: seconds(Duration.toMillis(summary.duration))
})

const numbersOf = ({ buffered, concurrency, held, inFlight, resisting, settling }: Seen["status"]) => ({
  concurrency,
  inFlight,
  buffered,
  held,
  settling,
  resisting
})

const connectorsOf = ({ checked, entry }: Seen): Effect.Effect<TaskStatus["connectors"]> =>
  Effect.map(entry.run.connectors, (connectors) =>
    connectors.map(({ id, role }) => {
      const result = checked?.connectors.find((one) => one.id === id && one.role === role)?.result
      return {
        id,
        role,
        health: result === undefined ? "unknown" : result._tag === "Healthy" ? "healthy" : "unhealthy",
        reason: result?._tag === "Failed"
          ? result.message
          : result?._tag === "Unanswered"
          ? `no answer for ${seconds(result.after)} s`
          : null
      }
    }))

const taskOf = (one: Seen, rates: Rates): Effect.Effect<TaskStatus> =>
  Effect.map(connectorsOf(one), (connectors) => {
    const { checked, entry: { phase, run, startedAt }, status, workers } = one
    return {
      task: run.task,
      kind: run.kind,
      phase: phase === "running" && status.phase !== "idle" ? status.phase : phase,
      startedAt: new Date(startedAt).toISOString(),
      ...numbersOf(status),
      rates,
      summary: summaryOf(one),
      connectors,
      backlog: checked?.count === undefined ? null : { ready: checked.count.ready, delayed: checked.count.delayed },
      liveness: {
        healthy: (checked?.liveness.reasons ?? []).length === 0,
        unhealthyFor: seconds(checked?.liveness.unhealthyFor ?? 0),
        reasons: checked?.liveness.reasons ?? []
      },
      workers: workers.map(({ id, phase, pid, restarts, status }) => ({
        id,
        pid: pid ?? null,
        phase,
        restarts,
        ...numbersOf(status)
      })),
      policy: Policy.encode(run.policy)
    }
  })

export interface Told {
  readonly seen: ReadonlyArray<Seen>
  readonly unready: ReadonlyArray<string>
  readonly live: boolean
  readonly rates: (task: string) => Rates
}

export const status = ({ live, rates, seen, unready }: Told): Effect.Effect<Status> => {
  const open = seen.filter(({ entry }) => entry.phase !== "closed")
  const closed = seen.filter(({ entry }) => entry.phase === "closed").slice(-mostClosed)
  return Effect.map(
    Effect.forEach([...open, ...closed], (one) => taskOf(one, rates(one.entry.run.task))),
    (tasks) => ({
      process: {
        pid: process.pid,
        node: process.version,
        startedAt: new Date(performance.timeOrigin).toISOString(),
        uptime: seconds(performance.now()),
        memory: process.memoryUsage.rss()
      },
      live,
      ready: unready.length === 0,
      notReady: unready,
      tasks
    })
  )
}
