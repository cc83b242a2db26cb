/** Starts the process or the thread of one worker. */
import { fork } from "node:child_process"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import type { ChildProcess } from "node:child_process"
import type { Options } from "../../Workers.ts"
import { argument } from "./role.ts"

export interface Spawned {
  readonly handle: ChildProcess | Worker
  readonly pid: number | undefined
  /** How it ended, once it has. */
  readonly ended: () => string | undefined
  /** At once, with everything that it started itself. */
  readonly kill: () => void
}

/** The file of an entry; what is not a `file:` URL is a path. */
export const fileOf = (entry: Options["entry"]): string =>
  entry instanceof URL || entry.startsWith("file:") ? fileURLToPath(entry) : resolve(entry)

/** What is wrong with an entry; `undefined` when it is a file that exists. */
export const problemOf = (entry: Options["entry"]): string | undefined => {
  try {
    const file = fileOf(entry)
    return existsSync(file) ? undefined : `entry ${file} does not exist`
  } catch {
    return `entry ${String(entry)} is neither a path nor a file: URL`
  }
}

// A worker starts with little memory for what is new, and most of what it loads at its start is; a larger young generation
// is faster where a task makes much garbage, and costs up to three times its size.
const youngGeneration = "--max-semi-space-size"
const megabytes = 2

const evaluating = new Set(["-e", "--eval", "-p", "--print", "-pe"])

/** Those of the host, but not the program that it evaluates, nor a port to debug it at that is taken. */
const ownExecArgv = (): ReadonlyArray<string> => {
  const own = process.execArgv.filter((argument, index, all) =>
    !argument.startsWith("--inspect") && !evaluating.has(argument) && !evaluating.has(all[index - 1] ?? "")
  )
  return own.some((argument) => argument.startsWith(youngGeneration))
    ? own
    : [...own, `${youngGeneration}=${megabytes}`]
}

const environment = (options: Options): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries({ ...process.env, ...options.env }).filter(([, value]) => value !== undefined))

export const spawn = (id: number, options: Options): Spawned =>
  options.kind === "thread" ? spawnThread(id, options) : spawnProcess(id, options)

// A group of its own: what a terminal sends to the group of the host, Ctrl-C above all, does not reach it. On a terminal
// the host writes what its workers log, so that what it shows there is not torn.
const spawnProcess = (id: number, options: Options): Spawned => {
  const child = fork(fileOf(options.entry), [...(options.args ?? []), argument(id)], {
    detached: true,
    serialization: "advanced",
    env: environment(options),
    execArgv: [...(options.execArgv ?? ownExecArgv())],
    stdio: ["ignore", "inherit", process.stderr.isTTY ? "pipe" : "inherit", "ipc"]
  })
  child.stderr?.on("data", (chunk: Uint8Array) => process.stderr.write(chunk))
  return {
    handle: child,
    pid: child.pid,
    ended: () =>
      child.signalCode !== null
        ? `killed by ${child.signalCode}`
        : child.exitCode !== null
        ? `exited with code ${child.exitCode}`
        : undefined,
    kill: () => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      try {
        process.kill(-child.pid, "SIGKILL")
      } catch {
        child.kill("SIGKILL")
      }
    }
  }
}

const spawnThread = (id: number, options: Options): Spawned => {
  let ended: string | undefined
  const thread = new Worker(fileOf(options.entry), {
    argv: [...(options.args ?? []), argument(id)],
    env: environment(options),
    ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] }),
    name: `ergon-worker-${id}`
  })
  thread.once("error", (error) => {
    ended = `ended by ${String(error)}`
  })
  thread.once("exit", (code) => {
    ended ??= `exited with code ${code}`
  })
  return {
    handle: thread,
    pid: process.pid,
    ended: () => ended,
    kill: () => void thread.terminate()
  }
}
