/** How fast the tasks of a process are, by samples of what they have done. */
import type { Counts } from "./totals.ts"

/** Per second, over the last minute or since the first sample. */
export interface Rates {
  readonly fetched: number
  readonly ended: number
}

export const every = 5000
const most = 60_000 / every + 1

const endedOf = (counts: Counts): number =>
  counts.succeeded + counts.failed + counts.requeued + counts.timeout + counts.redelivered + counts.released

interface Sample {
  readonly at: number
  readonly counts: ReadonlyMap<string, Counts>
}

export class Sampler {
  private readonly samples: Array<Sample> = []

  add(at: number, counts: ReadonlyMap<string, Counts>): void {
    this.samples.push({ at, counts })
    if (this.samples.length > most) this.samples.shift()
  }

  of(task: string, at: number, counts: Counts | undefined): Rates {
    const first = this.samples[0]
    const seconds = first === undefined ? 0 : (at - first.at) / 1000
    if (counts === undefined || seconds <= 0) return { fetched: 0, ended: 0 }
    const before = first?.counts.get(task)
    const rate = (of: (counts: Counts) => number): number =>
      Math.round((of(counts) - (before === undefined ? 0 : of(before))) / seconds * 1000) / 1000
    return { fetched: rate(({ fetched }) => fetched), ended: rate(endedOf) }
  }
}
