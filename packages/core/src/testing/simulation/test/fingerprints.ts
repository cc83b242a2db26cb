/**
 * `node --conditions=@ergon/source fingerprints.ts COUNT`: the fingerprints of the first COUNT generated seeds, one a line.
 */
import { trial } from "../trial.ts"
import { generate } from "./generated.ts"

const count = Number(process.argv[2] ?? 100)
for (let seed = 1; seed <= count; seed++) {
  const { how, spec } = generate(seed)
  const { fingerprint } = await trial(spec, seed, how)
  process.stdout.write(`${seed} ${fingerprint}\n`)
}
