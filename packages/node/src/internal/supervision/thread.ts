/**
 * The watchdog's thread. It does not keep the process alive, ends with it, and is told when it is not needed any more.
 * Where it cannot run, the process goes on without it.
 */
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import { Beats, make, State } from "./beats.ts"

// In megabytes. What it needs is far below; the memory that a thread costs is not in these.
const resourceLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 }

export interface Thread {
  readonly beats: Beats
  /** How long it has been awake, in milliseconds that wrap around; `undefined` while it does not run. */
  readonly awake: () => number | undefined
  /** It is not needed any more. */
  readonly end: () => void
}

export const start = (lost: (error: unknown) => void): Thread => {
  const shared = make()
  const beats = new Beats(shared)
  beats.set("allowed", -1)
  beats.set("tick", 1000)
  let runs = true
  const failed = (error: unknown): void => {
    if (!runs) return
    runs = false
    lost(error)
  }
  try {
    const url = new URL(`../../entry/watchdog${extname(import.meta.url)}`, import.meta.url)
    // Nothing of what the process loads for itself: no hooks, no instrumentation.
    const worker = new Worker(url, { workerData: shared, execArgv: [], env: {}, resourceLimits })
    worker.on("error", failed)
    worker.unref()
  } catch (error) {
    failed(error)
  }
  return {
    beats,
    awake: () => {
      const awake = beats.get("awake")
      return runs && awake !== 0 ? awake : undefined
    },
    end: () => {
      runs = false
      beats.enter(State.over)
    }
  }
}
