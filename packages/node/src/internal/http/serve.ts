/**
 * Serves the endpoint, from before the first run until the very end.
 *
 *     open -> closing -> closed       closing: no new connection, idle ones are closed; what is being answered may take
 *                                     a fifth of a second, and then every connection is closed, whatever it does
 *
 * What a client may cost is bounded: 64 connections, 8 KB of headers, 5 seconds for a request and 10 without a sign of
 * life. A connection does not hold up the end of the process.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Options } from "../../Health.ts"
import { HealthError } from "../../HealthError.ts"
import { Runs } from "../../Runs.ts"
import { HttpServerRequest, HttpServerResponse } from "../effectHttp.ts"
import { Shutdown } from "../runner/shutdown.ts"
import { Checks } from "../supervision/checks.ts"
import { answer, type Sources } from "./answer.ts"
import { every, Sampler } from "./rates.ts"
import * as Totals from "./totals.ts"

const loopback = "127.0.0.1"
const mostConnections = 64
// In milliseconds.
const closing = 200
const silence = 10_000
const limits = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000
}

const respond = (sources: Sources) =>
  Effect.gen(function*() {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const { allow, body, contentType, status } = yield* answer(method, url, sources)
    return HttpServerResponse.text(body, {
      status,
      contentType,
      headers: { "cache-control": "no-store", ...(allow === undefined ? {} : { allow }) }
    })
  })

const problemOf = (host: string, port: number, cause: unknown): HealthError => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
  const why = code === "EADDRINUSE"
    ? "it is in use: stop what listens there, or choose another port (0 takes a free one)"
    : code === "EACCES"
    ? "this user may not listen there: choose a port above 1023"
    : cause instanceof Error
    ? cause.message
    : String(cause)
  return new HealthError({ host, port, message: `cannot listen on ${host}:${port} for health and metrics: ${why}` })
}

/** Answers with the port that it listens on. */
export const serveHttp = (
  { host = loopback, port }: Options
): Effect.Effect<number, HealthError, Runs | Checks | Scope.Scope> =>
  Effect.gen(function*() {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      return yield* problemOf(host, port, "a port is a whole number from 0 to 65535")
    }
    const runs = yield* Runs
    const checks = yield* Checks
    const shutdown = Option.getOrUndefined(yield* Effect.serviceOption(Shutdown))
    const totals = yield* Effect.acquireRelease(Effect.sync(() => Totals.make(runs)), ({ end }) => Effect.sync(end))
    const sampler = new Sampler()
    const server = createServer(limits)
    server.maxConnections = mostConnections
    server.timeout = silence
    const http = yield* Effect.mapError(
      NodeHttpServer.make(() => server, { port, host, gracefulShutdownTimeout: closing }),
      (error) => problemOf(host, port, error.cause)
    )
    yield* http.serve(respond({ runs, checks, shutdown, totals, sampler }))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        setTimeout(() => server.closeAllConnections(), closing).unref()
      })
    )
    const sample = Effect.sync(() => sampler.add(performance.now(), totals.byTask()))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(sample, Effect.sleep(every))))
    const bound = server.address()
    const actual = typeof bound === "object" && bound !== null ? bound.port : port
    const shown = host.includes(":") ? `[${host}]` : host
    yield* Effect.logInfo(`health and metrics on http://${shown}:${actual}: /live /ready /metrics /status`)
    return actual
  })
