import { assert, describe, expect, it } from "@effect/vitest"
import { Connector, Memory, Task } from "@ergon/core"
import { Sql, Sqlite } from "@ergon/sql"
import { Effect, Exit, Fiber, Layer, Option, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { read } from "./arguments.ts"
import { Film, idOf } from "./film.ts"
import { movies } from "./movies.ts"
import { DeadFilms, Films, load, ProfitLines, Profits, profits, RawFilms } from "./pipeline.ts"
import * as Prices from "./prices.ts"
import { profitOf } from "./profit.ts"

const flawless = {
  Title: "Alien",
  "Release Date": "May 25 1979",
  "Production Budget": 9_000_000,
  "Worldwide Gross": 203_630_630,
  "Rotten Tomatoes Rating": 97,
  "IMDB Rating": 8.5
}

const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Film))

/** Runs under the test clock, as fast as the machine can. */
const hurried = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("50 millis")
  return yield* Fiber.join(fiber)
})

describe("the films", () => {
  it.effect("are 3,201, and each has an id of its own", () =>
    Effect.gen(function*() {
      const films = yield* Stream.runCollect(movies)
      assert.strictEqual(films.length, 3201)
      assert.strictEqual(new Set(films.map(idOf)).size, 3201)
    }))

  it("get an id from what is there", () => {
    expect(idOf(flawless)).toBe("Alien, May 25 1979")
    expect(idOf({ Title: 1776, "Release Date": "Nov 09 1972" })).toBe("1776, Nov 09 1972")
    expect(idOf({ Title: null })).toBe("untitled, undated")
  })

  it("decode, also with a number as title, and without opinions", () => {
    expect(decode(flawless)).toStrictEqual(Result.succeed({
      title: "Alien",
      released: new Date("1979-05-25"),
      budget: 9_000_000,
      gross: 203_630_630,
      critics: 97,
      audience: 8.5
    }))
    const film = decode({ ...flawless, Title: 300, "Rotten Tomatoes Rating": null, "IMDB Rating": null })
    expect(Result.getOrThrow(film)).toMatchObject({ title: "300", critics: null, audience: null })
  })

  it.each([
    [{ Title: null }, "it has no title"],
    [{ "Release Date": null }, "it has no release date"],
    [{ "Release Date": "some day" }, "its release date is not a date"],
    [{ "Release Date": "Aug 01 2044" }, "it was released after the data was collected: a century late?"],
    [{ "Release Date": "Dec 31 1969" }, "it was released on Dec 31 1969, the day that stands for no date at all"],
    [{ "Production Budget": null }, "its budget is not known"],
    [{ "Worldwide Gross": null }, "its worldwide gross is not known"]
  ])("are refused with a reason: %o", (flaw, reason) => {
    const film = decode({ ...flawless, ...flaw })
    expect(Result.isFailure(film) && film.failure.message.split("\n")[0]).toBe(reason)
  })
})

describe("a profit", () => {
  it("is told in dollars of 2010, and opinions on one scale", () => {
    expect(profitOf(Result.getOrThrow(decode(flawless)), 3)).toStrictEqual({
      title: "Alien",
      year: 1979,
      budget: 27_000_000,
      gross: 610_891_890,
      profit: 583_891_890,
      returned: 22.63,
      critics: 97,
      audience: 85,
      disagreement: 12
    })
  })
})

describe("the prices", () => {
  it.effect("rise, and every 40th call is refused", () =>
    Effect.gen(function*() {
      const prices = yield* Prices.Prices
      const calls = yield* hurried(Effect.forEach(Array(80).keys(), () => Effect.exit(prices.rise(1979))))
      const refused = [...calls.keys()].filter((n) => Exit.isFailure(calls[n]!))
      assert.deepStrictEqual(refused, [39, 79])
      assert.closeTo(Exit.getSuccess(calls[0]!).pipe(Option.getOrThrow), 3, 0.1)
    }).pipe(Effect.provide(Prices.layer)))
})

describe("the pipeline", () => {
  const layers = Layer.mergeAll(
    Sql.queue(RawFilms, { table: "films" }),
    Sql.queue(Films, { table: "films" }),
    Memory.sink(Profits),
    Memory.sink(ProfitLines),
    Memory.deadLetters(DeadFilms),
    Prices.layer
  ).pipe(Layer.provide(Sqlite.layer({ filename: ":memory:" })))
  const untilEmpty = profits.pipe(Task.policy({ loop: { streaming: false } }))

  it.effect("brings every film to one end, and a second run does nothing", () =>
    Effect.gen(function*() {
      const loaded = yield* Task.run(load)
      assert.include(loaded, { fetched: 3201, succeeded: 3201, failed: 0 })
      assert.strictEqual((yield* Connector.count(Films)).ready, 3201)

      const run = yield* hurried(Task.run(untilEmpty))
      assert.include(run, { fetched: 3201, succeeded: 3125, deadLettered: 76, retries: 80 })
      assert.deepStrictEqual(run.reasons, { SchemaError: 37, GrossUnknown: 39 })
      const done = (yield* Memory.received(Profits)).map(({ id }) => id)
      const lines = (yield* Memory.received(ProfitLines)).map(({ id }) => id)
      const letters = yield* Memory.letters(DeadFilms)
      assert.strictEqual(new Set([...done, ...letters.map(({ id }) => id)]).size, 3201)
      assert.deepStrictEqual(lines.toSorted(), done.toSorted())
      assert.deepStrictEqual(letters.filter(({ reason }) => /Expected|undefined/.test(reason)), [])

      yield* Task.run(load)
      assert.deepStrictEqual(yield* Connector.count(Films), { ready: 0, inFlight: 0, delayed: 0 })
      assert.strictEqual((yield* hurried(Task.run(untilEmpty))).fetched, 0)
    }).pipe(Effect.provide(layers)), 60_000)
})

describe("the command line", () => {
  it("is read, and what is wrong with it is said", () => {
    expect(read([])).toMatchObject({ fresh: false, out: "out" })
    expect(read(["--fresh", "--out", "elsewhere"])).toMatchObject({ fresh: true, out: "elsewhere" })
    expect(read(["--fersh"])).toStrictEqual({ problem: expect.stringContaining("--fersh") })
    expect(read(["fresh"])).toHaveProperty("problem")
  })
})
