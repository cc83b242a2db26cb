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
 * The spans of a run.
 *
 * **Details**
 * Each is followed by a name of few values, of the task or of the connector's key: `run orders`, `dispatch receipts`.
 * Attempts of a step carry the name of the step alone.
 *
 * - `run`: a whole run. In one that does not stream it is the parent of everything else.
 * - `batch`: a batch of `loop.mode: "batch"`, from its fetch until all of it is settled.
 * - `transaction`: from its start to its confirmed settlement. Kind consumer. In a streaming run each begins a trace of
 *   its own, linked to the run; the span of its producer is linked, or its parent with `transaction.trace: "parent"`.
 * - `decode` (where a schema waits for something), `process`, `success`, `exception`: one attempt of a step.
 * - `dispatch`: one attempt to send the results of a transaction to one sink. Kind producer: its `traceparent` travels
 *   with the results.
 * - `settle`: one attempt to settle a transaction at its source. Kind client.
 * - `fetch`: a fetch that brought something or failed; one that found nothing has no span. Kind client.
 *
 * @category names
 * @since 0.1.0
 */
export const spans = {
  run: "run",
  batch: "batch",
  transaction: "transaction",
  fetch: "fetch",
  decode: "decode",
  process: "process",
  dispatch: "dispatch",
  success: "success",
  exception: "exception",
  settle: "settle"
} as const

/**
 * The attributes of spans, and the labels of metrics.
 *
 * **Details**
 * - `task`: the name of the task. `step`: as in `Failure.Step`.
 * - `outcome`: how a transaction ended (`Outcome.Kind`); `category`: of its failure.
 * - `attempt`: which try of a step, from 1. `attempts`: tries of the process step.
 * - `deliveries`: how often the transaction was delivered before.
 * - `delay`: the wait before the next attempt or delivery, in milliseconds.
 * - `lease`: how long the delivery is ours without extending, in milliseconds; only where the source has leases.
 * - `disposition`: what became of the delivery at its source. `cut`: why an attempt was interrupted.
 * - `state`: of what a source holds (`ready`, `delayed`). `result`: of a step or a fetch.
 * - the rest are the semantic conventions' own.
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
  delay: "ergon.delay",
  lease: "ergon.lease",
  disposition: "ergon.disposition",
  cut: "ergon.cut",
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
