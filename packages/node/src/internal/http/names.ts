/**
 * The names of what /metrics tells. What core counts has the name that core gives it, written as Prometheus writes it when
 * it comes by OTLP: `_` for what no name may hold, the unit behind it, and `_total` behind a counter. So have its labels.
 */
import { type Instrument, metrics } from "@ergon/core/Telemetry"

export interface Family {
  readonly name: string
  readonly kind: "counter" | "gauge"
  readonly help: string
}

/** The name of one of core's instruments. */
export const prometheusName = ({ kind, name, unit }: Instrument): string =>
  name.replaceAll(".", "_") + (unit === "s" ? "_seconds" : "") + (kind === "counter" ? "_total" : "")

/** The label that stands for an attribute. */
export const labelName = (attribute: string): string => attribute.replaceAll(".", "_")

/** The worker of a count that the host makes; what a worker counts itself has it in its resource. */
export const workerLabel = "ergon_worker"

const ofCore = (instrument: Instrument & { readonly kind: Family["kind"] }): Family => ({
  name: prometheusName(instrument),
  kind: instrument.kind,
  help: instrument.doc
})

const gauge = (name: string, help: string): Family => ({ name, kind: "gauge", help })
const counter = (name: string, help: string): Family => ({ name, kind: "counter", help })

export const families = {
  up: gauge("ergon_up", "1 while the process answers."),
  ready: gauge("ergon_ready", "1 while every run works and the process is not asked to end, as /ready says."),
  healthy: gauge("ergon_healthy", "1 while the last check of the task's liveness found nothing."),
  transactions: ofCore(metrics.transactions),
  fetched: counter("ergon_fetched_total", "Transactions that were fetched."),
  retries: ofCore(metrics.retries),
  deadLetters: ofCore(metrics.deadLetters),
  discarded: counter("ergon_discarded_total", "Transactions that were given up and not kept."),
  inFlight: ofCore(metrics.inFlight),
  buffered: gauge("ergon_buffered", "Transactions fetched and not started."),
  held: gauge("ergon_held", "Transactions that wait in memory for a delayed requeue."),
  settling: gauge("ergon_settling", "Transactions handed to their source and not confirmed."),
  resisting: gauge("ergon_resisting", "Transactions that were interrupted and go on all the same."),
  concurrency: gauge("ergon_concurrency", "How many transactions may run at the same time."),
  backlog: ofCore(metrics.backlog),
  workers: gauge("ergon_workers", "Workers of the task that run."),
  workerRestarts: counter("ergon_worker_restarts_total", "How often a worker was started again."),
  startTime: gauge("process_start_time_seconds", "When the process started, in seconds since 1970."),
  memory: gauge("process_resident_memory_bytes", "Resident memory of the process, in bytes."),
  cpu: counter("process_cpu_seconds_total", "Time on a CPU, of user and system, in seconds.")
} as const satisfies { readonly [key: string]: Family }

export type Key = keyof typeof families
