import { metrics as instruments } from "@ergon/core/Telemetry"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { parse } from "../../test/prometheus.ts"
import { family, without } from "./exposition.ts"
import { metrics } from "./metrics.ts"
import { families, labelName, prometheusName } from "./names.ts"

describe("the text format", () => {
  it("escapes what labels and help may hold", () => {
    const lines = family({ name: "x", kind: "gauge", help: "a\\b\nc" }, [[{ task: "say \"hi\"\\\n" }, 1.5]])
    assert.deepStrictEqual(lines, [
      "# HELP x a\\\\b\\nc",
      "# TYPE x gauge",
      "x{task=\"say \\\"hi\\\"\\\\\\n\"} 1.5"
    ])
    parse(`${lines.join("\n")}\n`)
  })

  it("says nothing of a family without values", () => {
    assert.deepStrictEqual(family({ name: "x", kind: "gauge", help: "x" }, []), [])
  })

  it("leaves out whole families", () => {
    const text = "# HELP a x\n# TYPE a histogram\na_bucket 1\na_sum 1\n# HELP b x\n# TYPE b gauge\nb 2\n"
    assert.deepStrictEqual(without(text, new Set(["a"])), ["# HELP b x", "# TYPE b gauge", "b 2"])
  })

  it("writes names and labels of core as Prometheus does when they come by OTLP", () => {
    assert.deepStrictEqual(Object.values(instruments).map(prometheusName), [
      "ergon_transactions_total",
      "ergon_transaction_duration_seconds",
      "ergon_step_duration_seconds",
      "ergon_retries_total",
      "ergon_dead_letters_total",
      "ergon_fetches_total",
      "ergon_fetch_size",
      "ergon_settle_failures_total",
      "ergon_in_flight",
      "ergon_backlog"
    ])
    // Units that the translation would write as a word of their own, or leave out.
    assert.isTrue(Object.values(instruments).every(({ unit }) => unit === "s" || /^\{[a-z]+\}$/.test(unit)))
    assert.deepStrictEqual(["ergon.task", "error.type"].map(labelName), ["ergon_task", "error_type"])
  })

  it("has a name for every family once, and _total for counters", () => {
    const all = Object.values(families)
    assert.strictEqual(new Set(all.map(({ name }) => name)).size, all.length)
    for (const { kind, name } of all) assert.strictEqual(kind === "counter", name.endsWith("_total"))
  })

  it.effect("tells what the program counts, and what stands in both from the runs", () =>
    Effect.gen(function*() {
      yield* Metric.update(Metric.counter("orders_total", { description: "Orders." }), 3)
      const fetches = Metric.counter("ergon.fetches", {
        description: "Fetches.",
        attributes: { "ergon.task": "orders", "ergon.result": "empty", unit: "{fetch}" }
      })
      yield* Metric.update(fetches, 2)
      const again = Metric.gauge("ergon.in_flight", { description: "x", attributes: { "ergon.task": "orders" } })
      yield* Metric.update(again, 99)
      const told = parse(yield* metrics({ seen: [], totals: new Map(), ready: false }))
      assert.strictEqual(told.get("orders_total"), 3)
      assert.strictEqual(told.get("ergon_fetches_total", { ergon_task: "orders", ergon_result: "empty" }), 2)
      assert.notInclude(told.names, "ergon_in_flight")
      assert.strictEqual(told.get("ergon_ready"), 0)
    }))
})
