/**
 * What /metrics tells: the runs as they are now, workers included, and after that what the program counts in effect's
 * registry. A name that stands in both is told once, from the runs. Names and labels are what Prometheus makes of the same
 * metrics when they arrive by OTLP, so that one query fits both.
 */
import { attributes, type Instrument, metrics as instruments } from "@ergon/core/Telemetry"
import * as Effect from "effect/Effect"
import { PrometheusMetrics } from "../effectHttp.ts"
import { family, type Labels, type Value, without } from "./exposition.ts"
import { families, type Key, labelName, prometheusName, workerLabel } from "./names.ts"
import { withSeries } from "../workers/series.ts"
import type { Counts } from "./totals.ts"
import type { Seen } from "./view.ts"

const outcomes = ["succeeded", "failed", "requeued", "timeout", "redelivered", "released"] as const

const live = ["inFlight", "buffered", "held", "settling", "resisting", "concurrency"] as const

export interface Told {
  readonly seen: ReadonlyArray<Seen>
  readonly totals: ReadonlyMap<string, Counts>
  readonly ready: boolean
}

const ofTask = (task: string): Labels => ({ [labelName(attributes.task)]: task })
const ofOutcome = (outcome: string): Labels => ({ [labelName(attributes.outcome)]: outcome })
const ofState = (state: "ready" | "delayed"): Labels => ({ [labelName(attributes.state)]: state })

const flag = (value: boolean): number => value ? 1 : 0

const valuesOf = ({ ready, seen, totals }: Told): Readonly<Record<Key, ReadonlyArray<Value>>> => {
  const open = seen.filter(({ entry }) => entry.phase !== "closed")
  const tasks = [...new Set(open.map(({ entry }) => entry.run.task))]
  const each = (value: (runs: ReadonlyArray<Seen>) => number | undefined): ReadonlyArray<Value> =>
    tasks.flatMap((task): ReadonlyArray<Value> => {
      const found = value(open.filter(({ entry }) => entry.run.task === task))
      return found === undefined ? [] : [[ofTask(task), found]]
    })
  const sum = (runs: ReadonlyArray<Seen>, of: (run: Seen) => number): number =>
    runs.reduce((total, run) => total + of(run), 0)
  const counted = (count: keyof Counts): ReadonlyArray<Value> =>
    Array.from(totals, ([task, counts]) => [ofTask(task), counts[count]])
  const now = (field: typeof live[number]): ReadonlyArray<Value> =>
    each((runs) => sum(runs, ({ status }) => status[field]))
  const { system, user } = process.cpuUsage()
  return {
    up: [[{}, 1]],
    ready: [[{}, flag(ready)]],
    healthy: each((runs) => flag(runs.every(({ checked }) => (checked?.liveness.reasons ?? []).length === 0))),
    transactions: Array.from(totals).flatMap(([task, counts]) =>
      outcomes.map((outcome): Value => [{ ...ofTask(task), ...ofOutcome(outcome) }, counts[outcome]])
    ),
    fetched: counted("fetched"),
    retries: counted("retries"),
    deadLetters: counted("deadLettered"),
    discarded: counted("discarded"),
    inFlight: now("inFlight"),
    buffered: now("buffered"),
    held: now("held"),
    settling: now("settling"),
    resisting: now("resisting"),
    concurrency: now("concurrency"),
    backlog: backlogOf(open),
    workers: each((runs) =>
      runs.every(({ workers }) => workers.length === 0)
        ? undefined
        : sum(runs, ({ workers }) => workers.filter(({ phase }) => phase === "running").length)
    ),
    workerRestarts: restartsOf(open),
    startTime: [[{}, (performance.timeOrigin) / 1000]],
    memory: [[{}, process.memoryUsage.rss()]],
    cpu: [[{}, (user + system) / 1e6]]
  }
}

/** One source of a task, whichever of its runs counts it. */
const backlogOf = (open: ReadonlyArray<Seen>): ReadonlyArray<Value> => {
  const counts = new Map(
    open.flatMap(({ checked, entry }) => checked?.count === undefined ? [] : [[entry.run.task, checked.count] as const])
  )
  return Array.from(counts).flatMap(([task, { delayed, ready }]): ReadonlyArray<Value> => [
    [{ ...ofTask(task), ...ofState("ready") }, ready],
    [{ ...ofTask(task), ...ofState("delayed") }, delayed]
  ])
}

const restartsOf = (open: ReadonlyArray<Seen>): ReadonlyArray<Value> => {
  const restarts = new Map<string, Value>()
  for (const { entry, workers } of open) {
    for (const { id, restarts: count } of workers) {
      const labels: Labels = { ...ofTask(entry.run.task), [workerLabel]: String(id) }
      const key = JSON.stringify(labels)
      restarts.set(key, [labels, (restarts.get(key)?.[1] ?? 0) + count])
    }
  }
  return [...restarts.values()]
}

const ofCore: ReadonlyMap<string, Instrument> = new Map(Object.values(instruments).map((one) => [one.name, one]))

const told: ReadonlySet<string> = new Set(Object.values(families).map(({ name }) => name))

/** What the workers of all runs have counted, also of those that are over. */
const seriesOf = ({ seen }: Told) => seen.flatMap(({ workers }) => workers.flatMap(({ series }) => series))

export const metrics = (given: Told): Effect.Effect<string> =>
  Effect.map(
    PrometheusMetrics.format({
      metricNameMapper: (name) => {
        const instrument = ofCore.get(name)
        return instrument === undefined ? name : prometheusName(instrument)
      }
    }).pipe(withSeries(seriesOf(given))),
    (registry) => {
      const values = valuesOf(given)
      const keys = Object.keys(families) as Array<Key>
      const lines = [
        ...keys.flatMap((key) => family(families[key], values[key])),
        ...without(registry, told)
      ]
      return `${lines.join("\n")}\n`
    }
  )
