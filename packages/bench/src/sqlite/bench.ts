/**
 * What the engine costs on the embedded default: enqueue, consume and settle on SQLite, against a bare loop of the same
 * statements, in turns and in one process. Ratios are taken within a round; the median of the rounds counts.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { atLeast, type Goal, median, print, type Row } from "../report.ts"
import { bareLoop, batch } from "./bareLoop.ts"
import { ergon } from "./ergon.ts"
import { statements } from "./statements.ts"

interface Times {
  readonly enqueue: number
  readonly consume: number
}

const total = ({ consume, enqueue }: Times): number => consume + enqueue

export const sqlite = async (quick: boolean): Promise<boolean> => {
  const rounds = quick ? 3 : 7
  const count = batch * (quick ? 800 : 1600)
  const texts = await statements(batch)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-bench-"))
  const bare: Array<Times> = []
  const engine: Array<Times> = []
  try {
    for (let round = -1; round < rounds; round++) {
      const size = round === -1 ? count / 10 : count
      globalThis.gc?.()
      const floor = bareLoop(texts, path.join(folder, `bare-${round}.db`), size)
      globalThis.gc?.()
      const ours = await ergon(path.join(folder, `ergon-${round}.db`), size)
      if (round === -1) continue
      bare.push(floor)
      engine.push(ours)
    }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
  const row = (name: string, times: ReadonlyArray<Times>, of: (times: Times) => number): Row => ({
    name,
    value: median(times.map(of)),
    unit: "us/transaction"
  })
  const ratio = (of: (times: Times) => number): number =>
    median(bare.map((floor, round) => of(floor) / of(engine[round]!)))
  const rows: ReadonlyArray<Row> = [
    row("bare loop: enqueue", bare, ({ enqueue }) => enqueue),
    row("bare loop: consume and settle", bare, ({ consume }) => consume),
    row("ergon: enqueue", engine, ({ enqueue }) => enqueue),
    row("ergon: consume and settle", engine, ({ consume }) => consume),
    { name: "enqueue, of the bare loop", value: ratio(({ enqueue }) => enqueue), unit: "times" },
    { name: "consume and settle, of the bare loop", value: ratio(({ consume }) => consume), unit: "times" }
  ]
  const goals: ReadonlyArray<Goal> = [
    atLeast("enqueue, consume and settle, of the bare loop", ratio(total), "times", 0.6)
  ]
  print("sqlite", rows, goals)
  return goals.every((goal) => goal.met)
}
