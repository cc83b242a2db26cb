/**
 * What a host and its workers say to each other. Only data crosses: a task is a name.
 *
 *     host                 worker
 *      | <---- (ready) ------ |    the entry has reached `Workers.serve`
 *      | ------- Start -----> |
 *      | <------ Beat ------- |    at once, about every second, and when its phase changes
 *      | -- Drain, Stop, ---> |    any time after Start
 *      |    SetConcurrency,   |
 *      |    SetRate           |
 *      | <-- Ended, Failed -- |    the last word of the worker
 *      | -------- Bye ------> |    it was heard: the worker may end
 */
import * as Schema from "effect/Schema"

const Summary = Schema.Struct({
  fetched: Schema.Number,
  succeeded: Schema.Number,
  failed: Schema.Number,
  requeued: Schema.Number,
  timeout: Schema.Number,
  redelivered: Schema.Number,
  released: Schema.Number,
  deadLettered: Schema.Number,
  discarded: Schema.Number,
  reasons: Schema.Record(Schema.String, Schema.Number),
  retries: Schema.Number,
  delayed: Schema.Number,
  duration: Schema.Duration
})

const Status = Schema.Struct({
  phase: Schema.Literals(["idle", "running", "draining", "stopping"]),
  fetched: Schema.Number,
  inFlight: Schema.Number,
  buffered: Schema.Number,
  held: Schema.Number,
  settling: Schema.Number,
  resisting: Schema.Number,
  concurrency: Schema.Number,
  fetchingSince: Schema.UndefinedOr(Schema.Number),
  oldestSince: Schema.UndefinedOr(Schema.Number),
  fetchFailures: Schema.Number,
  summary: Summary
})

export const Start = Schema.TaggedStruct("Start", {
  task: Schema.String,
  // The effective one of this worker, as `Policy.encode` writes it.
  policy: Schema.Json,
  // Of the run, for all of its workers.
  execution: Schema.String,
  // The trace that the run of the worker is part of.
  headers: Schema.Record(Schema.String, Schema.String),
  // Whether somebody reads durations where the host is.
  histograms: Schema.Boolean
})
export type Start = typeof Start.Type

const ToWorker = Schema.Union([
  Start,
  Schema.TaggedStruct("Drain", {}),
  Schema.TaggedStruct("Stop", {}),
  Schema.TaggedStruct("SetConcurrency", { concurrency: Schema.Number }),
  Schema.TaggedStruct("SetRate", {
    rate: Schema.UndefinedOr(Schema.Struct({ limit: Schema.Number, interval: Schema.Duration }))
  }),
  Schema.TaggedStruct("Bye", {})
])
export type ToWorker = typeof ToWorker.Type

const ConnectorCheck = Schema.Struct({
  id: Schema.String,
  role: Schema.Literals(["source", "sink", "deadLetters"]),
  result: Schema.Union([
    Schema.TaggedStruct("Healthy", {}),
    Schema.TaggedStruct("Failed", { message: Schema.String }),
    Schema.TaggedStruct("Unanswered", { after: Schema.Number })
  ])
})
export type ConnectorCheck = typeof ConnectorCheck.Type

const CountCheck = Schema.Union([
  Schema.TaggedStruct("Counted", { ready: Schema.Number, inFlight: Schema.Number, delayed: Schema.Number }),
  Schema.TaggedStruct("Failed", { message: Schema.String }),
  Schema.TaggedStruct("Unanswered", { after: Schema.Number })
])
export type CountCheck = typeof CountCheck.Type

const Series = Schema.Struct({
  name: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  count: Schema.Number,
  sum: Schema.Number,
  buckets: Schema.Array(Schema.Tuple([Schema.Number, Schema.Number]))
})

// `at`: milliseconds on the clock of the worker, when the status was read.
const Beat = Schema.TaggedStruct("Beat", {
  at: Schema.Number,
  status: Status,
  connectors: Schema.Array(ConnectorCheck),
  count: Schema.UndefinedOr(CountCheck),
  series: Schema.Array(Series)
})
export type Beat = typeof Beat.Type

// `signal`: what made the worker drain by itself.
const Ended = Schema.TaggedStruct("Ended", { summary: Summary, signal: Schema.UndefinedOr(Schema.String) })
export type Ended = typeof Ended.Type

// `mends`: whether starting the worker again may help.
const Failed = Schema.TaggedStruct("Failed", {
  summary: Summary,
  tag: Schema.String,
  reason: Schema.String,
  exitCode: Schema.Number,
  mends: Schema.Boolean
})
export type Failed = typeof Failed.Type

const ToHost = Schema.Union([Beat, Ended, Failed])
export type ToHost = typeof ToHost.Type

// Made where they are needed and not when the module is loaded.
export const codecs = () => {
  const toWorker = Schema.toCodecJson(ToWorker)
  const toHost = Schema.toCodecJson(ToHost)
  return {
    encodeToWorker: Schema.encodeSync(toWorker),
    decodeToWorker: Schema.decodeUnknownSync(toWorker),
    encodeToHost: Schema.encodeSync(toHost),
    decodeToHost: Schema.decodeUnknownSync(toHost)
  }
}
