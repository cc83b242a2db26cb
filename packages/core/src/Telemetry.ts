/**
 * What the engine tells about itself: the names of its spans, attributes and metrics, and the switch of its metrics.
 *
 * These names are a contract: dashboards, alerts and queries stand on them. Where the semantic conventions of
 * OpenTelemetry have a name it is theirs (`messaging.*`, `error.type`), everything else begins with `ergon.`. No payload
 * and no configuration is in any of them.
 *
 * @since 0.1.0
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import { headersOf, producerOf } from "./internal/engine/traceparent.ts"

/**
 * Whether durations and sizes are kept, as a reference that can be provided: set by what exports metrics, `false` unless
 * given. Counters and gauges are always kept, and told once a second.
 *
 * @category services
 * @since 0.1.0
 */
export const Histograms: Context.Reference<boolean> = Context.Reference<boolean>("@ergon/core/Telemetry/Histograms", {
  defaultValue: () => false
})

/**
 * The trace context of W3C, as headers: `traceparent` names the trace and the span, `tracestate` is what vendors say of that
 * trace, `baggage` is whatever the first caller wants everybody to know.
 *
 * @category propagation
 * @since 0.1.0
 */
export interface Headers {
  readonly traceparent?: string
  readonly tracestate?: string
  readonly baggage?: string
}

/**
 * What the transaction at hand came with, as a reference: set inside of every step while a tracer listens, empty elsewhere.
 *
 * @category propagation
 * @since 0.1.0
 */
export const Carried: Context.Reference<Headers> = Context.Reference<Headers>("@ergon/core/Telemetry/Carried", {
  defaultValue: () => ({})
})

/**
 * The headers that let whatever is called from here continue the trace: a thread, a process, another service.
 *
 * **Details**
 * `traceparent` is the span around the effect, none where there is none; `tracestate` goes along within the trace that it
 * came with; `baggage` is passed on. Requests of effect's HTTP client carry `traceparent` by themselves.
 *
 * **Example** (Calling something else)
 * ```ts import.meta.vitest
 * import { Telemetry } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const headers = Effect.runSync(Effect.withSpan(Telemetry.headers, "call"))
 * headers.traceparent?.length // => 55
 * Effect.runSync(Telemetry.headers) // => {}
 * ```
 *
 * @category propagation
 * @since 0.1.0
 */
export const headers: Effect.Effect<Headers> = Effect.contextWith((context: Context.Context<never>) =>
  Effect.succeed(headersOf(Context.getOrUndefined(context, Tracer.ParentSpan), Context.get(context, Carried)))
)

/**
 * Runs an effect below the span that the headers name, which was made elsewhere. Headers that cannot be read change nothing.
 *
 * **Example** (Continuing a trace)
 * ```ts import.meta.vitest
 * import { Telemetry } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
 * const span = Effect.currentSpan.pipe(Effect.withSpan("inner"), Telemetry.withHeaders({ traceparent }))
 * Effect.runSync(span).traceId // => "0af7651916cd43dd8448eb211c80319c"
 * ```
 *
 * @category propagation
 * @since 0.1.0
 */
export const withHeaders = (given: Headers) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const span = producerOf({ ...given })
  const carried = Effect.provideService(effect, Carried, given)
  return span === undefined ? carried : Effect.provideService(carried, Tracer.ParentSpan, span)
}

