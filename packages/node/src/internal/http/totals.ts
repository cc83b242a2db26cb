/**
 * What the tasks of a process have done, all runs of a name together. Counts never go back: those of a run that is
 * forgotten stay.
 */
import type { Summary } from "@ergon/core/Outcome"
import * as Effect from "effect/Effect"
import type { Entry, Runs } from "../../Runs.ts"

const counts = [
  "fetched",
  "succeeded",
  "failed",
  "requeued",
  "timeout",
  "redelivered",
  "released",
  "deadLettered",
  "discarded",
  "retries"
] as const

export type Counts = Readonly<Record<typeof counts[number], number>>

const none = Object.fromEntries(counts.map((count) => [count, 0])) as Counts
const plus = (a: Counts, b: Counts): Counts =>
  Object.fromEntries(counts.map((count) => [count, a[count] + b[count]])) as Counts

const summaryOf = ({ run }: Entry): Summary => Effect.runSync(run.control.status).summary

export interface Totals {
  readonly byTask: () => ReadonlyMap<string, Counts>
  readonly end: () => void
}

export const make = (runs: Runs["Service"]): Totals => {
  const gone = new Map<string, Counts>()
  let entries = Effect.runSync(runs.all)
  const add = (to: Map<string, Counts>, entry: Entry): void => {
    const { task } = entry.run
    to.set(task, plus(to.get(task) ?? none, summaryOf(entry)))
  }
  const end = runs.subscribe(() => {
    const next = Effect.runSync(runs.all)
    const kept = new Set(next.map(({ run }) => run))
    for (const entry of entries) {
      if (!kept.has(entry.run)) add(gone, entry)
    }
    entries = next
  })
  return {
    byTask: () => {
      const all = new Map(gone)
      for (const entry of entries) add(all, entry)
      return all
    },
    end
  }
}
