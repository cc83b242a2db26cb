/**
 * `npm run bench -- NAME [--quick]`: runs one benchmark, or lists them.
 */
import { brokers } from "./brokers/bench.ts"
import { scale } from "./brokers/scale.ts"
import { collector } from "./collector/bench.ts"
import { engine } from "./engine/bench.ts"
import { simulation } from "./simulation/bench.ts"
import { sqlite } from "./sqlite/bench.ts"
import { telemetry } from "./telemetry/bench.ts"
import { workers } from "./workers/bench.ts"

const benches: Readonly<Record<string, (quick: boolean) => Promise<boolean>>> = {
  brokers,
  collector,
  engine,
  scale,
  simulation,
  sqlite,
  telemetry,
  workers
}

const names = Object.keys(benches)
const [name, ...flags] = process.argv.slice(2)
const bench = name === undefined ? undefined : benches[name]
const unknown = flags.filter((flag) => flag !== "--quick")
if (bench === undefined || unknown.length > 0) {
  const problem = unknown.length > 0
    ? `unknown flag ${unknown[0]}`
    : name === undefined
    ? "which one?"
    : `no bench "${name}"`
  process.stderr.write(`bench: ${problem}\n  npm run bench -- NAME [--quick]\n  NAME is one of: ${names.join(", ")}\n`)
  process.exitCode = 2
} else {
  process.exitCode = await bench(flags.includes("--quick")) ? 0 : 1
}
