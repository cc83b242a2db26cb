/** What the endpoint sees of the process: its runs as they are now, and whether they are ready. */
import type { Status } from "@ergon/core/Control"
import type { Run, WorkerOfRun } from "@ergon/core/Run"
import * as Effect from "effect/Effect"
import type { Entry } from "../../Runs.ts"
import type { Checked } from "../supervision/checks.ts"

export interface Seen {
  readonly entry: Entry
  readonly status: Status
  readonly workers: ReadonlyArray<WorkerOfRun>
  /** Of a run whose work goes on. */
  readonly checked: Checked | undefined
}

export const see = (
  entries: ReadonlyArray<Entry>,
  checked: ReadonlyArray<Checked>
): Effect.Effect<ReadonlyArray<Seen>> => {
  const known = new Map<Run, Checked>(checked.map((one) => [one.entry.run, one]))
  return Effect.forEach(entries, (entry) =>
    Effect.gen(function*() {
      const status = yield* entry.run.control.status
      const workers = yield* entry.run.workers
      return { entry, status, workers, checked: known.get(entry.run) }
    }))
}

const isWorking = ({ entry, status, workers }: Seen): boolean =>
  workers.length > 0
    ? workers.some(({ phase }) => phase === "running")
    : entry.run.kind === "program" || status.phase === "running"

/** Why the process is not ready; nothing when it is. */
export const unready = (seen: ReadonlyArray<Seen>, ending: boolean): ReadonlyArray<string> => {
  if (ending) return ["the process is asked to end"]
  const running = seen.filter(({ entry }) => entry.phase === "running")
  if (running.length === 0) return ["no task runs"]
  return running.filter((one) => !isWorking(one)).map(({ entry: { run }, workers }) =>
    workers.length > 0 ? `task "${run.task}": none of its workers runs` : `task "${run.task}" has not started its work`
  )
}

/** Why the process is unhealthy; nothing when it is not. */
export const unhealthy = (checked: ReadonlyArray<Checked>) =>
  checked.flatMap(({ entry, liveness }) => liveness.reasons.map((reason) => ({ task: entry.run.task, ...reason })))
