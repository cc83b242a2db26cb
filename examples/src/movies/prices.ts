/**
 * A service that knows what money was worth, and that behaves as remote ones do: it takes its time, and now and then it
 * is busy.
 */
import { Context, Effect, Layer, Ref, Schema } from "effect"

export class Busy extends Schema.TaggedError<Busy>()("Busy", { message: Schema.String }) {}

export class Prices extends Context.Service<Prices, {
  /** What a dollar of that year is in dollars of 2010. */
  readonly rise: (year: number) => Effect.Effect<number, Busy>
}>()("movies/Prices") {}

/** Takes 60 milliseconds, and refuses one of 40 calls: always the same ones, so that every run is alike. */
export const layer = Layer.effect(
  Prices,
  Effect.gen(function*() {
    const calls = yield* Ref.make(0)
    return {
      rise: Effect.fnUntraced(function*(year) {
        const call = yield* Ref.updateAndGet(calls, (n) => n + 1)
        yield* Effect.sleep("60 millis")
        if (call % 40 === 0) return yield* new Busy({ message: "503, try again" })
        return consumerPrices[2010]! / (consumerPrices[year] ?? consumerPrices[2010]!)
      })
    }
  })
)

/**
 * Consumer prices in the United States, 1982 to 1984 = 100 (Bureau of Labor Statistics), from 1928 to 2010. Those of any
 * other year are taken for those of 2010.
 */
// dprint-ignore
const byYear = [
  17.1, 17.1,
  16.7, 15.2, 13.7, 13.0, 13.4, 13.7, 13.9, 14.4, 14.1, 13.9,
  14.0, 14.7, 16.3, 17.3, 17.6, 18.0, 19.5, 22.3, 24.1, 23.8,
  24.1, 26.0, 26.5, 26.7, 26.9, 26.8, 27.2, 28.1, 28.9, 29.1,
  29.6, 29.9, 30.2, 30.6, 31.0, 31.5, 32.4, 33.4, 34.8, 36.7,
  38.8, 40.5, 41.8, 44.4, 49.3, 53.8, 56.9, 60.6, 65.2, 72.6,
  82.4, 90.9, 96.5, 99.6, 103.9, 107.6, 109.6, 113.6, 118.3, 124.0,
  130.7, 136.2, 140.3, 144.5, 148.2, 152.4, 156.9, 160.5, 163.0, 166.6,
  172.2, 177.1, 179.9, 184.0, 188.9, 195.3, 201.6, 207.3, 215.3, 214.5,
  218.1
]
const consumerPrices: Readonly<Record<number, number>> = Object.fromEntries(byYear.map((index, n) => [1928 + n, index]))
