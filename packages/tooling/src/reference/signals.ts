/**
 * The page of telemetry: every span, attribute and metric, as core describes them.
 */
import type { Page } from "./pages.ts"

/** What `Telemetry` of @ergon/core holds. */
export interface TelemetryNames {
  readonly spans: {
    readonly [name: string]: {
      readonly name: string
      readonly of: "task" | "connector" | "attempt"
      readonly kind: string
      readonly doc: string
    }
  }
  readonly attributes: { readonly [name: string]: string }
  readonly meanings: { readonly [name: string]: string }
  readonly metrics: {
    readonly [name: string]: {
      readonly name: string
      readonly kind: string
      readonly unit: string
      readonly labels: ReadonlyArray<string>
      readonly doc: string
    }
  }
}

const code = (text: string): string => `\`${text}\``

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const followed = { task: " <task>", connector: " <connector>", attempt: "" }

export const signalsPage = ({ attributes, meanings, metrics, spans }: TelemetryNames): Page => ({
  path: "signals.md",
  text: [
    "<!-- Generated from the names in @ergon/core by `npm run docs:generate`. -->",
    "# Spans, attributes and metrics",
    "The names of spans, attributes and metrics are a contract. Where the semantic conventions of OpenTelemetry have a " +
    "name it is theirs, everything else begins with `ergon.`. Payloads and configuration are in none of them.",
    "## Spans",
    table(
      ["span", "kind", "what it covers"],
      Object.values(spans).map(({ doc, kind, name, of }) => [
        code(`${name}${followed[of]}`),
        kind,
        doc
      ])
    ),
    "## Attributes",
    table(["key", "meaning"], Object.entries(attributes).map(([name, key]) => [code(key), meanings[name] ?? ""])),
    "## Metrics",
    `Each carries ${code(attributes["task"] ?? "")}, and the labels below. Prometheus has \`_\` for \`.\`.`,
    table(
      ["metric", "kind", "unit", "labels", "what it counts"],
      Object.values(metrics).map((metric) => [
        code(metric.name),
        metric.kind,
        code(metric.unit),
        metric.labels.map(code).join(", "),
        metric.doc
      ])
    )
  ].join("\n\n")
})
