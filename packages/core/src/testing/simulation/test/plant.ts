/**
 * `node packages/core/src/testing/simulation/test/plant.ts [--tests] [NAME...]`: plants each bug in a copy of the sources
 * and looks for it with generated seeds; with `--tests` the core's own tests are run on it as well.
 */
import { spawn } from "node:child_process"
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { type Bug, bugs } from "./bugs.ts"

const core = fileURLToPath(new URL("../../../..", import.meta.url))
const root = path.resolve(core, "../..")

const run = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code: code ?? 1, output }))
  })

/** A copy of the sources with the bug in it. */
export const planted = async (bug: Bug): Promise<string> => {
  const directory = await mkdtemp(path.join(tmpdir(), "ergon-bug-"))
  await cp(path.join(core, "src"), path.join(directory, "src"), { recursive: true })
  await cp(path.join(core, "package.json"), path.join(directory, "package.json"))
  await symlink(path.join(root, "node_modules"), path.join(directory, "node_modules"))
  const file = path.join(directory, "src", bug.file)
  const source = await readFile(file, "utf8")
  if (source.split(bug.from).length !== 2) throw new Error(`"${bug.name}" does not apply to ${bug.file}`)
  await writeFile(file, source.replace(bug.from, () => bug.to))
  return directory
}

export interface Hunted {
  readonly bug: Bug
  readonly seed: number | undefined
  readonly rule: string
  readonly survives: boolean | undefined
}

export const hunt = async (bug: Bug, options: { readonly seeds: number; readonly tests: boolean }): Promise<Hunted> => {
  const directory = await planted(bug)
  try {
    const seeds = path.join(directory, "src/testing/simulation/test/first.ts")
    const { output } = await run(
      process.execPath,
      ["--conditions=@ergon/source", seeds, String(options.seeds)],
      directory
    )
    const found = /^found (\d+) (.*)$/m.exec(output)
    if (found === null && !/^none$/m.test(output)) throw new Error(`${bug.name}: ${output}`)
    const survives = options.tests ? await passes(directory) : undefined
    return { bug, seed: found === null ? undefined : Number(found[1]), rule: found?.[2] ?? "", survives }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Several at a time; what each comes to is told as soon as it is known. */
export const huntAll = async (
  bugs: ReadonlyArray<Bug>,
  options: {
    readonly seeds: number
    readonly tests: boolean
    readonly workers: number
    readonly told?: (hunted: Hunted) => void
  }
): Promise<ReadonlyArray<Hunted>> => {
  const left = [...bugs]
  const all: Array<Hunted> = []
  const work = async (): Promise<void> => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const hunted = await hunt(bug, options)
      all.push(hunted)
      options.told?.(hunted)
    }
  }
  await Promise.all(Array.from({ length: options.workers }, work))
  return all
}

/** Whether the core's own tests, those of the simulator left out, notice nothing. */
const passes = async (directory: string): Promise<boolean> => {
  await writeFile(
    path.join(directory, "vitest.config.ts"),
    `export default { test: { include: ["src/**/*.test.ts"], exclude: ["**/*.integration.test.ts", "**/Simulation*", "**/simulation/**"], bail: 1 } }`
  )
  const vitest = path.join(root, "node_modules/vitest/vitest.mjs")
  const { code } = await run(process.execPath, [vitest, "run", "--root", directory], directory)
  return code === 0
}

const main = async (): Promise<void> => {
  const args = process.argv.slice(2)
  const tests = args.includes("--tests")
  const names = args.filter((arg) => !arg.startsWith("--"))
  const chosen = names.length === 0 ? bugs : bugs.filter(({ name }) => names.some((part) => name.includes(part)))
  const hunted = await huntAll(chosen, {
    seeds: 1_000,
    tests,
    // The tests take their time as they are: one at a time.
    workers: tests ? 1 : Math.min(2, availableParallelism()),
    told: ({ bug, rule, seed, survives }) => {
      const told = survives === undefined ? "" : survives ? " | the tests miss it" : " | the tests find it"
      process.stdout.write(`${bug.name} | ${seed ?? "not found"} | ${rule}${told}\n`)
    }
  })
  const missed = hunted.filter(({ seed }) => seed === undefined).length
  process.stdout.write(`${chosen.length} bugs, ${missed} not found\n`)
  process.exitCode = missed === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
