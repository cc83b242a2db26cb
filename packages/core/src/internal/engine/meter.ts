/**
 * The metrics of a run. Counting is the tally's; here its numbers are handed to effect's metrics, once a second while
 * something changes and once more at the end, so that a transaction pays nothing for them. Histograms cost an update
 * each, and are kept only when somebody reads them (`Telemetry.Histograms`).
 *
 *     still -> pending (something has changed) -> told, a second later at the latest -> still
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import type { Step } from "../../Failure.ts"
import type { Kind } from "../../Outcome.ts"
import { attributes, Histograms, type Instrument, metrics } from "../../Telemetry.ts"
import type { Plan } from "./plan.ts"
import type { Tally } from "./tally.ts"
import type { Watched, Watcher } from "./watcher.ts"

const every = 1000
const lookAtBacklog = 10_000

// From 1 ms to over an hour, and sizes of what one fetch can bring.
const seconds = Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 23 })
const sizes = Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })

const kinds: ReadonlyArray<Kind> = ["succeeded", "failed", "requeued", "timeout", "redelivered", "released"]

export type FetchResult = "deliveries" | "empty" | "error"
export type StepResult = "ok" | "error" | "timeout" | "interrupted"

export interface MeterOptions {
  readonly plan: Plan
  readonly watcher: Watcher
  readonly tally: Tally
  readonly context: Context.Context<never>
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly inFlight: () => number
}

export class Meter {
  /** Whether durations and sizes are kept. */
  readonly histograms: boolean
  private readonly options: MeterOptions
  private readonly tellAt: Watched
  private readonly counters: ReadonlyArray<Counted>
  private readonly inFlight: Metric.Gauge<number>
  private readonly durations = new Map<string, Metric.Histogram<number>>()
  private readonly fetchSize: Metric.Histogram<number>
  private readonly fetches: Readonly<Record<FetchResult, Told>>
  private readonly settleFailures = new Map<string, Told>()

  constructor(options: MeterOptions) {
    const { context, plan, tally, watcher } = options
    this.options = options
    this.histograms = Context.get(context, Histograms)
    this.tellAt = watcher.entry(() => this.tell())
    this.fetches = {
      deliveries: this.told(metrics.fetches, { [attributes.result]: "deliveries" }),
      empty: this.told(metrics.fetches, { [attributes.result]: "empty" }),
      error: this.told(metrics.fetches, { [attributes.result]: "error" })
    }
    this.counters = [
      ...kinds.map((kind) => this.counted(metrics.transactions, () => tally[kind], { [attributes.outcome]: kind })),
      this.counted(metrics.retries, () => tally.retries),
      this.counted(metrics.deadLetters, () => tally.deadLettered),
      ...Object.values(this.fetches).map(({ counted }) => counted)
    ]
    this.inFlight = Metric.gauge(metrics.inFlight.name, this.about(metrics.inFlight))
    this.fetchSize = Metric.histogram(metrics.fetchSize.name, { ...this.about(metrics.fetchSize), boundaries: sizes })
    const { count } = plan.source
    if (this.histograms && count !== undefined && plan.decode !== undefined) this.watchBacklog()
  }

  /** Something has changed that is to be told. */
  changed(): void {
    if (this.tellAt.dueAt === Infinity) this.options.watcher.set(this.tellAt, this.options.watcher.now() + every)
  }

  /** The run has come to its end. */
  end(): void {
    this.tell()
  }

  fetched(result: FetchResult, size: number): void {
    this.fetches[result].count++
    if (this.histograms && size > 0) this.fetchSize.updateUnsafe(size, this.options.context)
    this.changed()
  }

  /** How long one attempt of a step took, in milliseconds. */
  step(step: Step, result: StepResult, millis: number): void {
    this.duration(metrics.stepDuration, millis, { [attributes.step]: step, [attributes.result]: result })
  }

  /** How long a transaction took, in milliseconds. */
  transaction(outcome: Kind, millis: number): void {
    this.duration(metrics.transactionDuration, millis, { [attributes.outcome]: outcome })
  }

  settleFailed(errorType: string): void {
    let failures = this.settleFailures.get(errorType)
    if (failures === undefined) {
      failures = this.told(metrics.settleFailures, { [attributes.errorType]: errorType })
      this.settleFailures.set(errorType, failures)
    }
    failures.count++
    this.changed()
  }

  private duration(instrument: Instrument, millis: number, labels: Metric.Metric.AttributeSet): void {
    const key = Object.values(labels).join(" ") + instrument.name
    let histogram = this.durations.get(key)
    if (histogram === undefined) {
      histogram = Metric.histogram(instrument.name, { ...this.about(instrument, labels), boundaries: seconds })
      this.durations.set(key, histogram)
    }
    histogram.updateUnsafe(millis / 1000, this.options.context)
  }

  private counted(instrument: Instrument, read: () => number, labels: Metric.Metric.AttributeSet = {}): Counted {
    const metric = Metric.counter(instrument.name, { ...this.about(instrument, labels), incremental: true })
    return { metric, read, told: 0 }
  }

  private told(instrument: Instrument, labels: Metric.Metric.AttributeSet): Told {
    const one: Told = { count: 0, counted: this.counted(instrument, () => one.count, labels) }
    return one
  }

  private about(instrument: Instrument, labels: Metric.Metric.AttributeSet = {}) {
    return {
      description: instrument.doc,
      attributes: { [attributes.task]: this.options.plan.name, unit: instrument.unit, ...labels }
    }
  }

  private tell(): void {
    const { context } = this.options
    const counters = [...this.counters, ...Array.from(this.settleFailures.values(), ({ counted }) => counted)]
    for (const counter of counters) {
      const count = counter.read()
      if (count > counter.told) counter.metric.updateUnsafe(count - counter.told, context)
      counter.told = count
    }
    this.inFlight.updateUnsafe(this.options.inFlight(), context)
  }

  /** What the source holds, now and then. A count that fails is told by whoever supervises the source. */
  private watchBacklog(): void {
    const { context, fork, plan, watcher } = this.options
    const gauge = (state: "ready" | "delayed") =>
      Metric.gauge(metrics.backlog.name, this.about(metrics.backlog, { [attributes.state]: state }))
    const ready = gauge("ready")
    const delayed = gauge("delayed")
    const look = (): void => {
      const counting = Effect.suspend(() => plan.source.count!)
      fork(Effect.timeout(counting, lookAtBacklog)).addObserver((exit) => {
        if (Exit.isSuccess(exit)) {
          ready.updateUnsafe(exit.value.ready, context)
          delayed.updateUnsafe(exit.value.delayed, context)
        }
        watcher.set(again, watcher.now() + lookAtBacklog)
      })
    }
    const again = watcher.entry(look)
    watcher.set(again, watcher.now())
  }
}

// A number that grows, and how much of it was told.
interface Counted {
  readonly metric: Metric.Counter<number>
  readonly read: () => number
  told: number
}

// One that is counted here.
interface Told {
  count: number
  readonly counted: Counted
}
