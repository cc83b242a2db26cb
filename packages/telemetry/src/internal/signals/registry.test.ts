import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { Registry } from "./registry.ts"

const counted = (name: string, task: string) => Metric.withAttributes(Metric.counter(name), { task })

const names = Effect.map(Metric.snapshot, (all) => all.map(({ attributes, id }) => `${id} ${attributes?.["task"]}`))

describe("Registry", () => {
  it.effect("knows what was used under it; the one around knows all", () =>
    Effect.gen(function*() {
      const around: Metric.MetricRegistry = new Map()
      const [a, b] = [new Registry(around), new Registry(around)]
      const within = (registry: Metric.MetricRegistry) => Effect.provideService(Metric.MetricRegistry, registry)
      yield* Metric.update(counted("n", "a"), 1).pipe(within(a))
      yield* Metric.update(counted("n", "b"), 1).pipe(within(b))
      assert.deepStrictEqual(yield* names.pipe(within(a)), ["n a"])
      assert.deepStrictEqual(yield* names.pipe(within(b)), ["n b"])
      assert.deepStrictEqual(yield* names.pipe(within(around)), ["n a", "n b"])
    }))

  it.effect("shares a series that both use, and removes it from both", () =>
    Effect.gen(function*() {
      const around: Metric.MetricRegistry = new Map()
      const inner = new Registry(around)
      const within = (registry: Metric.MetricRegistry) => Effect.provideService(Metric.MetricRegistry, registry)
      const metric = Metric.counter("shared")
      yield* Metric.update(metric, 1).pipe(within(around))
      yield* Metric.update(metric, 2).pipe(within(inner))
      assert.strictEqual((yield* Metric.value(metric).pipe(within(around))).count, 3)
      yield* Metric.remove(metric).pipe(within(inner))
      assert.strictEqual(around.size + inner.size, 0)
    }))
})
