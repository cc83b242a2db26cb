/**
 * A program that runs tasks in workers, for tests: the host and the entry of its workers in one, as programs of users
 * are. What it does stands in the variable ERGON_TEST; it says on stdout what happens, a line each.
 */
import { Connector, ConnectorError, Decision, Memory, Reason, Run, Task, Transaction } from "@ergon/core"
import type { Policy } from "@ergon/core"
import { ErgonRuntime, Workers } from "@ergon/node"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import { threadId } from "node:worker_threads"
import { folderSource } from "./folderSource.ts"

/** `does`: what happens when it is processed, instead of succeeding after `takes` milliseconds. `once`: only once. */
export interface Work {
  readonly takes?: number
  readonly does?: "kill" | "exit" | "throw" | "block" | "fail" | "abort"
  readonly once?: string
}

export interface Setup {
  readonly task: "folder" | "numbers" | "unreachable" | "unconfigured" | "producer" | "program" | "missing"
  readonly folder?: string
  readonly workers: Omit<Workers.Options, "entry"> & { readonly entry?: string }
  readonly policy?: Policy.Input
  // Each status that the host has, every 50 ms, once something has changed.
  readonly watch?: boolean
  readonly control?: "drain" | "stop" | "concurrency"
  // How long a Layer of the task takes to close.
  readonly closing?: number
}

const setup = JSON.parse(process.env["ERGON_TEST"] ?? "{}") as Setup
const folder = setup.folder ?? ""

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

class Broken extends Schema.TaggedError<Broken>()("Broken", { why: Schema.String }) {}

const WorkSchema = Schema.Struct({
  takes: Schema.optional(Schema.Number),
  does: Schema.optional(Schema.Literals(["kill", "exit", "throw", "block", "fail", "abort"])),
  once: Schema.optional(Schema.String)
})

class Works extends Connector.Source<Works>()("works", WorkSchema) {}
class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}

const isFirst = (name: string): boolean => {
  try {
    fs.writeFileSync(path.join(folder, name), "", { flag: "wx" })
    return true
  } catch {
    return false
  }
}

const act = (does: NonNullable<Work["does"]>): Effect.Effect<void, Broken> => {
  switch (does) {
    case "kill":
      return Effect.sync(() => process.kill(process.pid, "SIGKILL"))
    case "exit":
      return Effect.sync(() => process.exit(7))
    case "throw":
      return Effect.callback(() => {
        setImmediate(() => {
          throw new Error("thrown out of everything")
        })
      })
    case "block":
      return Effect.sync(() => {
        for (;;);
      })
    case "fail":
    case "abort":
      return Effect.fail(new Broken({ why: does }))
  }
}

const works = Task.consumer("folder", Works, ({ id, payload }) =>
  Effect.gen(function*() {
    const worker = yield* Workers.Id
    yield* say(`begin ${id} worker ${worker} pid ${process.pid} thread ${threadId}`)
    if (payload.does !== undefined && (payload.once === undefined || isFirst(payload.once))) yield* act(payload.does)
    yield* Effect.sleep(payload.takes ?? 0)
    fs.appendFileSync(path.join(folder, "journal"), `${id} ${worker}\n`)
    yield* say(`end ${id}`)
  })).pipe(
    Task.decide({ Broken: ({ why }) => why === "abort" ? Decision.abort : Decision.deadLetter }),
    Task.provide(Connector.layerSource(Works, Effect.succeed(folderSource(folder)))),
    Task.provide(Layer.effectDiscard(
      Effect.acquireRelease(
        Effect.flatMap(Workers.Id, (worker) => say(`layers of worker ${worker}`)),
        () => Effect.andThen(Effect.sleep(setup.closing ?? 0), say("layers closed"))
      )
    )),
    Task.policy(setup.policy ?? {})
  )

// Every worker has as many of its own as it wants.
const numbers = Task.consumer(
  "numbers",
  Numbers,
  ({ payload }) => Effect.flatMap(Workers.Id, (worker) => say(`number ${payload} worker ${worker}`))
).pipe(
  Task.provide(
    Memory.source(Numbers, Array.from({ length: 100 }, (_, n) => Transaction.make(`number-${n}`, n)))
  ),
  Task.discardFailures,
  Task.policy(setup.policy ?? {})
)

const unreachable = Task.consumer("unreachable", Numbers, () => Effect.void).pipe(
  Task.provide(Connector.layerSource(
    Numbers,
    Effect.fail(new ConnectorError.FetchError({ reason: new Reason.ConnectionLost({ message: "no broker here" }) }))
  ))
)

const unconfigured = Task.consumer("unconfigured", Numbers, () => Effect.void).pipe(
  Task.provide(Connector.layerSource(
    Numbers,
    Effect.andThen(Config.String("ERGON_TEST_MISSING"), Effect.succeed(folderSource(folder)))
  ))
)

const producer = Task.producer("producer", [Transaction.make("one", 1)], () => say("produced")).pipe(
  Task.discardFailures
)

const program = Task.make(
  "program",
  Effect.gen(function*() {
    yield* say(`program in worker ${yield* Workers.Id}`)
    yield* Effect.log("logged")
  })
)

const all = [works, numbers, unreachable, unconfigured, producer, program]

const host = Effect.gen(function*() {
  const observer = yield* Run.Observer
  const task = all.find(({ name }) => name === setup.task) ?? Task.make(setup.task, Effect.void)
  let seen: Run.Run | undefined
  const watching = Effect.gen(function*() {
    if (seen === undefined) return
    const status = yield* seen.control.status
    const workers = yield* seen.workers
    if (setup.watch === true) yield* say(`status ${JSON.stringify({ ...status, workers })}`)
  }).pipe(Effect.delay(50), Effect.forever)
  const controlling = Effect.gen(function*() {
    if (seen === undefined || setup.control === undefined) return
    const { inFlight } = yield* seen.control.status
    if (inFlight < setup.workers.count) return
    if (setup.control === "concurrency") yield* seen.control.setConcurrency(3)
    else yield* seen.control[setup.control]
  }).pipe(Effect.delay(50), Effect.forever)
  const summary = yield* Workers.run(task, {
    entry: import.meta.filename,
    ...setup.workers
  }).pipe(
    Effect.provideService(Run.Observer, {
      ...observer,
      started: (run) => {
        seen = run
        observer.started(run)
      },
      closed: (run, exit) => {
        observer.closed(run, exit)
        process.stdout.write(`closed ${exit._tag}\n`)
      }
    }),
    Effect.raceFirst(Effect.andThen(watching, Effect.never)),
    Effect.raceFirst(Effect.andThen(controlling, Effect.never))
  )
  yield* say(`summary ${JSON.stringify(summary)}`)
})

if (Workers.isWorker()) ErgonRuntime.runMain(Workers.serve(all))
else ErgonRuntime.runMain(host, { summary: false })
