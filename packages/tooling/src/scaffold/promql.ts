/**
 * The names that a query of Prometheus asks for, and those that a process exposes.
 */
export interface Names {
  readonly metrics: ReadonlySet<string>
  readonly labels: ReadonlySet<string>
}

const keywords = new Set("by without on ignoring group_left group_right and or unless bool offset".split(" "))

/** Labels that Prometheus itself adds. */
const ofPrometheus = new Set(["job", "instance"])

/** Variables of Grafana, such as `$task` and `$__rate_interval`, stand for values and are no names. */
export const namesIn = (query: string): Names => {
  const labels = new Set<string>()
  const metrics = new Set<string>()
  const rest = query
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "\"\"")
    .replaceAll(/\{([^}]*)\}/g, (_, inner: string) => {
      for (const [, label = ""] of inner.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)/g)) labels.add(label)
      return " "
    })
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g, (_, inner: string) => {
      for (const label of inner.split(",")) if (label.trim() !== "") labels.add(label.trim())
      return " "
    })
    .replaceAll(/\[[^\]]*\]/g, " ")
    .replaceAll(/\$\w+/g, " ")
  for (const [name] of rest.matchAll(/\b[a-zA-Z_:][\w:]*\b(?!\s*\()/g)) if (!keywords.has(name)) metrics.add(name)
  return { metrics, labels: labels.difference(ofPrometheus) }
}

/** What an answer of /metrics holds. */
export const namesOf = (exposition: string): Names => {
  const metrics = new Set<string>()
  const labels = new Set<string>()
  for (const line of exposition.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
    const [, name = "", inner = ""] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s/.exec(line) ?? []
    if (name === "") throw new Error(`/metrics answers with ${JSON.stringify(line)}`)
    metrics.add(name)
    for (const [, label = ""] of inner.matchAll(/([a-zA-Z_]\w*)="/g)) labels.add(label)
  }
  return { metrics, labels }
}
