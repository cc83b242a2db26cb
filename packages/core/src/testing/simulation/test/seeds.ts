/**
 * `node --conditions=@ergon/source packages/core/src/testing/simulation/test/seeds.ts COUNT [FROM]`: runs generated seeds
 * and prints those that break a rule.
 */
import { describe } from "../../SimulationReport.ts"
import { trial } from "../trial.ts"
import { generate } from "./generated.ts"

const count = Number(process.argv[2] ?? 100)
const from = Number(process.argv[3] ?? 1)
const most = Number(process.argv[4] ?? 5)
const begun = performance.now()
let bad = 0
const rules = new Map<string, number[]>()
for (let seed = from; seed < from + count; seed++) {
  const { about, how, spec } = generate(seed)
  try {
    const result = await trial(spec, seed, how)
    if (result.violation !== undefined) {
      bad++
      const list = rules.get(result.violation.rule) ?? []
      rules.set(result.violation.rule, list)
      list.push(seed)
      if (bad <= most || count === 1) console.log(`seed ${seed}: ${about}\n${describe("generated", result)}\n`)
    } else if (count === 1) console.log(about, result.fingerprint, describe("generated", result))
  } catch (error) {
    bad++
    console.log(`seed ${seed}: ${about}: ${String(error instanceof Error ? error.stack : error)}`)
  }
}
console.log(rules)
console.log(`${count} seeds, ${bad} broken, ${((performance.now() - begun) / count).toFixed(2)} ms each`)
