/**
 * What looks at the project: that its parts find each other, and ask for what the process really exposes.
 */
import { imageOf } from "./container.ts"
import { expect, type Files, type Runner } from "./files.ts"
import { type Names, namesIn } from "./promql.ts"
import { at, documents, keys, list, text } from "./tree.ts"

const folder = "observability"
const compose = `${folder}/compose.yaml`
const dashboard = `${folder}/grafana/dashboards/ergon.json`

const one = (files: Files, file: string): unknown => documents(files.read(`${folder}/${file}`))[0]

/** The host and port of every URL that a file has, but for this machine. */
const hosts = (source: string): ReadonlyArray<readonly [host: string, port: string]> =>
  [...source.matchAll(/https?:\/\/([\w.-]+):(\d+)/g)].map(([, host = "", port = ""]) => [host, port] as const)

const listening = (files: Files): ReadonlyMap<string, ReadonlyArray<string>> => {
  const portIn = (endpoint: string) => endpoint.split(":").at(-1) ?? ""
  return new Map([
    ["prometheus", ["9090"]],
    ["loki", [text(one(files, "loki.yaml"), "server.http_listen_port")]],
    ["tempo", [
      text(one(files, "tempo.yaml"), "server.http_listen_port"),
      portIn(text(one(files, "tempo.yaml"), "distributor.receivers.otlp.protocols.http.endpoint"))
    ]],
    ["collector", [portIn(text(one(files, "collector.yaml"), "receivers.otlp.protocols.http.endpoint"))]]
  ])
}

const problemsOfCompose = (files: Files): ReadonlyArray<string> => {
  const tree = one(files, "compose.yaml")
  const services = keys(tree, "services")
  return services.flatMap((name) => {
    const service = at(tree, `services.${name}`)
    const texts = (path: string) => list(service, path).map(String)
    return [
      ...expect(/:v?\d[\w.-]*$/.test(text(service, "image")), `${compose}: ${name} has no version`),
      ...texts("volumes").flatMap((volume) => {
        const [source = "", , mode] = volume.split(":")
        return [
          ...expect(files.has(`${folder}/${source}`), `${compose}: ${name} mounts ${source}, which is not there`),
          ...expect(mode === "ro", `${compose}: ${name} may write to ${source}`)
        ]
      }),
      ...texts("ports").flatMap((port) =>
        expect(port.startsWith("127.0.0.1:"), `${compose}: ${name} opens ${port} to the network`)
      ),
      ...texts("depends_on").flatMap((other) =>
        expect(services.includes(other), `${compose}: ${name} waits for ${other}, which is no service`)
      )
    ]
  })
}

const problemsOfHosts = (files: Files): ReadonlyArray<string> => {
  const services = keys(one(files, "compose.yaml"), "services")
  const ports = listening(files)
  return ["collector.yaml", "grafana/provisioning/datasources/datasources.yaml"].flatMap((file) =>
    hosts(files.read(`${folder}/${file}`)).flatMap(([host, port]) =>
      expect(
        services.includes(host) && ports.get(host)?.includes(port) === true,
        `${folder}/${file}: nobody listens at ${host}:${port}`
      )
    )
  )
}

const problemsOfCollector = (files: Files): ReadonlyArray<string> => {
  const tree = one(files, "collector.yaml")
  return keys(tree, "service.pipelines").flatMap((pipeline) =>
    ["receivers", "processors", "exporters"].flatMap((kind) =>
      list(tree, `service.pipelines.${pipeline}.${kind}`).map(String).flatMap((name) =>
        expect(
          keys(tree, kind).includes(name),
          `${folder}/collector.yaml: ${pipeline} uses "${name}", which is not set`
        )
      )
    )
  )
}

