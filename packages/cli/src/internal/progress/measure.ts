/**
 * What a run looks like at one moment, out of what its handle and its source say.
 */
import type { Status } from "@ergon/core/Control"

/** What is done per second, and the time that what is waiting would take. Times are milliseconds. */
export interface Sample {
  readonly at: number
  readonly done: number
}

/** Everything a line of progress is made from. */
export interface Moment {
  readonly task: string
  readonly kind: "consumer" | "producer" | "program"
  readonly phase: "connecting" | "running" | "draining" | "stopping" | "closing" | "ended"
  readonly elapsed: number
  readonly done: number
  readonly rate: number
  readonly inFlight: number
  readonly succeeded: number
  readonly failed: number
  readonly retries: number
  /** What the source held when it was asked last; `undefined` where it cannot count. */
  readonly waiting: number | undefined
  /** What it held then and what had been fetched from it by then: all that is known of. */
  readonly known: number | undefined
  readonly limit: number
  /** Whether the run goes on when the source is empty. */
  readonly streaming: boolean
  /** What is left of the time for draining; `undefined` unless it drains. */
  readonly graceLeft: number | undefined
  /** Workers that serve, and all of them; `undefined` for a run in this process. */
  readonly workers: { readonly running: number; readonly all: number } | undefined
}

/** Every transaction whose end is known. */
export const doneOf = ({ summary }: Status): number =>
  summary.succeeded + summary.failed + summary.requeued + summary.timeout + summary.redelivered + summary.released

/** The rate is taken over so much of the past. */
const window = 5000

/** With the newest sample; those that the window no longer needs are dropped. */
export const sampled = (samples: ReadonlyArray<Sample>, sample: Sample): ReadonlyArray<Sample> => {
  const all = [...samples, sample]
  const start = all.findLastIndex(({ at }) => at <= sample.at - window)
  return start <= 0 ? all : all.slice(start)
}

/** Per second. */
export const rateOf = (samples: ReadonlyArray<Sample>): number => {
  const first = samples[0]
  const last = samples.at(-1)
  return first === undefined || last === undefined || last.at <= first.at
    ? 0
    : (last.done - first.done) / (last.at - first.at) * 1000
}

/** All of it, what is done included; `undefined` where nobody knows. */
export const totalOf = ({ done, inFlight, known, limit }: Moment): number | undefined => {
  if (known === undefined) return Number.isFinite(limit) ? limit : undefined
  return Math.min(limit, Math.max(known, done + inFlight))
}

/** In milliseconds; `undefined` while nobody can know. */
export const timeLeft = (moment: Moment): number | undefined => {
  const total = totalOf(moment)
  return total === undefined || moment.known === undefined || moment.rate <= 0
    ? undefined
    : Math.max(0, total - moment.done) / moment.rate * 1000
}
