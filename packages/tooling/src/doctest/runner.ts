/**
 * A child process that runs blocks, one at a time, each in an empty directory of its own.
 *
 * Receives a Job, imports its module and answers with a Report. A job that is `alone` gives up the channel to the
 * parent and lets the module end the process (`runMain` does): its answer is the exit code, and what stands on stderr.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { inspect } from "node:util"
import * as Check from "./check.ts"

export interface Job {
  readonly file: string
  readonly checks: ReadonlyArray<number>
  readonly alone: boolean
}

export interface Failure {
  /** The line in the module, where it is known. */
  readonly line: number | undefined
  readonly message: string
}

export interface Report {
  readonly failures: ReadonlyArray<Failure>
}

/** How long checks inside work that nobody awaited may take to be reached, in milliseconds. */
const patience = 2_000

const lineIn = (error: unknown, file: string): number | undefined => {
  const stack = error instanceof Error ? error.stack ?? "" : ""
  const match = new RegExp(`${path.basename(file).replaceAll(".", "\\.")}:(\\d+)`).exec(stack)
  return match === null ? undefined : Number(match[1])
}

const failureOf = (error: unknown, file: string): Failure => ({
  line: lineIn(error, file),
  message: error instanceof Error ? `${error.name}: ${error.message}` : inspect(error)
})

const missed = (job: Job, checks: Check.Checks): ReadonlyArray<Failure> =>
  job.checks.filter((line) => !checks.reached.has(line)).map((line) => ({ line, message: "was never reached" }))

let checks = Check.make()
let stray: Array<Failure> = []
let current = ""

/** Each module calls this once, at its start. */
export const begin = (): Check.Checks["check"] => checks.check

const evaluate = async (job: Job): Promise<Report> => {
  checks = Check.make()
  stray = []
  current = job.file
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-doctest-"))
  process.chdir(directory)
  try {
    await import(job.file)
    for (let waited = 0; missed(job, checks).length > 0 && waited < patience && stray.length === 0; waited += 20) {
      await sleep(20)
    }
    await sleep(0)
    return { failures: [...stray, ...checks.failures, ...missed(job, checks)] }
  } catch (error) {
    return { failures: [...checks.failures, failureOf(error, job.file)] }
  } finally {
    process.chdir(os.tmpdir())
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

const evaluateAlone = (job: Job): void => {
  process.on("exit", (code) => {
    const failures = [...stray, ...checks.failures, ...missed(job, checks)]
    for (const { line, message } of failures) console.error(`doctest:${line ?? ""}: ${message}`)
    if (code === 0 && failures.length > 0) process.exitCode = 1
  })
  current = job.file
  process.disconnect()
  process.chdir(fs.mkdtempSync(path.join(os.tmpdir(), "ergon-doctest-")))
  import(job.file).catch((error: unknown) => stray.push(failureOf(error, job.file)))
}

process.on("unhandledRejection", (error) => stray.push(failureOf(error, current)))
process.on("uncaughtException", (error) => stray.push(failureOf(error, current)))
process.on("message", (job: Job) => {
  if (job.alone) return evaluateAlone(job)
  void evaluate(job).then((report) => process.send?.(report))
})
