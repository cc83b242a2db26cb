/** One way to consume what a broker holds; each system has a bare loop, Ergon and, where there is one, its peer. */
import { Effect, Schema } from "effect"

export const concurrency = 64

/** So many are published at once, by everybody: what is published together may be read together. */
export const publishedAtOnce = 256

/** About a hundred bytes of JSON. */
export const Payload = Schema.Struct({
  id: Schema.String,
  quantity: Schema.Int,
  unitPrice: Schema.Number,
  note: Schema.String
})
export type Payload = typeof Payload.Type

const note = "n".repeat(44)

export const payload = (n: number): Payload => ({ id: `p-${n}`, quantity: n % 7, unitPrice: 2.5, note })

const decodeJson = Schema.decodeUnknownSync(Schema.toCodecJson(Payload))

/** What every bare loop and every peer does with the bytes of one, as Ergon does: parse, decode, run an empty program. */
export const work = (text: string): Payload => workParsed(JSON.parse(text))

/** Where the client has parsed it. */
export const workParsed = (parsed: unknown): Payload => {
  const decoded = decodeJson(parsed)
  Effect.runSync(Effect.void)
  return decoded
}

/** The time from the first that is worked on to the last that is settled: connecting is not measured. */
export interface Stopwatch {
  readonly first: () => void
  readonly milliseconds: () => number
}

export const stopwatch = (): Stopwatch => {
  let started: number | undefined
  return {
    first: () => {
      started ??= performance.now()
    },
    milliseconds: () => performance.now() - (started ?? NaN)
  }
}

/**
 * - `publish`: puts so many there, confirmed; answers how long it took, in milliseconds.
 * - `consume`: works on and settles exactly so many; answers the time from the first to the last, in milliseconds.
 * - `enqueue`: puts one there, confirmed.
 * - `start`: consumes until it is stopped, and tells the number of each that is settled.
 */
export interface Contender {
  readonly name: string
  readonly publish: (count: number) => Promise<number>
  readonly consume: (count: number) => Promise<number>
  readonly enqueue: (n: number) => Promise<void>
  readonly start: (settled: (n: number) => void) => Promise<() => Promise<void>>
  readonly close: () => Promise<void>
}

/** The number in the id of a payload. */
export const numberOf = (id: string): number => Number(id.slice(2))

export const timed = async (run: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await run()
  return performance.now() - started
}

/** The numbers from 0, in batches, as they are published. */
export function* batches(count: number): Generator<ReadonlyArray<number>> {
  for (let from = 0; from < count; from += publishedAtOnce) {
    yield Array.from({ length: Math.min(publishedAtOnce, count - from) }, (_, n) => from + n)
  }
}
