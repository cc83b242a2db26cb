/**
 * What the engine adds to a transaction: no-op program, memory source, every case in one process and in turns, so that
 * what the machine does meanwhile falls on all of them. Differences and ratios are taken within a round; the median of the
 * rounds counts.
 */
import { type Connector, Memory } from "@ergon/core"
import { Effect } from "effect"
import { atLeast, atMost, type Goal, median, print, type Row } from "../report.ts"
import { bareLoop } from "./bareLoop.ts"
import { byHand } from "./byHand.ts"
import { ergon, failing } from "./ergon.ts"
import { flatness } from "./memory.ts"
import { encoded, Payloads } from "./payload.ts"

interface Case {
  readonly name: string
  readonly count: number
  readonly run: (source: Connector.SourceService) => Effect.Effect<unknown, unknown>
}

const cases = (size: number): ReadonlyArray<Case> => [
  { name: "(a) bare loop of 64 fibers, decoding", count: size, run: (source) => bareLoop(source, 64, true) },
  { name: "(a') bare loop of 64 fibers", count: size, run: (source) => bareLoop(source, 64, false) },
  { name: "(b) by hand", count: size / 10, run: (source) => byHand(source, 64) },
  { name: "(c) ergon, default policy, 64", count: size, run: (source) => ergon(source, { loop: { concurrency: 64 } }) },
  {
    name: "(d) ergon, 3 attempts, 1 % fail, 64",
    count: size,
    run: (source) =>
      ergon(source, { loop: { concurrency: 64 }, process: { retry: { maxAttempts: 3, backoff: 0 } } }, failing())
  },
  { name: "(e) ergon, 1", count: size, run: (source) => ergon(source, { loop: { concurrency: 1 } }) },
  { name: "(e) ergon, 1,024", count: size, run: (source) => ergon(source, { loop: { concurrency: 1024 } }) }
]

/** Microseconds per transaction. */
const measure = async (one: Case): Promise<number> => {
  const program = Effect.flatMap(Payloads, ({ source }) =>
    Effect.suspend(() => {
      const started = performance.now()
      return Effect.map(one.run(source), () => (performance.now() - started) * 1000 / one.count)
    }))
  globalThis.gc?.()
  return Effect.runPromise(
    Effect.provide(program, Memory.sourceFrom(Payloads, () => encoded(one.count), { history: 0 }))
  )
}

export const engine = async (quick: boolean): Promise<boolean> => {
  const rounds = quick ? 5 : 7
  const all = cases(quick ? 100_000 : 200_000)
  const times = new Map<string, Array<number>>(all.map((one) => [one.name, []]))
  for (const one of all) await measure({ ...one, count: one.count / 2 })
  for (let round = 0; round < rounds; round++) {
    for (const one of all) times.get(one.name)!.push(await measure(one))
  }
  const of = (prefix: string): ReadonlyArray<number> => times.get(all.find((one) => one.name.startsWith(prefix))!.name)!
  const both = (f: (x: number, y: number) => number, x: string, y: string): number => {
    const ys = of(y)
    return median(of(x).map((value, round) => f(value, ys[round]!)))
  }
  const above = (x: string, y: string): number => both((x, y) => x - y, x, y)
  const over = (x: string, y: string): number => both((x, y) => x / y, x, y)
  const rows: Array<Row> = all.map((one) => ({
    name: one.name,
    value: median(times.get(one.name)!),
    unit: "us/transaction"
  }))
  const flat = await flatness(quick ? 1_000_000 : 10_000_000)
  rows.push(...flat.rows)
  const goals: ReadonlyArray<Goal> = [
    atMost("(c) above (a)", above("(c)", "(a)"), "us/transaction", 2.5),
    atLeast("(b) over (c)", over("(b)", "(c)"), "times", 12),
    atMost("(d) over (c)", over("(d)", "(c)"), "times", 2),
    atMost("(e) at concurrency 1", median(of("(e) ergon, 1")), "us/transaction", 6),
    flat.goal
  ]
  print("engine", rows, goals)
  return goals.every((goal) => goal.met)
}
