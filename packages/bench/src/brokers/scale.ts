/**
 * How the rate changes with 1, 2 and 4 consumers, each in a process of its own, and with a million waiting. On two cores
 * the server has a part of them, so that more processes show what they cost rather than what they bring.
 */
import { Program } from "@ergon/lab"
import { Effect } from "effect"
import { join } from "node:path"
import { print, type Row } from "../report.ts"
import type { System } from "./system.ts"
import { served } from "./systems.ts"

/** Per second, of all consumers together: from the first that one of them began to the last that one settled. */
const together = (system: System, queue: string, consumers: number, count: number): Promise<number> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const share = Math.floor(count / consumers)
    const args = [system.name, queue, String(share)]
    const programs = yield* Effect.forEach(
      Array.from({ length: consumers }),
      () => Program.script(join(import.meta.dirname, "consumer.ts"), args)
    )
    yield* Effect.forEach(programs, (program) => program.says((line) => line === "ready"))
    yield* Effect.forEach(programs, (program) => program.tell("go"))
    const said = yield* Effect.forEach(programs, (program) => program.says((line) => line.startsWith("{")))
    const times = said.map((line): { readonly began: number; readonly ended: number } => JSON.parse(line))
    const took = Math.max(...times.map(({ ended }) => ended)) - Math.min(...times.map(({ began }) => began))
    return share * consumers * 1000 / took
  })))

export const scale = async (quick: boolean): Promise<boolean> => {
  const count = quick ? 8_000 : 80_000
  const waiting = quick ? 50_000 : 1_000_000
  const rows: Array<Row> = []
  for (const system of served) {
    const queue = `bench_scale_${process.pid}`
    const ours = system.ours(queue)
    try {
      for (const consumers of [1, 2, 4]) {
        await ours.publish(count)
        const rate = await together(system, queue, consumers, count)
        rows.push({ name: `${system.name}: ${consumers} at once`, value: rate, unit: "/s" })
      }
      const took = await ours.publish(waiting)
      rows.push({ name: `${system.name}: publish ${waiting}`, value: waiting * 1000 / took, unit: "/s" })
      const rate = await together(system, queue, 1, count)
      rows.push({ name: `${system.name}: 1 consumer, ${waiting} waiting`, value: rate, unit: "/s" })
    } finally {
      await ours.close()
    }
  }
  print("scale", rows, [])
  return true
}
