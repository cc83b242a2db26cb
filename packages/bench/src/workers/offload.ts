/** The program that computes in threads: says how long so many transactions took, the start of its threads left out. */
import * as Connector from "@ergon/core/Connector"
import * as Memory from "@ergon/core/Memory"
import * as Task from "@ergon/core/Task"
import * as Transaction from "@ergon/core/Transaction"
import * as Offload from "@ergon/node/Offload"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { extname } from "node:path"
import { Crunch } from "./crunch.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}

const [size, count] = process.argv.slice(2).map(Number) as [number, number]
const entry = new URL(`./crunchThread${extname(import.meta.url)}`, import.meta.url)

const task = Task.consumer("crunching", Numbers, ({ payload }) => Crunch.use((crunch) => crunch(payload))).pipe(
  Task.provide(
    Memory.source(Numbers, Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, n)))
  ),
  Task.discardFailures,
  Task.policy({ loop: { concurrency: 2 * size } })
)

const program = Effect.gen(function*() {
  // Every thread has compiled what it runs.
  const crunch = yield* Crunch
  yield* Effect.forEach(Array.from({ length: 2 * size }, (_, n) => n), crunch, { concurrency: "unbounded" })
  const begun = performance.now()
  const { succeeded } = yield* Task.run(task)
  process.stdout.write(`${JSON.stringify({ took: performance.now() - begun, succeeded })}\n`)
})

await Effect.runPromise(Effect.provide(program, Offload.layer(Crunch, { entry, size })))
