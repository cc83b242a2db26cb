/**
 * Runs jobs in child processes: each child takes the next job when it has answered, a child that dies or exceeds the
 * time is replaced. Order of the results is the order of the jobs.
 */
import { type ChildProcess, fork } from "node:child_process"
import * as os from "node:os"
import * as path from "node:path"
import type { Job, Report } from "./runner.ts"

/** A block that is still running after this many milliseconds has failed. */
const limit = 30_000

export interface Result extends Report {
  readonly output: string
}

const start = (): ChildProcess =>
  fork(path.join(import.meta.dirname, "runner.ts"), [], {
    execArgv: ["--conditions=@ergon/source", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })

const failed = (message: string, output: string): Result => ({ failures: [{ line: undefined, message }], output })

/** What a child that ran alone says on stderr about its checks. */
const reported = (output: string): Report["failures"] =>
  [...output.matchAll(/^doctest:(\d*): (.*)$/gm)].map(([, line, message = ""]) => ({
    line: line === undefined || line === "" ? undefined : Number(line),
    message
  }))

const runIn = (child: ChildProcess, job: Job): Promise<Result> =>
  new Promise((resolve) => {
    let output = ""
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    const done = (result: Result) => {
      clearTimeout(timer)
      child.stdout?.off("data", collect)
      child.stderr?.off("data", collect)
      child.off("message", onMessage)
      child.off("exit", onExit)
      resolve(result)
    }
    const onMessage = (report: Report) => done({ failures: report.failures, output })
    const onExit = (code: number | null) => {
      if (job.alone && code === 0) return done({ failures: [], output })
      const failures = job.alone ? reported(output) : []
      done(failures.length > 0 ? { failures, output } : failed(`ended the process with ${code ?? "a signal"}`, output))
    }
    const timer = setTimeout(() => {
      child.kill("SIGKILL")
      done(failed(`was still running after ${limit / 1_000} s`, output))
    }, limit)
    child.stdout?.on("data", collect)
    child.stderr?.on("data", collect)
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send(job)
  })

/** Runs all jobs in as many processes as there are cores, at most four. */
export const runAll = async (jobs: ReadonlyArray<Job>): Promise<ReadonlyArray<Result>> => {
  const results = jobs.map((): Result => failed("was never run", ""))
  const queue = jobs.entries()
  const worker = async () => {
    let child: ChildProcess | undefined
    for (const [index, job] of queue) {
      if (child === undefined || job.alone || !child.connected || child.killed) {
        child?.kill()
        child = start()
      }
      results[index] = await runIn(child, job)
      if (job.alone) child = undefined
    }
    child?.kill()
  }
  await Promise.all(Array.from({ length: Math.min(os.availableParallelism(), 4, jobs.length) }, worker))
  return results
}
