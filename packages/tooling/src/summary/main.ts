/**
 * The end of `.ci/run`: reads the reports in the folder given and prints the line. Exits with 1 when anything failed.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { type Counts, line, ofSteps, ofTests } from "./counts.ts"

const [, , folder = "."] = process.argv
const readJson = (name: string): unknown => {
  const file = path.join(folder, name)
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : undefined
}

const tests = readJson("tests.json")
const docs = readJson("docs.json")
const reports = new Map<string, Counts>()
if (tests !== undefined) reports.set("tests", ofTests(tests as Parameters<typeof ofTests>[0]))
if (docs !== undefined) reports.set("docs", docs as Counts)

const steps = fs.readFileSync(path.join(folder, "steps"), "utf8")
const counts = ofSteps(steps, reports)
for (const step of steps.split("\n").filter((one) => one.startsWith("failed "))) console.log(step)
console.log(line(counts))
process.exitCode = counts.failed === 0 ? 0 : 1
