/**
 * `npm run check:docs [-- path...]`: compiles and runs every `ts` block of the Markdown files and docblocks.
 * Writes `docs.json` into `ERGON_REPORTS` when it is set. Exits with 1 when a block fails.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { filesBelow, load, root } from "../workspace/workspace.ts"
import { type Block, ofMarkdown, ofSource } from "./block.ts"
import { compile } from "./compile.ts"
import { problemOf } from "./excerpt.ts"
import { instrument } from "./instrument.ts"
import { runAll } from "./pool.ts"
import type { Job } from "./runner.ts"
import { locate, unitsOf } from "./unit.ts"

/** Inside the workspace, so that the packages resolve; of its own, so that two runs do not disturb each other. */
const directory = path.join(root, `packages/tooling/.generated/doctest-${process.pid}`)
const wanted = process.argv.slice(2)
const started = Date.now()

/** The reference is made of the docblocks, whose blocks are checked where they stand. */
const isMarkdown = (file: string) => file.endsWith(".md") && !file.startsWith("docs/reference/")

const markdown = [
  ...fs.readdirSync(root).filter((file) => file.endsWith(".md")).sort(),
  ...["docs", "packages", "examples"].flatMap((folder) => filesBelow(root, folder, isMarkdown))
]
const blocks: ReadonlyArray<Block> = [
  ...markdown.flatMap((file) => ofMarkdown(file, fs.readFileSync(path.join(root, file), "utf8"))),
  ...load(root).sources.filter((source) => !source.isTest).flatMap(ofSource)
].filter((block) => wanted.length === 0 || wanted.some((prefix) => block.path.startsWith(prefix)))

const failures = new Map<Block | string, ReadonlyArray<string>>()
const fail = (key: Block | string, message: string) => failures.set(key, [...failures.get(key) ?? [], message])

const excerpts = blocks.filter((block) => block.mode._tag === "Excerpt")
const skipped = blocks.filter((block) => block.mode._tag === "Skip")
for (const block of blocks) {
  const where = `${block.path}:${block.line}`
  if (block.mode._tag === "Invalid") fail(block, `${where}: ${block.mode.problem}`)
  if (block.mode._tag === "Excerpt") {
    const problem = problemOf(root, block, block.mode.file)
    if (problem !== undefined) fail(block, `${where}: ${problem}`)
  }
}

const units = unitsOf(blocks)
for (const { message, unit, where } of compile(root, directory, units)) fail(unit, `${where}: ${message}`)

const runnable = units.filter((unit) => !unit.compileOnly && !failures.has(unit.id)).map((unit) => ({
  unit,
  ...instrument(unit.code)
}))
for (const { problems, unit } of runnable) {
  for (const { line, message } of problems) fail(unit.id, `${locate(unit, line)}: ${message}`)
}
const jobs = runnable.filter(({ problems }) => problems.length === 0).map(({ checks, code, unit }) => {
  const file = path.join(directory, "run", `${unit.id}.ts`)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const begin = `import { begin } from ${JSON.stringify(path.join(import.meta.dirname, "runner.ts"))}`
  fs.writeFileSync(file, `${begin}; const __check = begin(); ${code}\n`)
  const job: Job = { file, checks, alone: /\brunMain\b|\bprocess\.(exit|on)\b/.test(code) }
  return { unit, job }
})
const results = await runAll(jobs.map(({ job }) => job))
jobs.forEach(({ unit }, index) => {
  const result = results[index]
  for (const { line, message } of result?.failures ?? []) fail(unit.id, `${locate(unit, line ?? 1)}: ${message}`)
  const output = result?.output.trim() ?? ""
  if ((result?.failures.length ?? 0) > 0 && output !== "") fail(unit.id, output.replace(/^/gm, "    | "))
})

for (const messages of failures.values()) console.error(messages.join("\n"))
for (const block of skipped) {
  if (block.mode._tag === "Skip") console.log(`skipped ${block.path}:${block.line}: ${block.mode.reason}`)
}
const counts = {
  passed: excerpts.length + units.length - failures.size +
    blocks.filter((block) => block.mode._tag === "Invalid").length,
  failed: failures.size,
  skipped: skipped.length
}
const seconds = ((Date.now() - started) / 1_000).toFixed(1)
console.log(
  `doc tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped; ` +
    `${jobs.length} run, ${units.filter((unit) => unit.compileOnly).length} compiled only, in ${seconds} s`
)
fs.rmSync(directory, { recursive: true, force: true })
const reports = process.env["ERGON_REPORTS"]
if (reports !== undefined) fs.writeFileSync(path.join(reports, "docs.json"), JSON.stringify(counts))
process.exitCode = counts.failed === 0 ? 0 : 1
