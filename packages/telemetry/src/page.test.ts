import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import { parts } from "./internal/configuration/schema.ts"
import * as Observability from "./Observability.ts"

const page = fs.readFileSync(new URL("../../../docs/observability/options.md", import.meta.url), "utf8")

/** As the page writes an option: those of files without the list, those of one collector under `otlp`. */
const options = [...parts].flatMap(([path, keys]) => {
  if (/^(traces|metrics|logs)\.(otlp|exporters)/.test(path)) return []
  const prefix = path.replace(/^logs\.files\.\*\.?/, "")
  return keys.map((key) => prefix === "" ? key : `${prefix}.${key}`)
}).filter((option) => !parts.has(option) && option !== "logs.files")

describe("docs/observability", () => {
  it.each(options.filter((option) => !/^(keep|traces\.otlp|metrics\.otlp|logs\.otlp)$/.test(option)))(
    "has the option %s",
    (option) => expect(page).toContain(`\`${option}\``)
  )

  it.each(Observability.variables.map(({ name }) => name))("has the variable %s", (name) => {
    // One table stands for the three signals.
    const shown = name.replace(/^OTEL_EXPORTER_OTLP_(METRICS|LOGS)_(?!TEMPORALITY)/, "OTEL_EXPORTER_OTLP_TRACES_")
    expect(page).toContain(`\`${shown}\``)
  })
})
