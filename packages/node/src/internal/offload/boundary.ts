/**
 * What goes along with a call into a thread beside its payload: the trace that it is part of, and what stands on every line
 * that is logged. A thread is told once which run it works for.
 */
import { Current, Execution, type Identity, surround } from "@ergon/core/Run"
import { type Headers, headers, withHeaders } from "@ergon/core/Telemetry"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { threadId, workerData } from "node:worker_threads"

type Plain = string | number | boolean

export interface Boundary {
  readonly headers: Headers
  readonly annotations: { readonly [name: string]: Plain }
}

// What is more than text may not be able to cross.
const isPlain = (entry: [string, unknown]): entry is [string, Plain] =>
  ["string", "number", "boolean"].includes(typeof entry[1])

/** On the side of the caller. */
export const leaving: Effect.Effect<Boundary> = Effect.gen(function*() {
  const annotations = yield* References.CurrentLogAnnotations
  return { headers: yield* headers, annotations: Object.fromEntries(Object.entries(annotations).filter(isPlain)) }
})

/** In the thread. */
export const entering = (boundary: Boundary) => <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  work.pipe(Effect.annotateLogs(boundary.annotations), withHeaders(boundary.headers))

const key = "@ergon/node/offload"

/** What a thread finds in its `workerData`. */
export const identity: Effect.Effect<{ readonly [key]: Identity | undefined }> = Effect.map(
  Current,
  (current) => ({ [key]: current })
)

const isIdentity = (u: unknown): u is Identity =>
  typeof u === "object" && u !== null && "task" in u && typeof u.task === "string" && "execution" in u &&
  typeof u.execution === "string"

const given = (): Identity | undefined => {
  const data: unknown = workerData
  const found: unknown = typeof data === "object" && data !== null ? Reflect.get(data, key) : undefined
  return isIdentity(found) ? found : undefined
}

/** Surrounds what a thread does as a run is: as a part of the run that it works for, where it is told of one. */
export const surroundThread = (service: string) => <A, E, R>(thread: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const run = given()
    const execution = { execution: run?.execution ?? crypto.randomUUID(), worker: run?.worker, thread: threadId }
    return thread.pipe(surround(run?.task ?? service), Effect.provideService(Execution, execution))
  })
