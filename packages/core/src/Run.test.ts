import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Memory, Run, Task, Transaction } from "./index.ts"

class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const jobs = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`job-${n}`, { n }))

/** Writes down what it is told, together with whatever else happens. */
const observing = () => {
  const log: Array<string> = []
  const runs: Array<Run.Run> = []
  const observer: Run.Observer = {
    started: (run) => {
      runs.push(run)
      log.push(`${run.task} started`)
    },
    finished: ({ task }, exit) => log.push(`${task} finished: ${exit._tag}`),
    closed: ({ task }, exit) => log.push(`${task} closed: ${exit._tag}`)
  }
  const observed = Effect.provideService(Run.Observer, observer)
  return { log, runs, observed }
}

const task = Task.consumer("jobs", Jobs, ({ payload }) => Effect.succeed(payload.n)).pipe(
  Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
  Task.deadLetter(Dead)
)
const sinks = Layer.merge(Memory.sink(Results), Memory.deadLetters(Dead))

describe("Run.Observer", () => {
  it.effect("is told of the start, of the end of the work, and of the end of the Layers that the task was given", () =>
    Effect.gen(function*() {
      const { log, observed } = observing()
      const traced = Layer.effectDiscard(Effect.acquireRelease(
        Effect.sync(() => log.push("opened")),
        () => Effect.sync(() => log.push("released"))
      ))
      yield* observed(Task.run(task.pipe(Task.provide(Layer.mergeAll(Memory.queue(Jobs), sinks, traced)))))
      assert.deepStrictEqual(log, [
        "jobs started",
        "opened",
        "jobs finished: Success",
        "released",
        "jobs closed: Success"
      ])
    }))

  it.effect("sees the policy in force, the connectors once they are found, and what the run did", () =>
    Effect.gen(function*() {
      const { observed, runs } = observing()
      yield* observed(Task.run(task.pipe(Task.policy({ loop: { concurrency: 3 } }))))
      const [run] = runs
      assert.strictEqual(runs.length, 1)
      assert.deepInclude(run, { task: "jobs", kind: "consumer" })
      assert.strictEqual(run?.policy.loop.concurrency, 3)
      const connectors = yield* run!.connectors
      assert.deepStrictEqual(connectors.map(({ id, role }) => `${role} ${id}`), [
        "source jobs",
        "sink results",
        "deadLetters dead"
      ])
      assert.deepStrictEqual(yield* connectors[0]!.count!, { ready: 0, inFlight: 0, delayed: 0 })
      assert.deepStrictEqual(yield* run!.workers, [])
      assert.deepInclude((yield* run!.control.status).summary, { fetched: 5, succeeded: 5 })
    }).pipe(Effect.provide([Memory.queue(Jobs, jobs(5)), sinks])))

  it.effect("is told of a run that fails and of one that is interrupted; its summary stays", () =>
    Effect.gen(function*() {
      const { log, observed, runs } = observing()
      const refused = Task.consumer("refused", Jobs, () => Effect.void)
      const failed = yield* Effect.exit(observed(Task.run(refused)))
      assert.isTrue(Exit.isFailure(failed))
      assert.deepStrictEqual(log, ["refused started", "refused finished: Failure", "refused closed: Failure"])
      const slow = Task.consumer("slow", Jobs, () => Effect.sleep("10 seconds"))
      const fiber = yield* Effect.forkChild(observed(Task.run(slow)).pipe(Effect.provide(Memory.queue(Jobs, jobs(2)))))
      yield* TestClock.adjust("1 second")
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(interrupting)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(log.slice(3), ["slow started", "slow finished: Failure", "slow closed: Failure"])
      const { summary } = yield* runs[1]!.control.status
      assert.deepInclude(summary, { fetched: 1, succeeded: 1, duration: Duration.seconds(10) })
    }).pipe(Effect.provide(Memory.queue(Jobs, [], { deadLetter: "none" }))))

  it.effect("is told of a program, whose handle stays idle; the policy of its surroundings is its own", () =>
    Effect.gen(function*() {
      const { log, observed, runs } = observing()
      const nightly = Task.make("nightly", Effect.sleep("1 second")).pipe(
        Task.policy({ shutdown: { grace: "1 minute" } })
      )
      const fiber = yield* Effect.forkChild(observed(Task.run(nightly)))
      yield* TestClock.adjust("1 second")
      const summary = yield* Fiber.join(fiber)
      assert.strictEqual(Duration.toMillis(summary.duration), 1000)
      assert.deepStrictEqual(log, ["nightly started", "nightly finished: Success", "nightly closed: Success"])
      assert.strictEqual(runs[0]?.kind, "program")
      assert.strictEqual(Duration.toSeconds(runs[0]!.policy.shutdown.grace), 60)
      assert.strictEqual((yield* runs[0]!.control.status).phase, "idle")
    }))
})

describe("Run.Surroundings", () => {
  /** What opens and closes around a run, and who it is for. */
  const surrounding = (log: Array<string>) => (identity: Run.Identity) =>
    Layer.effectDiscard(Effect.acquireRelease(
      Effect.sync(() => log.push(`opened for ${identity.task}, ${identity.execution}, ${identity.worker}`)),
      () => Effect.sync(() => log.push("closed"))
    ))
  const execution = { execution: "e-1", worker: 2 }

  it.effect("are there before and after everything else of a run, whatever becomes of it", () =>
    Effect.gen(function*() {
      for (const ends of [Effect.void, Effect.fail("no"), Effect.interrupt]) {
        const { log, observed } = observing()
        const layer = Layer.effectDiscard(
          Effect.acquireRelease(Effect.sync(() => log.push("layer")), () => Effect.sync(() => log.push("layer closed")))
        )
        const work = Effect.andThen(Effect.sync(() => log.push("works")), ends)
        const program = Task.make("nightly", Effect.provide(work, layer))
        yield* observed(Task.run(program)).pipe(
          Effect.exit,
          Effect.provideService(Run.Surroundings, surrounding(log)),
          Effect.provideService(Run.Execution, execution)
        )
        assert.deepStrictEqual(log.filter((line) => !/finished|closed:/.test(line)), [
          "opened for nightly, e-1, 2",
          "nightly started",
          "layer",
          "works",
          "layer closed",
          "closed"
        ])
        assert.match(log.at(-2) ?? "", /nightly closed/)
      }
    }))

  it.effect("are there for one transaction as well, and the execution of a run is known in it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const seen: Array<unknown> = []
      const looking = Task.consumer("jobs", Jobs, () => Effect.map(Run.Execution, (one) => void seen.push(one))).pipe(
        Task.discardFailures,
        Task.provide(Memory.queue(Jobs))
      )
      yield* Effect.all([
        Task.runTransaction(looking, Transaction.make("a", { n: 1 })),
        Task.runJson(looking, Transaction.make("b", { n: 1 }))
      ]).pipe(Effect.provideService(Run.Surroundings, surrounding(log)))
      assert.strictEqual(log.length, 4)
      const [first, second] = seen as ReadonlyArray<Run.Identity | undefined>
      assert.match(first?.execution ?? "", /^[0-9a-f-]{36}$/)
      assert.notStrictEqual(first?.execution, second?.execution)
      assert.strictEqual(log[0], `opened for jobs, ${first?.execution}, undefined`)
    }))
})
