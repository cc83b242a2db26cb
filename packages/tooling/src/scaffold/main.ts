/**
 * `npm run check:scaffold`: makes a project of each template with the packed command, installs the packed packages in it,
 * checks its types, runs its tests and its example, stops it as supervisors do, and compares what deploys and watches it
 * with what the runner really does. Needs the output of `tsc -b`. Exits with 1 when anything is wrong.
 *
 * Not run here: images, clusters, Grafana, GitHub. Their files are parsed, and compared.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { publishable } from "../architecture/rule.ts"
import { load, root } from "../workspace/workspace.ts"
import { children } from "./child.ts"
import { problemsOfContainer } from "./container.ts"
import { check, declared, type Project, refuse, runnerOf, runToEnd, serve, startAndInterrupt } from "./example.ts"
import { filesIn } from "./files.ts"
import { overwritesNothing } from "./generated.ts"
import { problemsOfManifest } from "./kubernetes.ts"
import { problemsOfObservability } from "./observability.ts"
import { prepare } from "./place.ts"
import { problemsOfUnit } from "./service.ts"
import { verifyUnit } from "./verify.ts"
import { problemsOfWorkflow } from "./workflow.ts"

const examples = [
  { template: "consumer", name: "consumer-project", task: "notify", samples: "sample-notifications" },
  { template: "hybrid", name: "hybrid.project", task: "orders", samples: "sample-orders" }
]
const packages = ["@ergon/cli", "@ergon/core", "@ergon/node", "@ergon/sql"]
const theirs = ["@effect/platform-node", "@effect/vitest", "@types/node", "effect", "typescript", "vitest"]

const started = Date.now()
const required = process.env["ERGON_SERVICES"] === "required"
const problems: Array<string> = []
const notes: Array<string> = []
const programs = children()
const place = prepare(root, publishable(load(root)), [...packages, ...theirs])

const checkExample = async ({ name, samples, task, template }: typeof examples[number]): Promise<void> => {
  const say = (found: ReadonlyArray<string>): void => void problems.push(...found.map((one) => `${template}: ${one}`))
  const made = await programs.run(place.directory, ["ergon", "init", name, "--template", template, "--task", task])
  if (made.code !== 0) return say([`ergon init ended with ${made.code}: ${made.output}`])
  const directory = path.join(place.directory, name)
  fs.symlinkSync("../node_modules", path.join(directory, "node_modules"))

  const files = filesIn(directory)
  const runner = await runnerOf(programs, directory, task)
  const project: Project = { directory, files, task, samples, sent: 50, dead: 5, runner }
  say(await check(programs, project))
  say(await runToEnd(programs, project))
  say(await refuse(programs, project))
  const served = await serve(programs, project)
  say(served.problems)
  say(await startAndInterrupt(programs, project))

  say(problemsOfContainer(files, runner))
  say(problemsOfManifest(files, runner))
  say(problemsOfUnit(files, runner))
  say(problemsOfWorkflow(files, runner))
  const named = await declared(place.directory)
  say(problemsOfObservability(files, runner, {
    metrics: served.exposed.metrics.union(named.metrics),
    labels: served.exposed.labels.union(named.labels)
  }))
  const verdict = verifyUnit(files, runner, place.directory, required)
  say(verdict.problems)
  if (verdict.skipped !== undefined) notes.push(verdict.skipped)
}

try {
  problems.push(...place.problems)
  await Promise.all([
    ...examples.map(checkExample),
    overwritesNothing(programs, place).then((found) => {
      problems.push(...found)
    })
  ])
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error))
} finally {
  programs.stop()
  place.remove()
}

for (const note of notes) console.log(note)
for (const problem of problems) console.error(problem)
const seconds = ((Date.now() - started) / 1000).toFixed(1)
console.log(
  `scaffold: ${examples.map(({ template }) => template).join(", ")}; parsed and compared, not run: image, compose, ` +
    `Kubernetes, GitHub; ${problems.length} problems, in ${seconds} s`
)
process.exitCode = problems.length === 0 ? 0 : 1
