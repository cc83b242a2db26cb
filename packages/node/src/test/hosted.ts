/** A host of workers as a child process: what it says, and what is left of it and its workers. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Setup } from "./workersProgram.ts"

const program = fileURLToPath(new URL("./workersProgram.ts", import.meta.url))

export interface HostEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly text: string
  readonly lines: ReadonlyArray<string>
}

export interface Host {
  readonly process: ChildProcess
  /** Resolves with the line once one matches for the `times`th time; fails when the host ends before. */
  readonly line: (pattern: RegExp, times?: number) => Promise<RegExpExecArray>
  readonly ended: Promise<HostEnd>
}

const hosts = new Set<ChildProcess>()
const folders = new Set<string>()
const workerPids = new Set<number>()

export const temporaryFolder = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-workers-"))
  folders.add(folder)
  return folder
}

export const isAlive = (pid: number): boolean => {
  try {
    // A zombie has ended; only nobody has asked how.
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Resolves with the milliseconds it took; fails after `within`. */
export const gone = async (pid: number, within: number): Promise<number> => {
  const from = performance.now()
  while (isAlive(pid)) {
    if (performance.now() - from > within) throw new Error(`process ${pid} is still there after ${within} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return performance.now() - from
}

/** Ends what a test has left; a worker that is still there fails the test. */
export const cleanUp = (): void => {
  for (const host of hosts) host.kill("SIGKILL")
  hosts.clear()
  const orphans = [...workerPids].filter(isAlive)
  for (const pid of orphans) process.kill(pid, "SIGKILL")
  workerPids.clear()
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true })
  folders.clear()
  if (orphans.length > 0) throw new Error(`workers were left behind: ${orphans.join(", ")}`)
}

export const start = (setup: Setup): Host => {
  const child = spawn(process.execPath, ["--conditions=@ergon/source", program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", ERGON_TEST: JSON.stringify(setup) }
  })
  hosts.add(child)
  let text = ""
  const looks = new Set<() => void>()
  let over = false
  const ended = new Promise<HostEnd>((resolve) => {
    child.on("close", (code, signal) => {
      hosts.delete(child)
      over = true
      resolve({ code, signal, text, lines: text.split("\n") })
      for (const look of looks) look()
    })
  })
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      for (const [, pid] of chunk.matchAll(/pid (\d+)/g)) if (Number(pid) !== child.pid) workerPids.add(Number(pid))
      for (const look of looks) look()
    })
  }
  return {
    process: child,
    ended,
    line: (pattern, times = 1) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = text.split("\n").map((line) => pattern.exec(line)).filter((one) => one !== null)
          if (found.length >= times) resolve(found[times - 1]!)
          else if (over) reject(new Error(`it ended before ${pattern} was said ${times} times:\n${text}`))
          else return
          looks.delete(look)
        }
        looks.add(look)
        look()
      })
  }
}

/** The summary that the host said in the end. */
export const summaryOf = ({ lines, text }: HostEnd): Record<string, number> => {
  const line = lines.find((one) => one.startsWith("summary "))
  if (line === undefined) throw new Error(`no summary:\n${text}`)
  return JSON.parse(line.slice("summary ".length)) as Record<string, number>
}
