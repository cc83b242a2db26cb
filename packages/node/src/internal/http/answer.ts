/** What is answered to a request: a pure table of routes over what the process knows. */
import * as Effect from "effect/Effect"
import type { Runs } from "../../Runs.ts"
import type { Shutdown } from "../runner/shutdown.ts"
import type { Checks } from "../supervision/checks.ts"
import { metrics } from "./metrics.ts"
import type { Sampler } from "./rates.ts"
import { status } from "./status.ts"
import type { Totals } from "./totals.ts"
import { see, unhealthy, unready } from "./view.ts"

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly allow?: string
}

export interface Sources {
  readonly runs: Runs["Service"]
  readonly checks: Checks["Service"]
  /** Nobody ends a process that is not under `ErgonRuntime.runMain`. */
  readonly shutdown: Shutdown["Service"] | undefined
  readonly totals: Totals
  readonly sampler: Sampler
}

const json = (status: number, body: unknown): Answer => ({
  status,
  contentType: "application/json",
  body: `${JSON.stringify(body)}\n`
})

const paths = ["/live", "/ready", "/metrics", "/status"] as const

const respond = (path: typeof paths[number], sources: Sources): Effect.Effect<Answer> =>
  Effect.gen(function*() {
    const { checks, runs, sampler, shutdown, totals } = sources
    const ending = shutdown === undefined ? false : yield* shutdown.requested
    // Whether it is ready is known without asking anybody.
    const checked = path === "/ready" ? [] : yield* checks.latest
    if (path === "/live") {
      const reasons = unhealthy(checked)
      return json(reasons.length === 0 ? 200 : 503, { live: reasons.length === 0, reasons })
    }
    const seen = yield* see(yield* runs.all, checked)
    const notReady = unready(seen, ending)
    if (path === "/ready") return json(notReady.length === 0 ? 200 : 503, { ready: notReady.length === 0, notReady })
    const counts = totals.byTask()
    if (path === "/metrics") {
      const body = yield* metrics({ seen, totals: counts, ready: notReady.length === 0 })
      return { status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body }
    }
    const now = performance.now()
    return json(
      200,
      yield* status({
        seen,
        unready: notReady,
        live: unhealthy(checked).length === 0,
        rates: (task) => sampler.of(task, now, counts.get(task))
      })
    )
  })

/** `target`: the path of a request, with its query. */
export const answer = (method: string, target: string, sources: Sources): Effect.Effect<Answer> => {
  const [asked] = target.split("?", 1)
  const path = paths.find((one) => one === asked)
  if (path === undefined) return Effect.succeed(json(404, { error: "no such path", paths }))
  if (method !== "GET" && method !== "HEAD") {
    return Effect.succeed({ ...json(405, { error: `${method} is not allowed: use GET or HEAD` }), allow: "GET, HEAD" })
  }
  return respond(path, sources)
}
