/**
 * What users run today against Ergon: consume with an empty program and settle, on real servers. All contenders of a
 * system take turns in one process; ratios are taken within a round, and the median of the rounds counts.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { atLeast, type Goal, median, print, type Row } from "../report.ts"
import { latency } from "./latency.ts"
import { type Bar, bars } from "./plot.ts"
import type { System } from "./system.ts"
import { systems } from "./systems.ts"

interface Rates {
  readonly publish: number
  readonly consume: number
}

/** Per second, by the name of the contender, one for each round. */
const race = async (
  system: System,
  count: number,
  rounds: number
): Promise<ReadonlyMap<string, ReadonlyArray<Rates>>> => {
  const rates = new Map<string, Array<Rates>>()
  const contenders = await system.contenders()
  try {
    // The first round warms up.
    for (let round = -1; round < rounds; round++) {
      for (const contender of contenders) {
        globalThis.gc?.()
        const publish = count * 1000 / await contender.publish(count)
        globalThis.gc?.()
        const consume = count * 1000 / await contender.consume(count)
        if (round === -1) continue
        const of = rates.get(contender.name) ?? []
        of.push({ publish, consume })
        rates.set(contender.name, of)
      }
    }
  } finally {
    for (const contender of contenders) await contender.close()
  }
  return rates
}

const middle = (rates: ReadonlyArray<Rates>, of: keyof Rates): number => median(rates.map((one) => one[of]))

/** The latencies at shares of what Ergon consumes, and what an empty queue costs. */
const calm = async (system: System, rate: number): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  const contenders = await system.contenders()
  try {
    for (const contender of contenders) {
      for (const share of [0.1, 0.7]) {
        // Above this, what makes the load is what is measured: it shares two cores with all others.
        const perSecond = Math.min(rate, 10_000) * share
        const { p50, p99 } = await latency(contender, perSecond, 5)
        const name = `${system.name}: ${contender.name}, ${Math.round(perSecond)}/s`
        rows.push({ name: `${name}: p50`, value: p50, unit: "ms" }, { name: `${name}: p99`, value: p99, unit: "ms" })
      }
      if (system.asked === undefined) continue
      const stop = await contender.start(() => {})
      // PostgreSQL counts what a connection has done once it has been idle for 10 seconds.
      await new Promise((resolve) => setTimeout(resolve, 12_000))
      const before = await system.asked()
      await new Promise((resolve) => setTimeout(resolve, 10_000))
      rows.push({
        name: `${system.name}: ${contender.name}, idle`,
        value: (await system.asked() - before) / 10,
        unit: "requests/s"
      })
      await stop()
    }
  } finally {
    for (const contender of contenders) await contender.close()
  }
  return rows
}

export const brokers = async (quick: boolean): Promise<boolean> => {
  const count = quick ? 5_000 : 50_000
  const rounds = 5
  const rows: Array<Row> = []
  const goals: Array<Goal> = []
  const shown: Array<Bar> = []
  await systems(async (system) => {
    const rates = await race(system, count, rounds)
    for (const [name, of] of rates) {
      rows.push(
        { name: `${system.name}: ${name}: publish`, value: middle(of, "publish"), unit: "/s" },
        { name: `${system.name}: ${name}: consume and settle`, value: middle(of, "consume"), unit: "/s" }
      )
      shown.push({ group: system.name, name, value: middle(of, "consume") })
    }
    const ours = rates.get("Ergon") ?? []
    for (const [name, least] of Object.entries(system.goals)) {
      const theirs = rates.get(name) ?? []
      const ratio = median(ours.map((one, round) => one.consume / theirs[round]!.consume))
      goals.push(atLeast(`${system.name}: of ${name}`, ratio, "times", least))
    }
    if (!quick) rows.push(...await calm(system, middle(ours, "consume")))
  })
  print("brokers", rows, goals)
  if (!quick) {
    const file = join(import.meta.dirname, "../../../../docs/images/brokers.svg")
    writeFileSync(file, bars("Consumed and settled per second", shown))
    process.stderr.write(`drawn: ${file}\n`)
  }
  return goals.every((goal) => goal.met)
}
