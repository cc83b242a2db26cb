/**
 * Runs generated seeds in worker threads, in slices, so that all processors are busy to the end.
 */
import { isMainThread, parentPort, Worker } from "node:worker_threads"
import { trial } from "../trial.ts"
import { generate } from "./generated.ts"

export interface Broken {
  readonly seed: number
  readonly rule: string
}

export interface Slice {
  readonly broken: ReadonlyArray<Broken>
  readonly faults: number
  readonly processes: number
}

const size = 100

export const runSlice = async (from: number, count: number): Promise<Slice> => {
  const broken: Array<Broken> = []
  let faults = 0
  let processes = 0
  for (let seed = from; seed < from + count; seed++) {
    try {
      const { how, spec } = generate(seed)
      const result = await trial(spec, seed, how)
      faults += result.script.length
      processes += result.processes
      const { violation } = result
      if (violation !== undefined) broken.push({ seed, rule: `${violation.rule}: ${violation.text}` })
    } catch (error) {
      broken.push({ seed, rule: String(error) })
    }
  }
  return { broken, faults, processes }
}

export const runSeeds = async (options: {
  readonly count: number
  readonly from: number
  readonly workers: number
}): Promise<Slice & { readonly took: number }> => {
  const begun = performance.now()
  const end = options.from + options.count
  let next = options.from
  const slices: Array<Slice> = []
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { execArgv: process.execArgv })
      const give = (): void => {
        if (next >= end) return void worker.terminate().then(() => resolve(), reject)
        worker.postMessage({ from: next, count: Math.min(size, end - next) })
        next += size
      }
      worker.on("message", (slice: Slice) => {
        slices.push(slice)
        give()
      })
      worker.on("error", reject)
      give()
    })
  await Promise.all(Array.from({ length: options.workers }, work))
  return {
    broken: slices.flatMap(({ broken }) => broken).toSorted((a, b) => a.seed - b.seed),
    faults: slices.reduce((sum, slice) => sum + slice.faults, 0),
    processes: slices.reduce((sum, slice) => sum + slice.processes, 0),
    took: performance.now() - begun
  }
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort
  port.on("message", ({ count, from }: { readonly from: number; readonly count: number }) => {
    void runSlice(from, count).then((slice) => port.postMessage(slice))
  })
}
