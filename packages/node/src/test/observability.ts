/** What a new project gets to look at its metrics with: the queries of its dashboard and of its alerts. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Schema from "effect/Schema"
import * as Yaml from "effect/encoding/Yaml"

export const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../../cli/templates/shared/observability/${name}`, import.meta.url))

const Dashboard = Schema.Struct({
  templating: Schema.Struct({ list: Schema.Array(Schema.Struct({ name: Schema.String, definition: Schema.String })) }),
  panels: Schema.Array(
    Schema.Struct({ title: Schema.String, targets: Schema.Array(Schema.Struct({ expr: Schema.String })) })
  )
})

const Rules = Schema.Struct({
  groups: Schema.Array(Schema.Struct({
    rules: Schema.Array(Schema.Struct({
      alert: Schema.String,
      expr: Schema.String,
      labels: Schema.Struct({ severity: Schema.Literals(["critical", "warning"]) }),
      annotations: Schema.Struct({ summary: Schema.NonEmptyString, runbook: Schema.NonEmptyString })
    }))
  }))
})

const dashboard = Schema.decodeUnknownSync(Dashboard)(
  JSON.parse(readFileSync(fileOf("grafana/dashboards/ergon.json"), "utf8"))
)

export const variables = dashboard.templating.list

/** The queries as Grafana sends them, for all tasks. */
export const panels = dashboard.panels.flatMap(({ targets, title }) =>
  targets.map(({ expr }) => ({
    title,
    query: expr.replaceAll("$task", ".+").replaceAll("$__rate_interval", "1m")
  }))
)

export const alerts = Schema.decodeUnknownSync(Rules)(Yaml.parse(readFileSync(fileOf("alerts.yaml"), "utf8")))
  .groups.flatMap(({ rules }) => rules)
