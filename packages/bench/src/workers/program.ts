/**
 * The program that is measured: host and worker in one, with deep imports only, as documentation advises for workers. What
 * it does stands in ERGON_BENCH.
 */
import * as Connector from "@ergon/core/Connector"
import * as Memory from "@ergon/core/Memory"
import { Observer } from "@ergon/core/Run"
import * as Task from "@ergon/core/Task"
import * as Transaction from "@ergon/core/Transaction"
import * as ErgonRuntime from "@ergon/node/ErgonRuntime"
import * as Workers from "@ergon/node/Workers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import { work } from "./work.ts"

/** `workers`: 0 is the task alone, in one process. */
export interface Setup {
  readonly task: "cpu" | "sleep" | "start"
  readonly workers: number
  readonly folder: string
  readonly count: number
  readonly concurrency: number
  readonly barrel?: boolean
}

const setup = JSON.parse(process.env["ERGON_BENCH"] ?? "{}") as Setup
if (setup.barrel === true && Workers.isWorker()) await import("effect")

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}

const note = (name: string, value: unknown): void =>
  fs.writeFileSync(path.join(setup.folder, name), JSON.stringify(value))

const say = (line: string): void => void process.stdout.write(`${line}\n`)

// Nobody computes before all do: what is measured begins here.
let begun: number | undefined
const barrier = Effect.gen(function*() {
  if (begun !== undefined) return
  note(`at-${process.pid}`, true)
  while (fs.readdirSync(setup.folder).filter((name) => name.startsWith("at-")).length < setup.workers) {
    yield* Effect.sleep(2)
  }
  begun = Date.now()
})

const cpu = Effect.gen(function*() {
  yield* barrier
  work()
  note(`end-${process.pid}`, { begun, ended: Date.now() })
})

const sleep = Effect.andThen(Effect.sync(() => say("begun")), Effect.sleep(2000))

const start = Effect.sync(() => {
  const resident = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024
  say(`started ${JSON.stringify({ at: Date.now(), resident })}`)
})

const what = { cpu, sleep, start }

const transactions = Array.from({ length: setup.count }, (_, n) => Transaction.make(`n-${n}`, n))

const task = Task.consumer("measured", Numbers, () => what[setup.task]).pipe(
  Task.provide(Memory.source(Numbers, transactions)),
  Task.discardFailures,
  Task.policy({ loop: { concurrency: setup.concurrency, limit: setup.count }, fetch: { prefetch: 0 } })
)

const host = Effect.gen(function*() {
  const observer = yield* Observer
  say(`spawning ${Date.now()}`)
  const run: Effect.Effect<unknown, unknown> = setup.workers === 0
    ? Task.run(task)
    : Workers.run(task, { count: setup.workers, entry: import.meta.filename })
  yield* Effect.provideService(run, Observer, {
    ...observer,
    closed: (run, exit) => {
      observer.closed(run, exit)
      const { failed, fetched, released, succeeded } = Effect.runSync(run.control.status).summary
      say(`summary ${JSON.stringify({ fetched, succeeded, released, failed })}`)
    }
  })
})

const quiet = Effect.provide(Layer.empty.pipe(Layer.merge(Logger.layer([]))))
if (Workers.isWorker()) ErgonRuntime.runMain(quiet(Workers.serve([task])), { summary: false })
else ErgonRuntime.runMain(quiet(host), { summary: false, supervision: false, onSignal: () => {} })
