/**
 * A program whose metrics are looked at: `scraped.ts PORT [WORKERS]`. It has 200 jobs, or so many for each of its workers, each of which does what its last digit says. It goes on until it is
 * told to end. What it logs, its summary at last, are lines of JSON.
 */
import { Connector, ConnectorError, Decision, Memory, Reason, Task, Transaction } from "@ergon/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as ErgonRuntime from "../ErgonRuntime.ts"
import * as Workers from "../Workers.ts"

class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Int) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class DeadJobs extends Connector.DeadLetters<DeadJobs>()("dead-jobs") {}

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}
class Early extends Schema.TaggedError<Early>()("Early", {}) {}

const jobs = Array.from({ length: 200 }, (_, n) => Transaction.make(`job-${n}`, n))

const seen = new Set<number>()

/** 0: never works. 1: works at the second attempt. 2: is put back once. 3: its lease is lost once. 4: never ends. */
const work = (n: number): Effect.Effect<number, Broken | Early | Reason.LeaseLost> =>
  Effect.gen(function*() {
    const first = !seen.has(n)
    seen.add(n)
    // All of them take seconds, so that there is something in flight when somebody looks.
    yield* Effect.sleep("200 millis")
    const digit = n % 10
    if (digit === 0 || (digit === 1 && first)) return yield* new Broken()
    if (digit === 2 && first) return yield* new Early()
    if (digit === 3 && first) return yield* new Reason.LeaseLost({ message: "it took too long" })
    if (digit === 4) return yield* Effect.never
    return n
  })

/** A queue in memory that does not take the first acknowledgement. */
const queue = Connector.layerQueue(
  Jobs,
  Effect.gen(function*() {
    const { sink, source } = Context.get(yield* Layer.build(Memory.queue(Jobs, jobs, { lease: "3 seconds" })), Jobs)
    let failures = 1
    return {
      sink,
      source: {
        ...source,
        settle: (settlements) =>
          failures-- > 0
            ? Effect.fail(new ConnectorError.SettleError({ reason: new Reason.ConnectionLost({ message: "not now" }) }))
            : source.settle(settlements)
      }
    }
  })
)

const task = Task.consumer("jobs", Jobs, ({ payload }) => work(payload)).pipe(
  Task.dispatch(Results, ({ id }, result) => Transaction.make(id, result)),
  Task.deadLetter(DeadJobs),
  Task.decide({ Broken: Decision.retry, Early: Decision.requeue(), LeaseLost: Decision.retry }),
  Task.policy({
    loop: { streaming: true, concurrency: 8 },
    fetch: { wait: "100 millis" },
    process: { retry: { maxAttempts: 2 } },
    transaction: { timeout: "1 second" },
    shutdown: { grace: "1 second", close: "500 millis" }
  }),
  Task.provide(Layer.mergeAll(queue, Memory.sink(Results), Memory.deadLetters(DeadJobs)))
)

const [, , port, workers] = process.argv

if (Workers.isWorker()) ErgonRuntime.runMain(Workers.serve([task]))
else {
  const run: Effect.Effect<unknown, unknown> = workers === undefined
    ? Task.run(task)
    : Workers.run(task, { count: Number(workers), entry: import.meta.filename })
  run.pipe(
    Effect.provide(Logger.layer([Logger.consoleJson])),
    ErgonRuntime.runMain({ http: { port: Number(port) } })
  )
}
