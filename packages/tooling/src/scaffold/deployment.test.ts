import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { filesBelow, root } from "../workspace/workspace.ts"
import { problemsOfContainer } from "./container.ts"
import type { Files, Runner } from "./files.ts"
import { problemsOfManifest } from "./kubernetes.ts"
import { problemsOfObservability } from "./observability.ts"
import { namesIn } from "./promql.ts"
import { problemsOfUnit } from "./service.ts"
import { list, text } from "./tree.ts"
import { problemsOfWorkflow } from "./workflow.ts"

const runner: Runner = {
  project: "shop",
  task: "orders",
  main: "src/main.ts",
  stop: 40,
  startGrace: 60,
  unhealthyGrace: 30,
  leastNode: 22,
  exitCodes: { usage: 2, terminated: 143 },
  routes: { live: "/live", ready: "/ready", metrics: "/metrics" }
}

const words: Readonly<Record<string, string>> = {
  __PROJECT__: "shop",
  __LABEL__: "shop",
  __TASK__: "orders",
  __SAMPLES__: "sample-orders"
}
const fill = (text: string): string => text.replaceAll(/__[A-Z]+__/g, (word) => words[word] ?? word)

const published: Readonly<Record<string, string>> = {
  _dockerignore: ".dockerignore",
  "_github/workflows/check.yml": ".github/workflows/check.yml",
  "_package.json": "package.json"
}

const shared = "packages/cli/templates/shared"
const sources = new Map(
  filesBelow(root, shared, () => true).map((file) => {
    const within = fill(path.posix.relative(shared, file))
    return [published[within] ?? within, fill(fs.readFileSync(path.join(root, file), "utf8"))] as const
  })
)

/** The files of the template, one of them changed. Fails when there is nothing to change. */
const files = (file?: string, from = "", to = ""): Files => {
  const changed = new Map(sources)
  if (file !== undefined) {
    const before = changed.get(file) ?? ""
    assert.include(before, from)
    changed.set(file, before.replaceAll(from, to))
  }
  const all = [...changed.keys()]
  return {
    has: (name) => {
      const wanted = path.posix.normalize(name)
      return all.some((one) => one === wanted || one.startsWith(`${wanted}/`))
    },
    read: (name) => changed.get(name) ?? assert.fail(`${name} is not there`)
  }
}

const dashboard = sources.get("observability/grafana/dashboards/ergon.json") ?? "{}"
const queries = list(JSON.parse(dashboard), "panels").flatMap((panel) =>
  list(panel, "targets").map((target) => text(target, "expr"))
)
const exposed = {
  metrics: new Set(queries.flatMap((query) => [...namesIn(query).metrics])),
  labels: new Set(["ergon_task", ...queries.flatMap((query) => [...namesIn(query).labels])])
}

const problemsOf = (given: Files): ReadonlyArray<string> => [
  ...problemsOfContainer(given, runner),
  ...problemsOfUnit(given, runner),
  ...problemsOfManifest(given, runner),
  ...problemsOfWorkflow(given, runner),
  ...problemsOfObservability(given, runner, exposed)
]

const unit = "deploy/shop.service"
const manifest = "deploy/kubernetes.yaml"
const compose = "observability/compose.yaml"

