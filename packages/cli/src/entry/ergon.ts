/**
 * What the command `ergon` begins with: it finds the main file of the project and loads it, in this process. The main
 * file calls `Ergon.main`, which answers the command line.
 */
import { relative } from "node:path"
import { pathToFileURL } from "node:url"
import { called } from "../internal/called.ts"
import { find, needsNoProject } from "../internal/projectFile.ts"
import { version } from "../internal/version.ts"

const line = process.argv.slice(2)

const fail = (message: string, code: number): void => {
  process.stderr.write(`ergon: ${message}\n`)
  process.exitCode = code
}

/** Answers the line without tasks: commands that need one fail with the problem. */
const without = async (problem: string): Promise<void> => {
  const { run } = await import("../internal/commandLine.ts")
  const { withoutTasks } = await import("../internal/project.ts")
  await run(line, withoutTasks(problem), version)
}

const load = async (path: string): Promise<void> => {
  const shown = relative(process.cwd(), path)
  // The main file is what runs, also for itself and for the workers that it starts.
  process.argv[1] = path
  let isCalled = false
  process.once(called, () => {
    isCalled = true
  })
  process.once("beforeExit", () => {
    if (isCalled) return
    fail(`${shown} does not call Ergon.main. Write at its end:\n  Ergon.main([])\nwith the tasks in the list`, 2)
  })
  try {
    await import(pathToFileURL(path).href)
  } catch (error) {
    fail(`${shown} cannot be loaded: ${error instanceof Error ? error.stack ?? error.message : String(error)}`, 1)
    // What it has started before must not keep the process.
    process.exit()
  }
}

const main = find(process.cwd())
if (main._tag === "Missing") await without(main.problem)
else if (needsNoProject(line)) await without("this command was read as one that needs no project")
else await load(main.path)
