/**
 * `node --conditions=@ergon/source first.ts MOST`: the first generated seed that breaks a rule, within the first MOST.
 */
import { trial } from "../trial.ts"
import { generate } from "./generated.ts"

const most = Number(process.argv[2] ?? 1_000)
let found = "none"
for (let seed = 1; seed <= most && found === "none"; seed++) {
  try {
    const { how, spec } = generate(seed)
    const { violation } = await trial(spec, seed, how)
    if (violation !== undefined) found = `found ${seed} ${violation.rule}: ${violation.text}`
  } catch (error) {
    found = `found ${seed} ${String(error)}`
  }
}
process.stdout.write(`${found}\n`)
