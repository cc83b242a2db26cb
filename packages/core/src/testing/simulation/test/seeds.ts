/**
 * `node --conditions=@ergon/source packages/core/src/testing/simulation/test/seeds.ts COUNT [FROM]`: runs generated seeds
 * on all processors and prints the shortest story of each that breaks a rule. A single one is always told.
 */
import { availableParallelism } from "node:os"
import { describe } from "../../SimulationReport.ts"
import { shrink } from "../shrink.ts"
import { trial } from "../trial.ts"
import { generate } from "./generated.ts"
import { runSeeds } from "./workers.ts"

const count = Number(process.argv[2] ?? 1_000)
const from = Number(process.argv[3] ?? 1)
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const tell = async (seed: number): Promise<void> => {
  const { about, how, spec } = generate(seed)
  const first = await trial(spec, seed, how)
  const shown = first.violation === undefined ? first : await shrink(() => generate(seed).spec, first)
  say(`${about}\n${describe("generated", shown)}\n`)
}

if (count === 1) await tell(from)
else {
  const result = await runSeeds({ count, from, workers: availableParallelism() })
  for (const { rule, seed } of result.broken) say(`seed ${seed} breaks: ${rule}`)
  for (const { seed } of result.broken.slice(0, 5)) await tell(seed)
  say(`${count} seeds, ${result.broken.length} broken, in ${Math.round(result.took)} ms`)
  process.exitCode = result.broken.length === 0 ? 0 : 1
}
