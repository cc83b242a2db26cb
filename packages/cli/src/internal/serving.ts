/**
 * What the main file of a project is in a worker: the command line stays out of it.
 */
import * as ErgonRuntime from "@ergon/node/ErgonRuntime"
import * as Workers from "@ergon/node/Workers"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { provider } from "./config/provider.ts"
import type { AnyTask } from "./project.ts"
import { layer, type Telemetry } from "./telemetry.ts"

export const serve = (tasks: ReadonlyArray<AnyTask>, telemetry: Telemetry): void =>
  Workers.serve(tasks).pipe(
    Effect.provide(layer(telemetry, process.env)),
    Effect.tapError(({ message }) => Console.error(`ergon: ${message}`)),
    Effect.provideService(ConfigProvider.ConfigProvider, provider(process.env)),
    ErgonRuntime.runMain
  )
