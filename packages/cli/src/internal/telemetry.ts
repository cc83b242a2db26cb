/**
 * Telemetry is built in: every run of a task has it, when the main file or the environment asks for it. Until then nothing
 * of it is loaded.
 */
import * as Run from "@ergon/core/Run"
import type { Input } from "@ergon/telemetry/Observability"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Environment } from "./config/provider.ts"
import { UsageError, usageError } from "./usageError.ts"

/** What the main file says: what the environment is laid over, or that there is to be none. */
export type Telemetry = Input | false | undefined

const ofLogs = ["ERGON_LOG_FORMAT", "ERGON_LOG_FILE"]
const ofExecution = "ERGON_EXECUTION"

/** The variables that belong to no task. */
export const variableNames: ReadonlyArray<string> = [...ofLogs, ofExecution]

const mayAsk = (environment: Environment): boolean =>
  Object.entries(environment).some(([name, value]) =>
    (name.startsWith("OTEL_") || ofLogs.includes(name)) && (value ?? "").trim() !== ""
  )

/** All tasks that run in this process are one execution. A worker is told by its host which one it is part of. */
const execution = Layer.effect(
  Run.Execution,
  Effect.gen(function*() {
    const node = yield* (yield* ConfigProvider.ConfigProvider).load([ofExecution])
    const given = node?.value?.trim() ?? ""
    return { execution: given === "" ? crypto.randomUUID() : given }
  })
)

const built = (input: Input): Layer.Layer<never, UsageError> =>
  Layer.unwrap(Effect.map(
    Effect.promise(() => import("@ergon/telemetry/Observability")),
    ({ layerRuns }) =>
      Layer.merge(layerRuns(input), execution).pipe(
        Layer.catchTag("ObservabilityError", ({ problems }) => Layer.effectDiscard(Effect.fail(usageError(problems)))),
        Layer.catchTag(
          "SourceError",
          ({ message }) => Layer.effectDiscard(Effect.fail(new UsageError({ message })))
        )
      )
  ))

/** Fails with everything that is wrong in the variables, before any run. */
export const layer = (telemetry: Telemetry, environment: Environment): Layer.Layer<never, UsageError> =>
  telemetry === false || (telemetry === undefined && !mayAsk(environment)) ? Layer.empty : built(telemetry ?? {})
