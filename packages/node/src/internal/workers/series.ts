/**
 * What a worker has counted beyond its status: fetches, settlements that failed, durations. Its host tells it as its own.
 */
import { type Instrument, metrics, type Series } from "@ergon/core/Telemetry"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"

// What the status has not, and what adds up.
const told: ReadonlyMap<string, Instrument> = new Map(
  [metrics.fetches, metrics.settleFailures, metrics.fetchSize, metrics.transactionDuration, metrics.stepDuration].map((
    one
  ) => [one.name, one])
)

/** Of the registry at hand. */
export const snapshot: Effect.Effect<ReadonlyArray<Series>> = Effect.map(
  Metric.snapshot,
  (all) =>
    all.flatMap((metric): ReadonlyArray<Series> => {
      if (!told.has(metric.id)) return []
      const { unit: _unit, ...labels } = metric.attributes ?? {}
      const common = { name: metric.id, labels }
      if (metric.type === "Histogram") {
        const { buckets, count, sum } = metric.state
        return [{ ...common, count, sum, buckets }]
      }
      return metric.type === "Counter" ? [{ ...common, count: Number(metric.state.count), sum: 0, buckets: [] }] : []
    })
)

const keyOf = ({ labels, name }: Pick<Series, "name" | "labels">): string =>
  JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1)])

const plus = (a: Series, b: Series): Series => ({
  ...a,
  count: a.count + b.count,
  sum: a.sum + b.sum,
  // The bounds of an instrument are the same everywhere.
  buckets: a.buckets.map(([atMost, count], index) => [atMost, count + (b.buckets[index]?.[1] ?? 0)])
})

/** Those of the same instrument and labels, added up. */
export const merge = (all: ReadonlyArray<Series>): ReadonlyArray<Series> => {
  const merged = new Map<string, Series>()
  for (const one of all) {
    const key = keyOf(one)
    const other = merged.get(key)
    merged.set(key, other === undefined ? one : plus(other, one))
  }
  return [...merged.values()]
}

const stateOf = ({ buckets, count, sum }: Series, { kind }: Instrument): unknown =>
  kind === "histogram" ? { buckets, count, sum, min: 0, max: 0 } : { count, incremental: true }

/** Runs an effect with the series among the metrics that it finds. */
export const withSeries = (series: ReadonlyArray<Series>) => <A>(effect: Effect.Effect<A>): Effect.Effect<A> =>
  series.length === 0 ? effect : Effect.gen(function*() {
    const own = yield* snapshot
    const shown: Metric.MetricRegistry = new Map(
      [...(yield* Metric.MetricRegistry)].filter(([, { id }]) => !told.has(id))
    )
    for (const one of merge([...own, ...series])) {
      const instrument = told.get(one.name)
      if (instrument === undefined) continue
      const state = stateOf(one, instrument)
      shown.set(keyOf(one), {
        id: one.name,
        type: instrument.kind === "histogram" ? "Histogram" : "Counter",
        description: instrument.doc,
        attributes: { ...one.labels, unit: instrument.unit },
        hooks: { get: () => state, update: constVoid, modify: constVoid }
      })
    }
    return yield* Effect.provideService(effect, Metric.MetricRegistry, shown)
  })