const problemsOfScraping = (files: Files, runner: Runner): ReadonlyArray<string> => [
  ...list(one(files, "prometheus.yaml"), "rule_files").map(String).flatMap((file) => {
    const mount = `./${file}:/etc/prometheus/${file}:ro`
    return expect(
      list(one(files, "compose.yaml"), "services.prometheus.volumes").includes(mount),
      `${folder}/prometheus.yaml: reads ${file}, which is not mounted beside it`
    )
  }),
  ...list(one(files, "prometheus.yaml"), "scrape_configs").flatMap((job) => [
    ...expect(
      text(job, "metrics_path") === runner.routes.metrics,
      `${folder}/prometheus.yaml: asks for ${text(job, "metrics_path")}, not ${runner.routes.metrics}`
    ),
    ...list(job, "static_configs").flatMap((config) => list(config, "targets")).map(String).flatMap((target) =>
      expect(
        target.endsWith(`:${imageOf(files).port}`),
        `${folder}/prometheus.yaml: ${target} is not the process's port`
      )
    )
  ])
]

const queriesOf = (tree: unknown): ReadonlyArray<{ readonly panel: string; readonly query: string }> =>
  list(tree, "panels").flatMap((panel) =>
    list(panel, "targets").map((target) => ({ panel: text(panel, "title"), query: text(target, "expr") }))
  )

const problemsOfDashboard = (files: Files, exposed: Names): ReadonlyArray<string> => {
  const tree: unknown = JSON.parse(files.read(dashboard))
  const sources = list(one(files, "grafana/provisioning/datasources/datasources.yaml"), "datasources")
    .map((source) => text(source, "uid"))
  const used = [...files.read(dashboard).matchAll(/"uid": "([\w-]+)" \}/g)].map(([, uid = ""]) => uid)
  const queries = [
    ...queriesOf(tree),
    ...list(tree, "templating.list").map((variable) => ({
      panel: `$${text(variable, "name")}`,
      query: text(variable, "definition").replace(/^label_values\(([^,]*), (\w+)\)$/, "sum by ($2) ($1)")
    }))
  ]
  return [
    ...expect(queries.length > 5, `${dashboard}: hardly asks for anything`),
    ...queries.flatMap(({ panel, query }) => {
      const { labels, metrics } = namesIn(query)
      return [
        ...expect(metrics.size > 0, `${dashboard}: "${panel}" asks for nothing: ${query}`),
        ...[...metrics].flatMap((name) =>
          expect(exposed.metrics.has(name), `${dashboard}: "${panel}" asks for ${name}, which nobody exposes`)
        ),
        ...[...labels].flatMap((name) =>
          expect(exposed.labels.has(name), `${dashboard}: "${panel}" uses the label ${name}, which nothing carries`)
        )
      ]
    }),
    ...used.flatMap((uid) => expect(sources.includes(uid), `${dashboard}: there is no data source "${uid}"`))
  ]
}

const problemsOfProvisioning = (files: Files): ReadonlyArray<string> => {
  const tree = one(files, "compose.yaml")
  const mounts = list(tree, "services.grafana.volumes").map((volume) => String(volume).split(":")[1])
  const [provider] = list(one(files, "grafana/provisioning/dashboards/dashboards.yaml"), "providers")
  const home = text(tree, "services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")
  return [
    ...expect(
      mounts.includes(text(provider, "options.path")),
      `${folder}/grafana: the dashboards are mounted elsewhere`
    ),
    ...expect(home === `${text(provider, "options.path")}/ergon.json`, `${compose}: the home dashboard is elsewhere`)
  ]
}

/** `exposed`: what /metrics of the running project answers with, and what it would with workers. */
export const problemsOfObservability = (files: Files, runner: Runner, exposed: Names): ReadonlyArray<string> => [
  ...problemsOfCompose(files),
  ...problemsOfHosts(files),
  ...problemsOfCollector(files),
  ...problemsOfScraping(files, runner),
  ...problemsOfProvisioning(files),
  ...problemsOfDashboard(files, exposed)
]
