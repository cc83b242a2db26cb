/**
 * A project as it was generated: checked, tested and run, as a newcomer and a supervisor do.
 */
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import type { Children, Ended } from "./child.ts"
import { imageOf } from "./container.ts"
import { expect, type Files, type Runner } from "./files.ts"
import { type Names, namesOf } from "./promql.ts"
import { list, number, text } from "./tree.ts"

export interface Project {
  readonly directory: string
  readonly files: Files
  readonly task: string
  readonly samples: string
  /** The samples: how many there are, and how many of them are given up. */
  readonly sent: number
  readonly dead: number
  readonly runner: Runner
}

const failed = (what: string, { code, output, signal }: Ended): ReadonlyArray<string> => [
  `${what} ended with ${signal ?? code}:\n${output.trimEnd().replaceAll(/^/gm, "  | ")}`
]

/** A port that nobody listens at. */
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = net.createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const get = async (url: string): Promise<{ readonly status: number; readonly body: string }> => {
  try {
    const response = await fetch(url)
    return { status: response.status, body: await response.text() }
  } catch {
    return { status: 0, body: "" }
  }
}

/** Asks until the answer is right. Gives the last one when it never is, within a minute. */
const until = async <A>(ask: () => Promise<A>, right: (answer: A) => boolean): Promise<A> => {
  const end = Date.now() + 60_000
  for (;;) {
    const answer = await ask()
    if (right(answer) || Date.now() > end) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export const check = async ({ run }: Children, project: Project): Promise<ReadonlyArray<string>> => {
  const types = await run(project.directory, ["npm", "run", "--silent", "check"])
  const tests = await run(project.directory, ["npm", "test", "--silent"])
  return [
    ...(types.code === 0 ? [] : failed("npm run check", types)),
    ...(tests.code === 0 && /Tests .*\d passed/.test(tests.output) ? [] : failed("npm test", tests))
  ]
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether /status says that all samples were worked on. */
const countedAll = ({ dead, sent, task }: Project, body: string): boolean =>
  list(json(body), "tasks").some((one) =>
    text(one, "task") === task && number(one, "summary.succeeded") === sent - dead &&
    number(one, "summary.deadLettered") === dead
  )

/** Lists, plans, sends the samples and works on them to the end. */
export const runToEnd = async ({ run }: Children, project: Project): Promise<ReadonlyArray<string>> => {
  const { dead, directory, samples, sent, task } = project
  const listed = await run(directory, ["ergon", "list", "--json"])
  const planned = await run(directory, ["npm", "run", "--silent", "plan"])
  const produced = await run(directory, ["ergon", "run", samples])
  const done = await run(directory, ["ergon", "run", task, "--once", "--json"])
  const letters = await run(directory, ["ergon", "dead-letters", task, "list", "--json"])
  const names = list({ all: json(listed.stdout) }, "all").map((one) => text(one, "name"))
  const [summary] = list({ all: json(done.stdout) }, "all")
  return [
    ...(names.includes(task) && names.includes(samples) && names.length === 2 ? [] : failed("ergon list", listed)),
    ...(planned.code === 0 && planned.stdout.includes(task) ? [] : failed("npm run plan", planned)),
    ...(produced.code === 0 ? [] : failed(`ergon run ${samples}`, produced)),
    ...(done.code === 0 && number(summary, "succeeded") === sent - dead && number(summary, "deadLettered") === dead
      ? []
      : failed(`ergon run ${task} --once`, done)),
    ...(letters.code === 0 && letters.stdout.split("sample-").length > dead
      ? []
      : failed(`ergon dead-letters ${task} list`, letters))
  ]
}

/** `npm start` in a terminal, and Ctrl-C once there is something to see. */
export const startAndInterrupt = async (
  { start }: Children,
  { directory, task }: Project
): Promise<ReadonlyArray<string>> => {
  const running = start(directory, ["npm", "start", "--silent"])
  await running.said("sample-")
  running.signal("SIGINT", true)
  const ended = await running.ended
  return ended.output.includes("draining") && new RegExp(`${task}: \\d+ fetched`).test(ended.output)
    ? []
    : failed("npm start, interrupted", ended)
}

/** Nobody starts again what is wrong in itself: the exit code that says so. */
export const refuse = async (
  { run }: Children,
  { directory, runner, task }: Project
): Promise<ReadonlyArray<string>> => {
  const variable = `ERGON_${task.toUpperCase().replaceAll("-", "_")}_LOOP_CONCURRENCY`
  const ended = await run(directory, ["ergon", "run", task], { [variable]: "many" })
  return ended.code === runner.exitCodes.usage && ended.output.includes(variable)
    ? []
    : failed(`a run with ${variable}=many`, ended)
}

/**
 * What the container runs: its command and its variables, but for the port; what the probes ask, what HEALTHCHECK runs,
 * what Prometheus is told, and SIGTERM in the end.
 */
export const serve = async (
  { run, start }: Children,
  project: Project
): Promise<{ readonly problems: ReadonlyArray<string>; readonly exposed: Names }> => {
  const { dead, directory, files, runner, samples, sent } = project
  const image = imageOf(files)
  const port = await freePort()
  const url = (route: string): string => `http://127.0.0.1:${port}${route}`
  const variables = { ...Object.fromEntries(image.environment), ERGON_HTTP_PORT: `${port}` }
  const running = start(directory, image.command, variables)
  const sending = run(directory, ["ergon", "run", samples, "--quiet"])
  const health = () => run(directory, image.health.map((word) => word.replaceAll(image.port, `${port}`)))

  const nothing: Names = { metrics: new Set(), labels: new Set() }
  const live = await until(() => get(url(runner.routes.live)), ({ status }) => status === 200)
  if (live.status !== 200) {
    running.signal("SIGKILL")
    await sending
    return {
      exposed: nothing,
      problems: failed(`${image.command.join(" ")}: nobody answers at /live;`, await running.ended)
    }
  }
  const ready = await until(() => get(url(runner.routes.ready)), ({ status }) => status === 200)
  const healthy = await health()
  const produced = await sending
  const status = await until(() => get(url("/status")), (answer) => countedAll(project, answer.body))
  const metrics = await get(url(runner.routes.metrics))
  running.signal("SIGTERM")
  const ended = await running.ended
  const gone = await health()
  return {
    exposed: metrics.status === 200 ? namesOf(metrics.body) : nothing,
    problems: [
      ...expect(ready.status === 200, `${runner.routes.ready} answers with ${ready.status}: ${ready.body}`),
      ...expect(metrics.status === 200, `${runner.routes.metrics} answers with ${metrics.status}: ${metrics.body}`),
      ...expect(countedAll(project, status.body), `/status never counts ${sent - dead} and ${dead}: ${status.body}`),
      ...(produced.code === 0 ? [] : failed(`ergon run ${samples}, beside it`, produced)),
      ...(healthy.code === 0 ? [] : failed("HEALTHCHECK of a healthy container", healthy)),
      ...(gone.code === 1 ? [] : failed("HEALTHCHECK of a container that is gone", gone)),
      ...(ended.code === runner.exitCodes.terminated ? [] : failed("SIGTERM", ended))
    ]
  }
}

/**
 * What /metrics would tell besides: of workers, which the example has none of, and of what has not happened in it. From
 * the names modules of the packed packages.
 */
export const declared = async (place: string): Promise<Names> => {
  const load = (file: string) => import(pathToFileURL(path.join(place, "node_modules/@ergon", file)).href)
  const { families, labelName, prometheusName, workerLabel }: {
    readonly families: Readonly<Record<string, { readonly name: string }>>
    readonly labelName: (attribute: string) => string
    readonly prometheusName: (instrument: Instrument) => string
    readonly workerLabel: string
  } = await load("node/dist/internal/http/names.js")
  const { metrics }: { readonly metrics: Readonly<Record<string, Instrument>> } = await load("core/dist/Telemetry.js")
  const instruments = Object.values(metrics)
  return {
    metrics: new Set([
      ...Object.values(families).map(({ name }) => name),
      ...instruments.flatMap((instrument) =>
        (instrument.kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map((part) =>
          prometheusName(instrument) + part
        )
      )
    ]),
    labels: new Set([workerLabel, "le", ...instruments.flatMap(({ labels }) => labels.map(labelName))])
  }
}

interface Instrument {
  readonly kind: string
  readonly labels: ReadonlyArray<string>
}

/** What the project itself says of its policy, decided by the packed core. */
export const runnerOf = async (
  { run }: Children,
  directory: string,
  task: string
): Promise<Runner> => {
  const manifest: unknown = JSON.parse(fs.readFileSync(path.join(directory, "package.json"), "utf8"))
  const program = `
    import { Policy } from "@ergon/core"
    import { Duration } from "effect"
    import { policy } from "./src/tasks/${task}/policy.ts"
    const { shutdown, supervision } = Policy.make(policy)
    console.log(JSON.stringify({
      stop: Duration.toSeconds(shutdown.grace) + Duration.toSeconds(shutdown.close),
      startGrace: Duration.toSeconds(supervision.startGrace),
      unhealthyGrace: Duration.toSeconds(supervision.unhealthyGrace)
    }))`
  const ended = await run(directory, ["node", "--input-type=module", "--eval", program])
  if (ended.code !== 0) throw new Error(failed("reading the policy", ended).join("\n"))
  return {
    project: text(manifest, "name"),
    task,
    main: text(manifest, "ergon.main"),
    ...JSON.parse(ended.stdout),
    leastNode: Number(/\d+/.exec(text(manifest, "engines.node"))?.[0]),
    exitCodes: { usage: 2, terminated: 143 },
    routes: { live: "/live", ready: "/ready", metrics: "/metrics" }
  }
}
