/**
 * The manifest for Kubernetes, compared with what the runner does and with the image.
 */
import { imageOf } from "./container.ts"
import { expect, type Files, type Runner } from "./files.ts"
import { at, documents, list, number, text } from "./tree.ts"

const file = "deploy/kubernetes.yaml"
const pod = "spec.template.spec"

const same = (left: unknown, right: unknown): boolean =>
  left !== undefined && JSON.stringify(left) === JSON.stringify(right)

/** How long a probe fails before the kubelet acts, in seconds. */
const patience = (container: unknown, probe: string): number =>
  number(container, `${probe}.periodSeconds`, 10) * number(container, `${probe}.failureThreshold`, 3)

export const problemsOfManifest = (files: Files, runner: Runner): ReadonlyArray<string> => {
  const all = documents(files.read(file))
  const ofKind = (kind: string) => all.filter((one) => text(one, "kind") === kind)
  const [deployment] = ofKind("Deployment")
  const [container] = list(deployment, `${pod}.containers`)
  const [budget] = ofKind("PodDisruptionBudget")
  const claims = ofKind("PersistentVolumeClaim").map((claim) => text(claim, "metadata.name"))
  const image = imageOf(files)
  const labels = at(deployment, "spec.template.metadata.labels")
  const grace = number(deployment, `${pod}.terminationGracePeriodSeconds`, 30)
  const hook = number(container, "lifecycle.preStop.sleep.seconds", 0)
  const annotations: object = Object(at(deployment, "spec.template.metadata.annotations"))
  const annotation = (name: string): unknown => Reflect.get(annotations, `prometheus.io/${name}`)
  const volumes = list(deployment, `${pod}.volumes`)
  const mounts = list(container, "volumeMounts")
  const port = list(container, "ports").find((one) => text(one, "name") === "http")
  const probe = (name: string, path: string): ReadonlyArray<string> => [
    ...expect(
      text(container, `${name}.httpGet.path`) === path,
      `${file}: ${name} asks ${text(container, `${name}.httpGet.path`)}, not ${path}`
    ),
    ...expect(text(container, `${name}.httpGet.port`) === "http", `${file}: ${name} asks another port than "http"`)
  ]
  const database = list(container, "env").find((one) => text(one, "name") === "DATABASE_FILE")
  return [
    ...expect(deployment !== undefined && budget !== undefined, `${file}: no Deployment, or no PodDisruptionBudget`),
    ...expect(
      grace > runner.stop + hook,
      `${file}: kills after ${grace} s, within the ${runner.stop} s that a stop may take, and ${hook} s of preStop`
    ),
    ...probe("startupProbe", runner.routes.live),
    ...probe("livenessProbe", runner.routes.live),
    ...probe("readinessProbe", runner.routes.ready),
    ...expect(
      patience(container, "startupProbe") >= runner.startGrace,
      `${file}: startupProbe gives up before supervision.startGrace, ${runner.startGrace} s`
    ),
    ...expect(
      patience(container, "livenessProbe") > runner.unhealthyGrace + runner.stop,
      `${file}: livenessProbe kills before the process has drained by itself, within ` +
        `${runner.unhealthyGrace} + ${runner.stop} s`
    ),
    ...expect(text(port, "containerPort") === image.port, `${file}: the port "http" is not that of the image`),
    ...expect(annotation("port") === image.port, `${file}: Prometheus is sent to port ${annotation("port")}`),
    ...expect(annotation("path") === runner.routes.metrics, `${file}: Prometheus is sent to ${annotation("path")}`),
    ...expect(
      same(list(container, "args"), ["run", runner.task]) && at(container, "command") === undefined,
      `${file}: the container does not run ${runner.task}`
    ),
    ...expect(
      same(at(deployment, "spec.selector.matchLabels"), labels) &&
        same(at(budget, "spec.selector.matchLabels"), labels),
      `${file}: a selector does not select the pods`
    ),
    ...expect(
      number(budget, "spec.maxUnavailable") >= 1 && at(budget, "spec.minAvailable") === undefined,
      `${file}: the budget forbids that a node is emptied`
    ),
    ...expect(
      number(deployment, "spec.replicas") === 1 && text(deployment, "spec.strategy.type") === "Recreate",
      `${file}: several pods would each have a SQLite file of their own, or one file at the same time`
    ),
    ...expect(at(deployment, `${pod}.securityContext.runAsNonRoot`) === true, `${file}: may run as root`),
    ...mounts.flatMap((mount) =>
      expect(
        volumes.some((volume) => text(volume, "name") === text(mount, "name")),
        `${file}: mounts "${text(mount, "name")}", which is no volume`
      )
    ),
    ...volumes.map((volume) => text(volume, "persistentVolumeClaim.claimName")).filter((name) => name !== "").flatMap(
      (name) => expect(claims.includes(name), `${file}: claims "${name}", which nobody makes`)
    ),
    ...expect(
      mounts.some((mount) => text(mount, "mountPath") === image.volume) &&
        text(database, "value").startsWith(`${image.volume}/`),
      `${file}: the database is not on the volume of the image, ${image.volume}`
    )
  ]
}