/**
 * A tracer that can say whether a trace is taken before a span is made for it.
 *
 * **Details**
 * A streaming run asks `isTaken` once for every transaction that begins a trace, and has the spans of those that are taken
 * made by `taken`, which does not decide again. A transaction that is not taken costs it next to nothing. With any other
 * tracer the engine makes a span first, and looks whether it was sampled.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeadTracer extends Tracer.Tracer {
  readonly "~ergon/heads": { readonly isTaken: () => boolean; readonly taken: Tracer.Tracer }
}

/**
 * A span: its name, what follows the name, its kind, and what it covers.
 *
 * **Details**
 * `of`: a span of a `task` or of a `connector` is named after it too, `run orders` or `dispatch receipts`; an `attempt` is
 * named after its step alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface SpanDescription {
  readonly name: string
  readonly of: "task" | "connector" | "attempt"
  readonly kind: "internal" | "consumer" | "producer" | "client"
  readonly doc: string
}

/**
 * The spans of a run.
 *
 * **Details**
 * A run that does not stream is one trace. In a streaming one every transaction begins a trace of its own, linked to the
 * run; the span of its producer is linked, or its parent with `transaction.trace: "parent"`.
 *
 * @category names
 * @since 0.1.0
 */
export const spans = {
  run: { name: "run", of: "task", kind: "internal", doc: "A whole run." },
  batch: {
    name: "batch",
    of: "task",
    kind: "internal",
    doc: "A batch of `loop.mode: \"batch\"`, from its arrival until all of it is settled."
  },
  transaction: {
    name: "transaction",
    of: "connector",
    kind: "consumer",
    doc: "A transaction, from its start to its confirmed settlement."
  },
  fetch: {
    name: "fetch",
    of: "connector",
    kind: "client",
    doc: "A fetch that brought something or failed; one that found nothing has no span."
  },
  decode: {
    name: "decode",
    of: "attempt",
    kind: "internal",
    doc: "Decoding a payload, where the schema waits for something."
  },
  process: { name: "process", of: "attempt", kind: "internal", doc: "One attempt of the process step." },
  dispatch: {
    name: "dispatch",
    of: "connector",
    kind: "producer",
    doc: "One attempt to send the results of a transaction to one sink; its `traceparent` travels with them."
  },
  success: { name: "success", of: "attempt", kind: "internal", doc: "One attempt of the success step." },
  exception: { name: "exception", of: "attempt", kind: "internal", doc: "One attempt of the exception step." },
  settle: {
    name: "settle",
    of: "connector",
    kind: "client",
    doc: "One attempt to settle a transaction at its source."
  }
} as const satisfies { readonly [name: string]: SpanDescription }

/**
 * The keys of attributes of spans, and of labels of metrics.
 *
 * @category names
 * @since 0.1.0
 */
export const attributes = {
  task: "ergon.task",
  step: "ergon.step",
  outcome: "ergon.outcome",
  category: "ergon.category",
  attempt: "ergon.attempt",
  attempts: "ergon.attempts",
  deliveries: "ergon.deliveries",
  lease: "ergon.lease",
  delay: "ergon.delay",
  disposition: "ergon.disposition",
  cut: "ergon.cut",
  workers: "ergon.workers",
  state: "ergon.state",
  result: "ergon.result",
  errorType: "error.type",
  messageId: "messaging.message.id",
  destination: "messaging.destination.name",
  operation: "messaging.operation.name",
  operationType: "messaging.operation.type",
  batchSize: "messaging.batch.message_count"
} as const

/**
 * What each of the attributes means.
 *
 * @category names
 * @since 0.1.0
 */
export const meanings: { readonly [Name in keyof typeof attributes]: string } = {
  task: "The name of the task.",
  step: "The step: fetch, decode, process, dispatch, success, exception or settle; of a failed transaction, where.",
  outcome: "How a transaction ended: succeeded, failed, requeued, timeout, redelivered or released.",
  category: "Of a failed transaction, and of an attempt that failed: business, system, timeout or invalid.",
  attempt: "Which try of a step, from 1. A second `process` says by itself that the first was retried.",
  attempts: "Tries of the process step, all together.",
  deliveries: "How often the transaction was delivered before.",
  lease: "How long a delivery is ours unless it is extended, in milliseconds; only where the source has leases.",
  delay:
    "How long was waited before this attempt, or, of a requeued transaction, is waited before the next delivery; in milliseconds.",
  disposition: "What became of the delivery at its source: Ack, Requeue, DeadLetter or Release.",
  cut:
    "Why an attempt was interrupted: its own timeout (attempt), the transaction's (deadline), or the run's end (stop).",
  workers: "Of a run that is spread over workers: how many.",
  state: "Of what a source holds: ready or delayed.",
  result: "Of a step: ok, error, timeout or interrupted; of a fetch: deliveries, empty or error.",
  errorType: "The tag or class of an error; timeout where time ran out.",
  messageId: "The id of the transaction.",
  destination: "The id of the connector's key.",
  operation: "The operation of messaging: receive, process, send or settle.",
  operationType: "The same.",
  batchSize: "How many transactions one call to the connector was about."
}

