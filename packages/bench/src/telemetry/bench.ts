/**
 * What telemetry adds to a transaction with one attempt: every case in one process and in turns; differences and ratios are
 * taken within a round, and the median of the rounds counts.
 */
import { Memory } from "@ergon/core"
import { Effect } from "effect"
import { encoded, Payloads } from "../engine/payload.ts"
import { atLeast, atMost, type Goal, median, print } from "../report.ts"
import { type Case, cases } from "./cases.ts"

/** Microseconds per transaction. */
const measure = async (one: Case, count: number): Promise<number> => {
  const program = Effect.flatMap(Payloads, ({ source }) =>
    Effect.suspend(() => {
      const started = performance.now()
      return Effect.map(one.run(source), () => (performance.now() - started) * 1000 / count)
    }))
  globalThis.gc?.()
  const source = Memory.sourceFrom(Payloads, () => encoded(count), { history: 0, end: true })
  return Effect.runPromise(Effect.provide(program, source))
}

export const telemetry = async (quick: boolean): Promise<boolean> => {
  const count = quick ? 50_000 : 200_000
  const times = new Map<string, Array<number>>(cases.map((one) => [one.name, []]))
  for (const one of cases) await measure(one, count / 2)
  for (let round = 0; round < 7; round++) {
    for (const one of cases) times.get(one.name)!.push(await measure(one, count))
  }
  const above = (name: string): ReadonlyArray<number> =>
    times.get(name)!.map((value, round) => value - times.get("off")![round]!)
  const full = above("full")
  const goals: ReadonlyArray<Goal> = [
    atMost("sampled at 1 %, above off", median(above("sampled at 1 %")), "us/transaction", 1.5),
    atMost("full, above off", median(full), "us/transaction", 20),
    atLeast(
      "withSpan over full, above off each",
      median(above("with Effect.withSpan").map((value, round) => value / full[round]!)),
      "times",
      2
    )
  ]
  print(
    "telemetry",
    cases.map(({ name }) => ({ name, value: median(times.get(name)!), unit: "us/transaction" })),
    goals
  )
  return goals.every((goal) => goal.met)
}
