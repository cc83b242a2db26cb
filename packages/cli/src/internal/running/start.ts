/**
 * Runs tasks side by side: in this process, or each in workers of its own.
 */
import * as Runs from "@ergon/node/Runs"
import * as Task from "@ergon/core/Task"
import * as Workers from "@ergon/node/Workers"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { Adjusted } from "../config/policies.ts"
import type { Settings } from "../config/settings.ts"
import type { Program } from "../invocation.ts"
import { printJson } from "../output.ts"
import * as progress from "../progress/progress.ts"
import { withTelemetry } from "../project.ts"
import { runToJson } from "./json.ts"

export interface Start {
  readonly tasks: ReadonlyArray<Adjusted>
  readonly settings: Settings
  readonly progress: boolean
  readonly quiet: boolean
  readonly json: boolean
}

const one = ({ overlay, task }: Adjusted, { workerKind, workers }: Settings): Effect.Effect<unknown, unknown> =>
  workers === undefined
    ? Task.run(task)
    : Workers.run(task, { count: workers, entry: process.argv[1] ?? "", kind: workerKind, policy: overlay })

/** The first one that fails drains the others: whoever supervises the process sees all of it start again. */
const all = ({ settings, tasks }: Start): Effect.Effect<void, unknown> =>
  Effect.forEach(tasks, (task) => one(task, settings), { concurrency: "unbounded", discard: true })

const summaries = Effect.gen(function*() {
  const entries = yield* (yield* Runs.Runs).all
  yield* printJson(yield* Effect.forEach(entries, runToJson))
})

export const start = (options: Start): Program => {
  const runs = options.json ? Effect.ensuring(all(options), summaries) : all(options)
  const told = withTelemetry(runs)
  const shown = options.progress ? progress.around(told) : told
  return {
    effect: options.quiet
      ? Effect.updateService(shown, References.MinimumLogLevel, (level) => level === "Info" ? "Warn" : level)
      : shown,
    options: { http: options.settings.http, supervision: true, summary: !options.quiet }
  }
}