/**
 * What of the resource of a run has no name in the semantic conventions: who sends.
 *
 * @category names
 * @since 0.1.0
 */
export const resource = {
  execution: "ergon.execution",
  worker: "ergon.worker",
  version: "ergon.version"
} as const

/**
 * A metric: its name, its kind, its unit (UCUM), the labels that it carries beside the task, and what it counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instrument {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly unit: string
  readonly labels: ReadonlyArray<string>
  readonly doc: string
}

/**
 * What one of the instruments has counted under one set of labels, as plain data: the value of a counter is `count`; a
 * histogram has `sum`, and `buckets` of an upper bound and how many were at most that.
 *
 * @category models
 * @since 0.1.0
 */
export interface Series {
  readonly name: string
  readonly labels: { readonly [label: string]: string }
  readonly count: number
  readonly sum: number
  readonly buckets: ReadonlyArray<readonly [atMost: number, count: number]>
}

/**
 * The metrics of a run. All of them carry the task as a label, and none an id or the number of an attempt.
 *
 * @category names
 * @since 0.1.0
 */
export const metrics = {
  transactions: {
    name: "ergon.transactions",
    kind: "counter",
    unit: "{transaction}",
    labels: [attributes.outcome],
    doc: "Transactions that have ended, by outcome."
  },
  transactionDuration: {
    name: "ergon.transaction.duration",
    kind: "histogram",
    unit: "s",
    labels: [attributes.outcome],
    doc: "From the start of a transaction to its confirmed settlement."
  },
  stepDuration: {
    name: "ergon.step.duration",
    kind: "histogram",
    unit: "s",
    labels: [attributes.step, attributes.result],
    doc: "One attempt of a step: `ok`, `error`, `timeout` or `interrupted`."
  },
  retries: {
    name: "ergon.retries",
    kind: "counter",
    unit: "{attempt}",
    labels: [],
    doc: "Second and later attempts of all steps, fetching included."
  },
  deadLetters: {
    name: "ergon.dead_letters",
    kind: "counter",
    unit: "{transaction}",
    labels: [],
    doc: "Transactions that were given up and kept as dead letters."
  },
  fetches: {
    name: "ergon.fetches",
    kind: "counter",
    unit: "{fetch}",
    labels: [attributes.result],
    doc: "Fetches: `deliveries`, `empty` or `error`."
  },
  fetchSize: {
    name: "ergon.fetch.size",
    kind: "histogram",
    unit: "{transaction}",
    labels: [],
    doc: "Deliveries of one fetch that was not empty."
  },
  settleFailures: {
    name: "ergon.settle.failures",
    kind: "counter",
    unit: "{transaction}",
    labels: [attributes.errorType],
    doc: "Attempts to settle a transaction that failed."
  },
  inFlight: {
    name: "ergon.in_flight",
    kind: "gauge",
    unit: "{transaction}",
    labels: [],
    doc: "Transactions being worked on."
  },
  backlog: {
    name: "ergon.backlog",
    kind: "gauge",
    unit: "{transaction}",
    labels: [attributes.state],
    doc: "What the source holds, where it can count: `ready` or `delayed`."
  }
} as const satisfies { readonly [name: string]: Instrument }
