/**
 * The workflow for GitHub: that it runs what the project has.
 */
import { expect, type Files, type Runner } from "./files.ts"
import { documents, keys, list, text } from "./tree.ts"

const file = ".github/workflows/check.yml"

export const problemsOfWorkflow = (files: Files, runner: Runner): ReadonlyArray<string> => {
  const [workflow] = documents(files.read(file))
  const scripts = keys(JSON.parse(files.read("package.json")), "scripts")
  const steps = list(workflow, "jobs.check.steps")
  const commands = steps.map((step) => text(step, "run")).filter((command) => command !== "")
  const versions = list(workflow, "jobs.check.strategy.matrix.node").map(Number)
  return [
    ...["npm ci", "npm run check", "npm test"].flatMap((command) =>
      expect(commands.includes(command), `${file}: does not run ${command}`)
    ),
    ...["start", "dev", "test", "check", "plan"].flatMap((script) =>
      expect(scripts.includes(script), `package.json: no script "${script}"`)
    ),
    ...expect(
      versions.length > 0 && versions.every((version) => version >= runner.leastNode),
      `${file}: runs on Node ${versions.join(", ")}, and ${runner.leastNode} is the least`
    )
  ]
}
