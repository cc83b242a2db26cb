/**
 * Draws the pictures of docs/observability from what the examples sent.
 *
 *     npx node --conditions=@ergon/source examples/src/observability/draw.ts             draws what was recorded
 *     npx node --conditions=@ergon/source examples/src/observability/draw.ts --record    runs them anew before, two minutes
 *                                                                              (`--traces`: only the first, seconds)
 *     npx dprint fmt examples/src/observability/recorded.json
 *
 * The traces are those of two orders of main.ts, as its receiver got them. The curves are the answers of a Prometheus that
 * scraped busy.ts to the queries of the dashboard that a new project gets.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Port, Program, Prometheus } from "@ergon/lab"
import { Effect, Logger, Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { drawn, Recorded } from "./drawn.ts"
import * as Receiver from "./receiver.ts"
import { shop } from "./run.ts"

const root = join(import.meta.dirname, "../../..")
const recorded = join(import.meta.dirname, "recorded.json")
const dashboard = join(root, "packages/cli/templates/shared/observability/grafana/dashboards/ergon.json")

const Dashboard = Schema.Struct({
  panels: Schema.Array(Schema.Struct({
    title: Schema.String,
    fieldConfig: Schema.Struct({ defaults: Schema.Struct({ unit: Schema.String }) }),
    targets: Schema.Array(Schema.Struct({ expr: Schema.String, legendFormat: Schema.String }))
  }))
})

const shown = [
  "Outcomes per second",
  "Backlog",
  "How long a transaction takes",
  "What goes wrong, per second",
  "In flight, and how many may be",
  "How long each step takes"
]

// In seconds: the whole of it, and between two points of a curve.
const day = 120
const step = 2

/** The trace of one order. Times begin with it; ids are numbers, as they say nothing. */
const traceOf = (receiver: Receiver.Receiver, order: string) => {
  const first = receiver.spans.find(({ attributes, name }) =>
    name === "transaction place" && attributes["messaging.message.id"] === order
  )
  const spans = receiver.spans.filter(({ traceId }) => traceId === first?.traceId).toSorted((a, b) => a.start - b.start)
  const from = spans[0]?.start ?? 0
  const since = (time: number): number => Math.round((time - from) * 1000) / 1000
  const ids = new Map(spans.map(({ spanId }, index) => [spanId, `${index}`]))
  return {
    spans: spans.map(({ links: _, ...span }) => ({
      ...span,
      traceId: order,
      spanId: ids.get(span.spanId) ?? "",
      parentSpanId: span.parentSpanId === undefined ? undefined : ids.get(span.parentSpanId),
      start: since(span.start),
      end: since(span.end)
    })),
    lines: receiver.lines.flatMap((line) => {
      const spanId = ids.get(line.spanId)
      return spanId === undefined ? [] : [{ ...line, spanId, at: since(line.at) }]
    })
  }
}

const traces = Effect.gen(function*() {
  const receiver = yield* Receiver.make
  yield* shop({ otlp: { endpoint: receiver.url } }).pipe(Effect.provide(Logger.layer([])))
  return { retried: traceOf(receiver, "order-1"), redelivered: traceOf(receiver, "order-4") }
}).pipe(Effect.scoped)

const named = (format: string, labels: { readonly [name: string]: string }): string =>
  format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "")

const panels = Effect.gen(function*() {
  const all = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Dashboard))(readFileSync(dashboard, "utf8"))
  const port = yield* Port.free
  const prometheus = yield* Prometheus.server({ targets: [port] })
  const from = Date.now() / 1000 + 5
  yield* Program.script(join(import.meta.dirname, "busy.ts"), [`${port}`])
  yield* Effect.sleep(`${day + 6} seconds`)
  return yield* Effect.forEach(shown, (title) =>
    Effect.gen(function*() {
      const panel = yield* Effect.fromNullishOr(all.panels.find((one) => one.title === title))
      const series = yield* Effect.forEach(panel.targets, ({ expr, legendFormat }) =>
        Effect.map(
          prometheus.range(expr.replaceAll("$task", "ship").replaceAll("$__rate_interval", "6s"), {
            from,
            to: from + day,
            step
          }),
          (found) =>
            found.map(({ labels, points }) => ({
              name: named(legendFormat, labels),
              points: points.filter(([, value]) => Number.isFinite(value)).map(([time, value]) =>
                [Math.round(time - from), Number(value.toPrecision(4))] as const
              )
            }))
        ))
      // What never happened is a line at the bottom, and left out.
      const curves = series.flat().filter(({ points }) => points.some(([, value]) => value > 0))
      return { title, unit: panel.fieldConfig.defaults.unit, curves }
    }))
}).pipe(Effect.scoped)

const read = Effect.suspend(() =>
  Schema.decodeUnknownEffect(Schema.fromJsonString(Recorded))(readFileSync(recorded, "utf8"))
)

Effect.gen(function*() {
  if (process.argv.includes("--record")) {
    const curves = process.argv.includes("--traces") ? (yield* read).panels : yield* panels
    writeFileSync(recorded, `${JSON.stringify({ ...(yield* traces), panels: curves })}\n`)
  }
  for (const [name, picture] of Object.entries(drawn(yield* read))) {
    writeFileSync(join(root, "docs/images", `${name}.svg`), picture)
  }
}).pipe(NodeRuntime.runMain)
