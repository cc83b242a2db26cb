/**
 * What workers bring and cost: two of them against one on work for the CPU, in turns; the start of one; the drain of what
 * is in flight. Everything runs as it is published, compiled, with telemetry off.
 */
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { atLeast, atMost, type Goal, median, print, type Row } from "../report.ts"
import type { Setup } from "./program.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))
const compiled = (name: string): string => path.join(root, "packages/bench/dist/workers", `${name}.js`)

interface Ended {
  readonly code: number | null
  readonly lines: ReadonlyArray<string>
  readonly endedAt: number
}

/** Runs a compiled program to its end. `on` sees each line, and the process to send signals to. */
const runProgram = (
  name: string,
  args: ReadonlyArray<string>,
  env: Record<string, string>,
  on: (line: string, kill: () => void) => void = () => {}
): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [compiled(name), ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env }
    })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n")
      text = lines.pop() ?? ""
      for (const line of lines) {
        seen.push(line)
        on(line, () => child.kill("SIGTERM"))
      }
    })
    const seen: Array<string> = []
    let endedAt = 0
    child.on("exit", () => {
      endedAt = Date.now()
    })
    child.on("close", (code) => resolve({ code, lines: seen, endedAt }))
  })

const program = (setup: Setup, on?: (line: string, kill: () => void) => void): Promise<Ended> =>
  runProgram("program", [], { ERGON_BENCH: JSON.stringify(setup) }, on)

const inFolder = async <A>(body: (folder: string) => Promise<A>): Promise<A> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-bench-"))
  try {
    return await body(folder)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

const tagged = (lines: ReadonlyArray<string>, tag: string): unknown => {
  const line = lines.find((one) => one.startsWith(`${tag} `))
  if (line === undefined) throw new Error(`the program did not say "${tag}": ${lines.join(" | ")}`)
  return JSON.parse(line.slice(tag.length + 1))
}

/** Milliseconds per transaction of pure computing, from when all workers stand ready. */
const computing = (workers: number, count: number): Promise<number> =>
  inFolder(async (folder) => {
    await program({ task: "cpu", workers, folder, count, concurrency: 1 })
    const spans = fs.readdirSync(folder).filter((name) => name.startsWith("end-"))
      .map((name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")) as { begun: number; ended: number })
    if (spans.length !== workers) throw new Error(`${spans.length} of ${workers} workers computed`)
    return (Math.max(...spans.map(({ ended }) => ended)) - Math.min(...spans.map(({ begun }) => begun))) / count
  })

const inThreads = async (size: number, count: number): Promise<number> => {
  const { lines } = await runProgram("offload", [String(size), String(count)], {})
  const { succeeded, took } = JSON.parse(lines.at(-1) ?? "{}") as { succeeded: number; took: number }
  if (succeeded !== count) throw new Error(`${succeeded} of ${count} were computed`)
  return took / count
}

interface Started {
  readonly millis: number
  readonly resident: number
}

/** From the spawn of a worker to the start of its first transaction, and what it has resident then. */
const starting = (barrel: boolean): Promise<Started> =>
  inFolder(async (folder) => {
    const { lines } = await program({ task: "start", workers: 1, folder, count: 1, concurrency: 1, barrel })
    const { at, resident } = tagged(lines, "started") as { at: number; resident: number }
    return { millis: at - (tagged(lines, "spawning") as number), resident }
  })

interface Drained {
  readonly millis: number
  readonly succeeded: number
  readonly code: number | null
}

const inFlight = 64

/** From SIGTERM, with 64 transactions of 2 seconds just begun, to the exit. */
const draining = (workers: number): Promise<Drained> =>
  inFolder(async (folder) => {
    let begun = 0
    let signalled = 0
    const setup: Setup = {
      task: "sleep",
      workers,
      folder,
      count: 10 * inFlight,
      concurrency: inFlight / Math.max(1, workers)
    }
    const { code, endedAt, lines } = await program(setup, (line, kill) => {
      if (line !== "begun" || ++begun !== inFlight) return
      signalled = Date.now()
      kill()
    })
    const { succeeded } = tagged(lines, "summary") as { succeeded: number }
    return { millis: endedAt - signalled, succeeded, code }
  })

export const workers = async (quick: boolean): Promise<boolean> => {
  const built = spawnSync(process.execPath, [
    path.join(root, "node_modules/typescript/bin/tsc"),
    "-b",
    "packages/bench"
  ], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"]
  })
  if (built.status !== 0) throw new Error("the programs could not be compiled")
  const rounds = quick ? 3 : 7
  const count = quick ? 60 : 200
  const times = {
    one: [] as Array<number>,
    two: [] as Array<number>,
    thread: [] as Array<number>,
    threads: [] as Array<number>
  }
  for (let round = 0; round < rounds; round++) {
    times.one.push(await computing(1, count))
    times.two.push(await computing(2, count))
    times.thread.push(await inThreads(1, count))
    times.threads.push(await inThreads(2, count))
  }
  const starts: Array<Started> = []
  const barrels: Array<Started> = []
  for (let round = 0; round < rounds; round++) {
    starts.push(await starting(false))
    barrels.push(await starting(true))
  }
  const alone = await draining(0)
  const both = await draining(2)
  const drains: ReadonlyArray<readonly [string, Drained]> = [["one process", alone], ["2 workers", both]]

  const ratio = (slow: ReadonlyArray<number>, fast: ReadonlyArray<number>): number =>
    median(slow.map((time, round) => time / fast[round]!))
  const millis = (name: string, value: number): Row => ({ name, value, unit: "ms" })
  const rows: ReadonlyArray<Row> = [
    millis("computing, 1 worker, per transaction", median(times.one)),
    millis("computing, 2 workers, per transaction", median(times.two)),
    millis("computing, 1 thread of Offload, per transaction", median(times.thread)),
    millis("computing, 2 threads of Offload, per transaction", median(times.threads)),
    millis("start of a worker that imports the barrel of effect", median(barrels.map((one) => one.millis))),
    { name: "the same, resident", value: median(barrels.map((one) => one.resident)), unit: "MB" },
    ...drains.map(([name, drained]) => millis(`SIGTERM to exit, ${name}`, drained.millis))
  ]
  const goals: ReadonlyArray<Goal> = [
    atLeast("2 workers, of 1, without their start", ratio(times.one, times.two), "times", 1.8),
    atLeast("2 threads of Offload, of 1, without their start", ratio(times.thread, times.threads), "times", 1.8),
    atMost("spawn to first transaction", median(starts.map((one) => one.millis)), "ms", 1000),
    atMost("resident then", median(starts.map((one) => one.resident)), "MB", 90),
    ...drains.flatMap(([name, { code, millis, succeeded }]) => [
      atMost(`SIGTERM with 64 of 2 s in flight, ${name}`, millis, "ms", 3000),
      atLeast(`of them settled, ${name}`, succeeded, "", inFlight),
      { name: `exit code, ${name}`, value: code ?? -1, unit: "", goal: "= 143", met: code === 143 }
    ])
  ]
  print("workers", rows, goals)
  return goals.every((goal) => goal.met)
}
