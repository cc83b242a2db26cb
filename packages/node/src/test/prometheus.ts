/** A strict reader of the text format of Prometheus: it throws at whatever Prometheus would refuse, and at bad manners. */
const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/
const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

const labelsOf = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {}
  pair.lastIndex = 0
  while (pair.lastIndex < text.length) {
    const found = pair.exec(text)
    if (found === null) throw new Error(`bad labels: ${text}`)
    const [, key = "", value = ""] = found
    if (key in labels) throw new Error(`label ${key} stands twice: ${text}`)
    labels[key] = value
  }
  return labels
}

export interface Metrics {
  /** The value with exactly these labels. */
  readonly get: (name: string, labels?: Record<string, string>) => number | undefined
  readonly names: ReadonlyArray<string>
}

const keyOf = (metric: string, labels: Record<string, string>): string =>
  JSON.stringify([metric, Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1)])

export const parse = (text: string): Metrics => {
  if (!text.endsWith("\n")) throw new Error("it does not end with a line")
  const types = new Map<string, string>()
  const helped = new Set<string>()
  const values = new Map<string, number>()
  let current = ""
  for (const line of text.slice(0, -1).split("\n")) {
    const [hash, what, of = "", ...rest] = line.split(" ")
    if (hash === "#") {
      if (!name.test(of)) throw new Error(`bad name: ${line}`)
      if (what === "HELP") {
        if (helped.has(of) || rest.length === 0) throw new Error(`HELP twice, or empty: ${line}`)
        helped.add(of)
      } else if (what === "TYPE") {
        if (types.has(of)) throw new Error(`TYPE twice: ${line}`)
        if (!["counter", "gauge", "histogram", "summary"].includes(rest.join(" "))) throw new Error(`bad type: ${line}`)
        types.set(of, rest.join(" "))
        current = of
      } else throw new Error(`bad comment: ${line}`)
      continue
    }
    const found = sample.exec(line)
    if (found === null) throw new Error(`bad line: ${line}`)
    const [, metric = "", labels = "", value = ""] = found
    const ofHistogram = types.get(current) === "histogram" && /_(bucket|sum|count)$/.test(metric)
    if (metric !== current && !(ofHistogram && metric.startsWith(current)))
      throw new Error(`out of its family: ${line}`)
    if (types.get(current) === "counter" && current.startsWith("ergon_") && !metric.endsWith("_total")) {
      throw new Error(`a counter without _total: ${line}`)
    }
    const key = keyOf(metric, labelsOf(labels))
    if (values.has(key)) throw new Error(`stands twice: ${line}`)
    values.set(key, Number(value.replace("Inf", "Infinity")))
  }
  return { get: (metric, labels = {}) => values.get(keyOf(metric, labels)), names: [...types.keys()] }
}