const mistakes: ReadonlyArray<readonly [file: string, from: string, to: string, problem: string]> = [
  ["Dockerfile", "USER node", "USER root", "runs as root"],
  ["Dockerfile", "ENTRYPOINT [\"node\", \"src/main.ts\"]", "ENTRYPOINT node src/main.ts", "not in exec form"],
  ["Dockerfile", "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGINT", "STOPSIGNAL is not SIGTERM"],
  ["Dockerfile", "9464/live", "9464/health", "HEALTHCHECK does not ask"],
  ["Dockerfile", "EXPOSE 9464", "EXPOSE 8080", "ERGON_HTTP_PORT is 9464"],
  ["Dockerfile", "--start-period=60s", "--start-period=5s", "under supervision.startGrace"],
  ["Dockerfile", "FROM node:24-slim", "FROM node:20-slim", "older than Node 22"],
  ["Dockerfile", "ERGON_HTTP_HOST=0.0.0.0", "ERGON_HTTP_HOST=127.0.0.1", "nobody outside"],
  [".dockerignore", "!src", "", "leaves src out"],
  [unit, "TimeoutStopSec=50", "TimeoutStopSec=40", "within the 40 s that a stop may take"],
  [unit, "TimeoutStopSec=50", "TimeoutStopSec=0.5min", "within the 40 s"],
  [unit, "RestartPreventExitStatus=2", "RestartPreventExitStatus=1", "starts again after an exit with 2"],
  [unit, "SuccessExitStatus=143", "SuccessExitStatus=130", "an exit with 143"],
  [unit, "KillMode=mixed", "KillMode=control-group", "KillMode is control-group"],
  [unit, "Type=exec", "Type=simple", "Type is simple"],
  [unit, "run orders", "run sample-orders", "not node on src/main.ts for orders"],
  [unit, "StateDirectory=shop", "StateDirectory=other", "not in the StateDirectory"],
  [manifest, "terminationGracePeriodSeconds: 50", "terminationGracePeriodSeconds: 30", "within the 40 s"],
  [manifest, "      terminationGracePeriodSeconds: 50\n", "", "kills after 30 s"],
  [manifest, "path: /ready", "path: /live", "readinessProbe asks /live"],
  [manifest, "failureThreshold: 12", "failureThreshold: 3", "startupProbe gives up"],
  [manifest, "failureThreshold: 6", "failureThreshold: 3", "livenessProbe kills"],
  [manifest, "containerPort: 9464", "containerPort: 8080", "is not that of the image"],
  [manifest, "prometheus.io/port: \"9464\"", "prometheus.io/port: \"8080\"", "sent to port 8080"],
  [manifest, "maxUnavailable: 1", "minAvailable: 1", "forbids that a node is emptied"],
  [manifest, "replicas: 1", "replicas: 3", "several pods"],
  [manifest, "claimName: shop-data", "claimName: data", "which nobody makes"],
  [manifest, "mountPath: /app/data", "mountPath: /data", "not on the volume"],
  [manifest, "args: [\"run\", \"orders\"]", "args: [\"run\", \"other\"]", "does not run orders"],
  [compose, "127.0.0.1:3000:3000", "3000:3000", "to the network"],
  [compose, "./loki.yaml:", "./loki.yml:", "mounts ./loki.yml"],
  [compose, "grafana/grafana:12.1.0", "grafana/grafana:latest", "has no version"],
  ["observability/collector.yaml", "http://loki:3100", "http://loki:3101", "nobody listens at loki:3101"],
  ["observability/collector.yaml", "exporters: [otlphttp/tempo]", "exporters: [tempo]", "uses \"tempo\""],
  ["observability/prometheus.yaml", ":9464", ":9999", "is not the process's port"],
  [".github/workflows/check.yml", "- run: npm ci", "- run: npm install", "does not run npm ci"],
  [".github/workflows/check.yml", "[22, 24]", "[20, 24]", "22 is the least"]
]

describe("what deploys a project", () => {
  it("agrees with the runner", () => {
    assert.deepStrictEqual(problemsOf(files()), [])
  })

  for (const [file, from, to, problem] of mistakes) {
    it(`is found out: ${file}, ${(to === "" ? `without ${from}` : to).trim()}`, () => {
      const found = problemsOf(files(file, from, to))
      assert.isTrue(found.some((one) => one.includes(problem)), found.join("\n"))
    })
  }

  it("is found out when the policy changes and the files do not", () => {
    const slower = { ...runner, stop: 60 }
    assert.lengthOf(problemsOfUnit(files(), slower), 1)
    assert.isAtLeast(problemsOfManifest(files(), slower).length, 1)
  })

  it("is found out when the dashboard asks for what nobody exposes", () => {
    const [first = ""] = exposed.metrics
    const without = { ...exposed, metrics: exposed.metrics.difference(new Set([first])) }
    const found = problemsOfObservability(files(), runner, without)
    assert.isTrue(found.some((one) => one.includes(`${first}, which nobody exposes`)), found.join("\n"))
  })
})
