/** A child process that runs a scenario: what it says, what it is sent, and how it ends. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** In milliseconds: how long it takes. `hang`: until the process ends, and nothing can interrupt it. */
export interface LayerOf {
  readonly name: string
  readonly build?: number | "hang"
  readonly close?: number | "hang" | "fails"
  /** It cannot connect. */
  readonly fails?: boolean
  /** A variable of the environment without which it is not built. */
  readonly needs?: string
}

/**
 * - `count`: what is in its source; the task ends when it is empty, unless it streams.
 * - `work`: how long a transaction takes, in milliseconds. `stubborn`: it cannot be interrupted.
 * - `failing`: that many of the first transactions fail, and are dead-lettered.
 * - `abort`: the task is aborted by the transaction of this number. `after`: a task without transactions that ends after
 *   so long, and fails with 42 if it `failed`.
 * - `provide`: Layers of the task itself, the outermost last.
 */
export interface TaskOf {
  readonly name: string
  readonly count?: number
  readonly work?: number
  readonly stubborn?: boolean
  readonly concurrency?: number
  readonly streaming?: boolean
  readonly failing?: number
  readonly abort?: number
  readonly program?: { readonly after: number; readonly fails?: boolean }
  readonly grace?: number
  readonly close?: number
  readonly provide?: ReadonlyArray<LayerOf>
}

/**
 * - `layers`: around all tasks, the outermost last.
 * - `acquires`: resources of the scope that the tasks run in.
 * - `then`: once the tasks have ended, however they did: goes on for so many milliseconds, and cannot be interrupted.
 * - `writes`: so many bytes to stdout, at the very end.
 * - `error`: what the program fails with after its tasks. `open`: it leaves a timer behind.
 * - `plain`: under `NodeRuntime.runMain`. `json`: it logs JSON. `drain`: a part of the runner asks for the end.
 */
export interface Scenario {
  readonly tasks?: ReadonlyArray<TaskOf>
  readonly layers?: ReadonlyArray<LayerOf>
  readonly acquires?: ReadonlyArray<LayerOf>
  readonly then?: number
  readonly writes?: number
  readonly error?: "policy" | "own" | "defect" | "interrupt" | "silent"
  readonly open?: boolean
  readonly plain?: boolean
  readonly json?: boolean
  readonly drain?: { readonly code: number; readonly after: number }
  readonly summary?: boolean
  readonly onSignal?: boolean
}

export const scenarioOf = (text: string | undefined): Scenario => JSON.parse(text ?? "{}")

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The lines of stdout. */
  readonly lines: ReadonlyArray<string>
  /** From the first signal that it was sent, or from its start, to its exit; in milliseconds. */
  readonly took: number
}

export interface Child {
  readonly process: ChildProcess
  /** Resolves once one of its streams has a line with this text, `times` times. */
  readonly says: (text: string, times?: number) => Promise<void>
  /** Whether it was still there to get it. */
  readonly send: (signal: NodeJS.Signals) => boolean
  readonly ended: Promise<Ended>
}

const program = fileURLToPath(new URL("./scenario.ts", import.meta.url))

const children = new Set<ChildProcess>()

// What the children compile is the same every time.
let compiled: string | undefined

/** Ends what a test has left. */
export const killAll = (): void => {
  for (const child of children) child.kill("SIGKILL")
  if (compiled !== undefined) rmSync(compiled, { recursive: true, force: true })
  compiled = undefined
}

export const start = (scenario: Scenario, env: NodeJS.ProcessEnv = {}): Child => startProgram(program, scenario, env)

/** Starts the program of a file, with an argument as JSON. */
export const startProgram = (file: string, argument: unknown, env: NodeJS.ProcessEnv = {}): Child => {
  compiled ??= mkdtempSync(join(tmpdir(), "ergon-runner-"))
  const child = spawn(process.execPath, ["--conditions=@ergon/source", file, JSON.stringify(argument)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", NODE_COMPILE_CACHE: compiled, ...env }
  })
  children.add(child)
  let from = performance.now()
  let sent = false
  const text = { stdout: "", stderr: "" }
  const waiting = new Set<() => void>()
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => {
      children.delete(child)
      resolve({ code, signal, ...text, lines: text.stdout.split("\n"), took: performance.now() - from })
      for (const look of waiting) look()
    })
  })
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk
      for (const look of waiting) look()
    })
  }
  return {
    process: child,
    ended,
    says: (wanted, times = 1) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.stdout.split(wanted).length + text.stderr.split(wanted).length - 2 >= times) resolve()
          else if (!children.has(child)) {
            reject(new Error(`it ended before it said "${wanted}" ${times} times:\n${text.stdout}\n${text.stderr}`))
          } else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      }),
    send: (signal) => {
      if (!sent) from = performance.now()
      sent = true
      return child.kill(signal)
    }
  }
}

/** How many were fetched and how many came back in each way; fails when one did not come back exactly once. */
export const accounts = (lines: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = { fetched: 0 }
  const ways = new Map<string, Array<string>>()
  for (const line of lines) {
    const [what, id = "", way = ""] = line.split(" ")
    if (what === "fetched") {
      counts["fetched"]!++
      if (ways.has(id)) throw new Error(`${id} was fetched twice`)
      ways.set(id, [])
    } else if (what === "settled") {
      counts[way] = (counts[way] ?? 0) + 1
      ways.get(id)?.push(way)
    }
  }
  for (const [id, all] of ways) {
    if (all.length !== 1) throw new Error(`${id} came back ${all.length} times: ${all.join(", ")}`)
  }
  return counts
}
