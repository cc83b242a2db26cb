/**
 * What a collector that is killed, frozen or slow in the middle of a run does to a pipeline with all of its telemetry on:
 * every case in one process and in turns, ratios within a round, and the median of the rounds counts.
 */
import { Effect } from "effect"
import { atLeast, atMost, type Goal, median, print, type Row } from "../report.ts"
import { faults, runWith } from "./faults.ts"
import type { Told } from "./pipeline.ts"

const cases = ["healthy", ...faults] as const
type Case = typeof cases[number]

const exactly = (name: string, value: number, unit: string, wanted: number): Goal => ({
  name,
  value,
  unit,
  goal: `${wanted}`,
  met: value === wanted
})

export const collector = async (quick: boolean): Promise<boolean> => {
  const count = quick ? 20_000 : 100_000
  const rounds = quick ? 3 : 7
  const all = new Map<Case, Array<Told>>(cases.map((one) => [one, []]))
  const of = (one: Case): ReadonlyArray<Told> => all.get(one) ?? []
  const run = (one: Case, count: number) => Effect.runPromise(runWith(one, count, () => globalThis.gc?.()))
  await run("healthy", count / 5)
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) all.get(one)?.push(await run(one, count))
  }
  const megabytes = (one: Case) => Math.max(...of(one).map(({ held }) => held)) / 1e6
  const goals = faults.flatMap((fault): ReadonlyArray<Goal> => [
    atLeast(
      `${fault}: throughput, of the healthy one`,
      median(of(fault).map(({ took }, round) => (of("healthy")[round]?.took ?? NaN) / took)),
      "times",
      0.9
    ),
    exactly(
      `${fault}: lost or not acknowledged, all rounds`,
      of(fault).reduce((sum, { acked, balance }) => sum + balance.lost.length + count - acked, 0),
      "transactions",
      0
    ),
    exactly(
      `${fault}: rounds with none or several warnings`,
      of(fault).filter(({ warnings }) => warnings.length !== 1).length,
      "rounds",
      0
    ),
    atMost(`${fault}: held at the end, the most of a round`, megabytes(fault), "MB", 150)
  ])
  print(
    "collector",
    cases.flatMap((one): ReadonlyArray<Row> => [
      { name: one, value: median(of(one).map(({ took }) => count / took * 1000)), unit: "transactions/s" },
      { name: `${one}, held at the end`, value: megabytes(one), unit: "MB" },
      { name: `${one}, warnings`, value: median(of(one).map(({ warnings }) => warnings.length)), unit: "warnings" }
    ]),
    goals
  )
  return goals.every((goal) => goal.met)
}
