import { assert, describe, it } from "@effect/vitest"
import { Telemetry } from "@ergon/core"
import { Effect, Metric } from "effect"
import { merge, snapshot, withSeries } from "./series.ts"

const { fetchSize, fetches, retries } = Telemetry.metrics

const histogram = Metric.histogram(fetchSize.name, {
  attributes: { "ergon.task": "orders", unit: "{x}" },
  boundaries: [1, 10]
})
const counter = Metric.counter(fetches.name, {
  attributes: { "ergon.task": "orders", "ergon.result": "empty" },
  incremental: true
})

const fresh = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const counted = Effect.gen(function*() {
  yield* Metric.update(histogram, 5)
  yield* Metric.update(counter, 2)
  // The status has these already, and the others are the program's.
  yield* Metric.update(Metric.counter(retries.name), 1)
  yield* Metric.update(Metric.counter("own"), 1)
  return yield* snapshot
})

describe("series", () => {
  it.effect("are what the status has not, without their unit", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* fresh(counted), [
        {
          name: "ergon.fetch.size",
          labels: { "ergon.task": "orders" },
          count: 1,
          sum: 5,
          buckets: [[1, 0], [10, 1]]
        },
        {
          name: "ergon.fetches",
          labels: { "ergon.task": "orders", "ergon.result": "empty" },
          count: 2,
          sum: 0,
          buckets: []
        }
      ])
    }))

  it.effect("of the same labels add up, whatever their order", () =>
    Effect.gen(function*() {
      const [size, empty] = yield* fresh(counted)
      const turned = { ...empty!, labels: Object.fromEntries(Object.entries(empty!.labels).toReversed()) }
      const other = { ...empty!, labels: { "ergon.task": "invoices", "ergon.result": "empty" } }
      assert.deepStrictEqual(merge([size!, empty!, size!, turned, other]), [
        { ...size!, count: 2, sum: 10, buckets: [[1, 0], [10, 2]] },
        { ...empty!, count: 4 },
        other
      ])
    }))

  it.effect("stand among the metrics of the process, together with its own", () =>
    fresh(Effect.gen(function*() {
      const series = yield* counted
      const [shown] = yield* Effect.all([Metric.snapshot.pipe(withSeries(series))])
      const states = new Map(shown.map(({ id, state }) => [id, state]))
      assert.deepInclude(states.get("ergon.fetch.size"), { count: 2, sum: 10 })
      assert.deepInclude(states.get("ergon.fetches"), { count: 4 })
      assert.deepInclude(states.get("own"), { count: 1 })
      assert.strictEqual(shown.length, 4)
      assert.deepStrictEqual(yield* snapshot, series)
    })))
})
