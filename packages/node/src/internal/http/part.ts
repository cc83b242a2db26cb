/**
 * The endpoint, as a part of the runner and as a Layer. Imported only by who asks for it: it brings a server along. What
 * runs below it keeps durations, since somebody may read them.
 */
import { Histograms } from "@ergon/core/Telemetry"
import * as Layer from "effect/Layer"
import type { Options } from "../../Health.ts"
import type { HealthError } from "../../HealthError.ts"
import type { Runs } from "../../Runs.ts"
import * as Checks from "../supervision/checks.ts"
import { serveHttp } from "./serve.ts"

export const part = (options: Options): Layer.Layer<never, HealthError, Runs> =>
  Layer.merge(
    Layer.effectDiscard(serveHttp(options)).pipe(Layer.provide(Checks.layer)),
    Layer.succeed(Histograms, true)
  )
