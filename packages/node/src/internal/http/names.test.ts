import { assert, describe, it } from "@effect/vitest"
import { attributes, type Instrument, metrics } from "@ergon/core/Telemetry"
import { readFileSync } from "node:fs"
import { alerts, fileOf, panels, variables } from "../../test/observability.ts"
import { families, labelName, prometheusName, workerLabel } from "./names.ts"

const ofInstrument = (instrument: Instrument): ReadonlyArray<string> => {
  const name = prometheusName(instrument)
  return instrument.kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

const names = new Set([
  ...Object.values(families).map(({ name }) => name),
  ...Object.values(metrics).flatMap(ofInstrument)
])
const labels = new Set([...Object.values(attributes).map(labelName), workerLabel])

/** The labels that each metric may be asked for. What the endpoint adds itself has the task alone, or the worker too. */
const labelsOf = new Map(
  Object.values(metrics).flatMap((instrument: Instrument) =>
    ofInstrument(instrument).map((name) => [name, new Set(instrument.labels.map(labelName))] as const)
  )
)

const asked = [
  ...panels.map(({ query, title }) => ({ from: `the panel "${title}"`, query })),
  ...variables.map(({ definition, name }) => ({ from: `the variable ${name}`, query: definition })),
  ...alerts.map(({ alert, expr }) => ({ from: `the alert ${alert}`, query: expr }))
]

describe("what the dashboard and the alerts ask for", () => {
  it("is there to be asked", () => {
    assert.isAbove(panels.length, 20)
    assert.isAbove(alerts.length, 5)
  })

  it.each(asked)("$from has only names of ours", ({ query }) => {
    const used = query.match(/\b(?:ergon|process|error)_\w+/g) ?? []
    assert.isNotEmpty(used)
    for (const name of used) assert.isTrue(names.has(name) || labels.has(name), name)
  })

  it.each(asked)("$from selects by labels that its metric has", ({ query }) => {
    for (const [, name = "", inner = ""] of query.matchAll(/\b(ergon_\w+)\{([^}]*)\}/g)) {
      for (const [, label = ""] of inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
        assert.isTrue(label === labelName(attributes.task) || labelsOf.get(name)?.has(label), `${name}{${label}}`)
      }
    }
  })
})

describe("the alerts", () => {
  const tests = readFileSync(fileOf("alerts_test.yaml"), "utf8")
  const page = readFileSync(new URL("../../../../../docs/observability/alerts.md", import.meta.url), "utf8")

  it.each(alerts)("$alert has a test in which it fires, one in which it does not, and a runbook", ({ alert }) => {
    assert.match(tests, new RegExp(`alertname: ${alert}\\n +exp_alerts:`))
    assert.match(tests, new RegExp(`alertname: ${alert} }`))
    assert.include(page, `## ${alert}\n`)
  })
})
