// What the simulator has found in the engine, each as the smallest script of it.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { Connector, Decision, Disposition, Task, Transaction } from "../index.ts"
import { connect } from "../internal/memory/connect.ts"
import { Store } from "../internal/memory/store.ts"
import type { SourceStorage } from "./Harness.ts"
import * as Simulation from "./Simulation.ts"
import type { Fault } from "./SimulationFault.ts"
import * as WatermarkSource from "./WatermarkSource.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Doubles extends Connector.Sink<Doubles>()("doubles", Schema.Int) {}
class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const numbers = [1, 2, 3].map((n) => Transaction.make(`t${n}`, n))
const places = [Simulation.sink(Doubles), Simulation.sink(Totals), Simulation.deadLetters(Dead)] as const

const fault = (step: Fault["step"], transaction: string, kind: Fault["kind"], value = 0, attempt = 1): Fault => ({
  step,
  transaction,
  delivery: 0,
  attempt,
  kind,
  value
})

/** A queue that counts no deliveries. */
const queue: Effect.Effect<SourceStorage> = Effect.map(Clock.Clock, (clock) => {
  const store = new Store({
    clock,
    lease: undefined,
    history: 0,
    countsDeliveries: false,
    delaysRequeues: true,
    buriesDeadLetters: false,
    end: false,
    key: undefined,
    malformed: undefined
  })
  return {
    enqueue: (transactions) => Effect.sync(() => store.offer(transactions)),
    open: Effect.map(connect(store), ({ source }) => source)
  }
})

/** A source that forgets what it has handed over: what is released is confirmed at once. */
const forgetful: Effect.Effect<SourceStorage> = Effect.map(queue, ({ enqueue, open }) => ({
  enqueue,
  open: Effect.map(open, (source): Connector.SourceService => ({
    format: source.format,
    capabilities: { ...source.capabilities, settlement: "none" },
    fetch: (request) =>
      Effect.tap(
        source.fetch(request),
        (deliveries) =>
          Effect.ignore(source.settle(deliveries.map((one) => Disposition.settlement(one, Disposition.ack))))
      ),
    settle: () => Effect.void
  }))
}))

describe("found by the simulator", () => {
  it.live("what was fetched beside a surplus is kept, also where a release is confirmed at once", () =>
    Effect.gen(function*() {
      let processed: Array<string> = []
      const task = Task.consumer("surplus", Numbers, ({ id }) => Effect.sync(() => processed.push(id))).pipe(
        Task.discardFailures,
        Task.policy({ loop: { limit: 2, concurrency: 2 } })
      )
      const world = [Simulation.sourceFrom(Numbers, forgetful, numbers)] as const
      const script = [fault("fetch", "", "surplus", 1)]
      // In some of them the fetch takes its time.
      for (let seed = 1; seed <= 20; seed++) {
        processed = []
        const trial = yield* Simulation.replay(task, seed, { world, script })
        assert.isUndefined(trial.violation, trial.violation?.text)
        assert.deepStrictEqual(processed.toSorted(), ["t1", "t2"])
      }
    }))

  it.live("a run ends after a dispatch that was given up and can't be interrupted", () =>
    Effect.gen(function*() {
      const task = Task.consumer("given-up", Numbers, ({ payload }) => Effect.succeed(payload)).pipe(
        Task.dispatch(Doubles, (one, n) => Transaction.make(`double-${one.id}`, n)),
        Task.deadLetter(Dead),
        Task.policy({ transaction: { timeout: "100 millis" } })
      )
      const world = [Simulation.source(Numbers, numbers), ...places] as const
      // An odd number of milliseconds is a client that does not let itself be interrupted.
      const script = [fault("dispatch", "double-t3", "late", 1_501)]
      const trial = yield* Simulation.replay(task, 1, { world, script, inOrder: true })
      assert.isUndefined(trial.violation, trial.violation?.text)
    }))

  it.live("an extension of leases without an answer does not outlive the run", () =>
    Effect.gen(function*() {
      const task = Task.consumer("extension", Numbers, () => Effect.sleep("120 millis")).pipe(Task.deadLetter(Dead))
      const world = [Simulation.source(Numbers, numbers.slice(0, 1), { lease: "300 millis" }), ...places] as const
      const script = [fault("extend", "t1", "hangs")]
      const trial = yield* Simulation.replay(task, 1, { world, script, inOrder: true })
      assert.isUndefined(trial.violation, trial.violation?.text)
    }))

  it.live("a sink that has confirmed is not told as given up beside one that has not", () =>
    Effect.gen(function*() {
      const task = Task.consumer("two-sinks", Numbers, ({ payload }) => Effect.succeed(payload)).pipe(
        Task.dispatch(Doubles, (one, n) => Transaction.make(`double-${one.id}`, n)),
        Task.dispatch(Totals, (one, n) => Transaction.make(`total-${one.id}`, n)),
        Task.deadLetter(Dead),
        Task.policy({ transaction: { timeout: "100 millis" } })
      )
      const world = [Simulation.source(Numbers, numbers), ...places] as const
      const script = [fault("dispatch", "total-t1", "late", 4_000)]
      // Some of them are traced: the span of the first sink was ended twice.
      for (let seed = 1; seed <= 12; seed++) {
        const trial = yield* Simulation.replay(task, seed, { world, script, inOrder: true })
        assert.isUndefined(trial.violation, trial.violation?.text)
      }
    }))

  it.live("an id is counted for each requeue, also when it comes back before that is confirmed", () =>
    Effect.gen(function*() {
      let calls = 0
      const task = Task.consumer("counted", Numbers, () =>
        Effect.suspend(() => {
          calls++
          return Effect.fail("no")
        })).pipe(
          Task.onFailure(() => Effect.succeed(Disposition.requeue())),
          Task.deadLetter(Dead),
          Task.policy({ loop: { concurrency: 2 }, transaction: { maxDeliveries: 4 } })
        )
      // What is requeued is handed over again before the source has answered.
      const answering = Effect.map(queue, ({ enqueue, open }): SourceStorage => ({
        enqueue,
        open: Effect.map(open, (source) => ({
          ...source,
          settle: (settlements) => Effect.andThen(source.settle(settlements), Effect.sleep("1 second"))
        }))
      }))
      const world = [Simulation.sourceFrom(Numbers, answering, numbers.slice(0, 1)), ...places] as const
      const trial = yield* Simulation.replay(task, 1, { world, script: [], inOrder: true })
      assert.isUndefined(trial.violation, trial.violation?.text)
      assert.isAtMost(calls, 6)
    }))

  it.live("a drain gives everything back before the first that is confirmed at once can end the run", () =>
    Effect.gen(function*() {
      const log = Effect.map(WatermarkSource.make(), ({ append, connect, revokeAll }): SourceStorage => ({
        enqueue: (transactions) => append(0, transactions),
        open: connect,
        cut: revokeAll
      }))
      let calls = 0
      const task = Task.consumer("drained", Numbers, () =>
        Effect.andThen(
          Effect.sleep("40 millis"),
          Effect.suspend(() => ++calls === 1 ? Effect.fail("fatal") : Effect.void)
        )).pipe(
          Task.decide(() => Decision.abort),
          Task.deadLetter(Dead),
          Task.policy({ loop: { concurrency: 4, ordering: "byKey", streaming: true } })
        )
      const world = [Simulation.sourceFrom(Numbers, log, numbers), ...places] as const
      const script = [fault("deliver", "t1", "leaseLost", 1)]
      const trial = yield* Simulation.replay(task, 1, { world, script, inOrder: true })
      assert.isUndefined(trial.violation, trial.violation?.text)
    }))
})
