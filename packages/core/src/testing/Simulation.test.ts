import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { Connector, Decision, Memory, Task, Transaction } from "../index.ts"
import * as PushSource from "./PushSource.ts"
import * as Simulation from "./Simulation.ts"
import * as SimulationFault from "./SimulationFault.ts"
import * as SimulationReport from "./SimulationReport.ts"
import * as WatermarkSource from "./WatermarkSource.ts"

const Order = Schema.Struct({ quantity: Schema.Int })

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead-orders") {}

class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

const orders = Array.from({ length: 6 }, (_, n) => Transaction.make(`order-${n + 1}`, { quantity: n + 1 }))

const task = Task.consumer("receipts", Orders, ({ payload }) => Effect.succeed(payload.quantity * 2)).pipe(
  Task.dispatch(Receipts, (order, total) => Transaction.make(`receipt-${order.id}`, total)),
  Task.deadLetter(Dead),
  Task.policy({ loop: { concurrency: 3 } })
)

const places = [Simulation.sink(Receipts), Simulation.deadLetters(Dead)] as const
const world = [Simulation.source(Orders, orders), ...places] as const

// Counts what it has sold; a transaction that is processed twice is counted twice.
class Ledger extends Context.Service<Ledger, { readonly sold: Map<string, number> }>()("test/Ledger") {}

const ledger = Simulation.service(Ledger, Effect.sync(() => ({ sold: new Map<string, number>() })))

const selling = Task.consumer("selling", Orders, ({ id, payload }) =>
  Effect.map(Ledger, ({ sold }) => {
    sold.set(id, (sold.get(id) ?? 0) + payload.quantity)
    return payload.quantity
  })).pipe(
    Task.dispatch(Receipts, (order, total) => Transaction.make(`receipt-${order.id}`, total)),
    Task.deadLetter(Dead)
  )

const once: Simulation.Invariant = {
  name: "each receipt once",
  check: ({ received }) => {
    const ids = received("receipts")
    const twice = ids.find((id, index) => ids.indexOf(id) !== index)
    return twice === undefined ? undefined : `${twice} was sent twice`
  }
}

const failure = Effect.flip(Simulation.run(task, { world, seeds: 200, invariants: [once] }))

describe("Simulation.run", () => {
  it.live("says what was simulated when every rule held", () =>
    Effect.gen(function*() {
      const report = yield* Simulation.run(task, { world, seeds: 40 })
      assert.strictEqual(report.seeds, 40)
      assert.strictEqual(report.transactions, 240)
      assert.isAbove(report.faults, 40)
      assert.isAbove(report.processes, 40)
      assert.isAbove(report.elapsed, 0)
    }))

  it.live("without faults one process is enough, and nothing is sent twice", () =>
    Effect.gen(function*() {
      const options = { world, seeds: 30, faults: SimulationFault.none, invariants: [once] }
      const report = yield* Simulation.run(task, options)
      assert.strictEqual(report.processes, 30)
      assert.strictEqual(report.faults, 0)
    }))

  it.live("a rule of one's own that does not hold is told with the shortest story", () =>
    Effect.gen(function*() {
      const failed = yield* failure
      const { first, shrunk } = { first: failed.trial, shrunk: failed.shrunk }
      assert.strictEqual(shrunk.violation?.rule, "each receipt once")
      assert.isAtMost(shrunk.script.length, 1, "one fault is enough for a receipt that is sent twice")
      assert.strictEqual(shrunk.transactions.length, 1)
      assert.isAtLeast(first.transactions.length, shrunk.transactions.length)
      assert.include(failed.message, `seed ${failed.seed} of "receipts" breaks the rule "each receipt once"`)
      assert.include(failed.message, "was sent twice")
      assert.include(failed.message, `Simulation.replay(task, ${failed.seed}, { world, only: [`)
    }))

  it.live("a service of the world outlives a crash; a layer of the task does not", () =>
    Effect.gen(function*() {
      let made = 0
      class Cache extends Context.Service<Cache, { readonly seen: Set<string> }>()("test/Cache") {}
      const cached = selling.pipe(Task.onSuccess(({ id }) => Effect.map(Cache, ({ seen }) => seen.add(id)))).pipe(
        Task.provide(Layer.effect(
          Cache,
          Effect.sync(() => {
            made++
            return { seen: new Set<string>() }
          })
        ))
      )
      const crash: SimulationFault.Fault = {
        step: "dispatch",
        transaction: "receipt-order-2",
        delivery: 0,
        attempt: 1,
        kind: "crashesAfter",
        value: 0
      }
      let sold = new Map<string, number>()
      const kept = Simulation.service(Ledger, Effect.sync(() => ({ sold: sold = new Map() })))
      const trial = yield* Simulation.replay(cached, 1, { world: [...world, kept], script: [crash] })
      assert.isUndefined(trial.violation)
      assert.strictEqual(trial.processes, 2)
      assert.strictEqual(made, 2)
      assert.strictEqual(sold.get("order-1"), 1)
      assert.strictEqual(sold.get("order-2"), 4, "processed again after the crash")
    }))

  it.live("a task that gives a transaction back for ever is not a lost transaction", () =>
    Effect.gen(function*() {
      const stubborn = Task.consumer("stubborn", Orders, () => Effect.fail(new Busy())).pipe(
        Task.decide({ Busy: () => Decision.abort }),
        Task.deadLetter(Dead)
      )
      const trial = yield* Simulation.replay(stubborn, 3, { world, faults: SimulationFault.none })
      assert.isUndefined(trial.violation)
      assert.strictEqual(trial.unfinished.length, 6)
    }))

  it.live("a task that is refused says so", () =>
    Effect.gen(function*() {
      const careless = Task.consumer("careless", Orders, () => Effect.void)
      const world = [Simulation.source(Orders, orders, { deadLetter: "none" })] as const
      const exit = yield* Effect.exit(Simulation.run(careless, { world, seeds: 1 }))
      assert.include(String(exit), "keeps no dead letters")
    }))

  it.live("programs may wait for promises", () =>
    Effect.gen(function*() {
      const waiting = Task.consumer("waiting", Orders, ({ payload }) =>
        Effect.promise(async () => {
          for (let n = 0; n < 5; n++) await Promise.resolve()
          return payload.quantity
        })).pipe(Task.dispatch(Receipts, (order, n) => Transaction.make(order.id, n)), Task.deadLetter(Dead))
      const report = yield* Simulation.run(waiting, { world, seeds: 10 })
      assert.strictEqual(report.seeds, 10)
    }))
})

describe("any source", () => {
  it.live("a broker that pushes", () =>
    Effect.gen(function*() {
      const storage = Effect.map(PushSource.make({ prefetch: 3 }), ({ connect, cut, publish }) => ({
        open: connect,
        enqueue: publish,
        cut
      }))
      const pushed = [Simulation.sourceFrom(Orders, storage, orders), ...places] as const
      const report = yield* Simulation.run(task, { world: pushed, seeds: 40 })
      assert.strictEqual(report.seeds, 40)
    }))

  it.live("a log with positions, whose partitions are revoked", () =>
    Effect.gen(function*() {
      const storage = Effect.map(WatermarkSource.make({ partitions: 2 }), ({ append, connect, revokeAll }) => ({
        open: connect,
        enqueue: (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) =>
          Effect.forEach(transactions, (one, n) => append(n, [one]), { discard: true }),
        cut: revokeAll
      }))
      const log = [Simulation.sourceFrom(Orders, storage, orders), ...places] as const
      const report = yield* Simulation.run(task, { world: log, seeds: 40 })
      assert.strictEqual(report.seeds, 40)
    }))

  it.live("one that hands over what it has handed over is found", () =>
    Effect.gen(function*() {
      const storage = Effect.map(PushSource.make({ prefetch: 3 }), ({ connect, publish }) => ({
        open: Effect.map(connect, (source): Connector.SourceService => ({
          ...source,
          // A redelivery that nothing explains.
          fetch: (request) =>
            Effect.map(source.fetch(request), (deliveries) => [
              ...deliveries,
              ...deliveries.map((delivery) => ({ ...delivery }))
            ])
        })),
        enqueue: publish
      }))
      const broken = [Simulation.sourceFrom(Orders, storage, orders), ...places] as const
      const failed = yield* Effect.flip(Simulation.run(task, { world: broken, seeds: 50 }))
      assert.strictEqual(failed.shrunk.violation?.rule, "one holder of a lease")
    }))
})

describe("Simulation.replay", () => {
  it.live("the same seed gives the same trace", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) {
        const one = yield* Simulation.replay(task, seed, { world })
        const other = yield* Simulation.replay(task, seed, { world })
        assert.strictEqual(one.fingerprint, other.fingerprint, `seed ${seed}`)
        assert.deepStrictEqual(one.events, other.events)
      }
      const prints = new Set<string>()
      for (let seed = 1; seed <= 20; seed++) prints.add((yield* Simulation.replay(task, seed, { world })).fingerprint)
      assert.strictEqual(prints.size, 20, "and another one another")
    }))

  it.live("the script of a trial makes the same trial", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) {
        const one = yield* Simulation.replay(task, seed, { world })
        const again = yield* Simulation.replay(task, seed, { world, script: one.script })
        assert.strictEqual(again.fingerprint, one.fingerprint, `seed ${seed}`)
      }
    }))

  it.live("a program that does the same in another way meets the same faults", () =>
    Effect.gen(function*() {
      const slower = Task.consumer("receipts", Orders, ({ payload }) =>
        Effect.as(Effect.andThen(Effect.yieldNow, Effect.sleep("3 millis")), payload.quantity * 2)).pipe(
          Task.dispatch(Receipts, (order, total) =>
            Transaction.make(`receipt-${order.id}`, total)),
          Task.deadLetter(Dead),
          Task.policy({ loop: { concurrency: 2 } })
        )
      const nameOf = ({ attempt, delivery, step, transaction }: SimulationFault.Fault) =>
        `${step} ${transaction} ${delivery} ${attempt}`
      let both = 0
      for (let seed = 1; seed <= 30; seed++) {
        // A crash ends a process at a point of its interleaving.
        const faults = { ...SimulationFault.everything, run: {} }
        const one = yield* Simulation.replay(task, seed, { world, faults })
        const other = yield* Simulation.replay(slower, seed, { world, faults })
        const met = new Map(one.script.map((fault) => [nameOf(fault), fault]))
        for (const fault of other.script) {
          const same = met.get(nameOf(fault))
          if (same === undefined)
            continue
          both++
          assert.deepStrictEqual(fault, same)
        }
      }
      assert.isAbove(both, 100)
    }))
})

describe("SimulationReport", () => {
  it.live("draws the story of a transaction", () =>
    Effect.gen(function*() {
      const { shrunk } = yield* failure
      const diagram = SimulationReport.mermaid(shrunk)
      assert.match(diagram, /^sequenceDiagram\n {2}participant source as source\n/)
      assert.include(diagram, "task->>receipts: sends receipt-order-")
      assert.include(diagram, "source->>task: hands over order-")
    }))

  it.live("writes a trial as a test", () =>
    Effect.gen(function*() {
      const { shrunk } = yield* failure
      const text = SimulationReport.toTest(shrunk, { task: "receiptsOf", world: "world", from: "./receipts.ts" })
      assert.include(text, `import { receiptsOf, world } from "./receipts.ts"`)
      assert.include(text, `Simulation.replay(receiptsOf, ${shrunk.seed}, {`)
      assert.include(text, `only: ${JSON.stringify(shrunk.transactions)}`)
    }))

  it.effect("writes a dead letter as a test", () =>
    Effect.gen(function*() {
      const failing = Task.consumer("failing", Orders, () => Effect.fail(new Busy())).pipe(Task.deadLetter(Dead))
      const layers = Layer.mergeAll(Memory.source(Orders, orders.slice(0, 1)), Memory.deadLetters(Dead))
      const [letter] = yield* Effect.provide(Effect.andThen(Task.run(failing), Memory.letters(Dead)), layers)
      const names = { task: "failing", layers: "layers", from: "./failing.ts" }
      const text = letter === undefined ? "" : SimulationReport.letterToTest(letter, names)
      assert.include(text, `"order-1",\n      {"quantity":1},`)
      assert.include(text, "Task.runJson(failing, transaction)")
    }))

  it.live("ledger is a part like any other", () =>
    Effect.gen(function*() {
      const report = yield* Simulation.run(selling, { world: [...world, ledger], seeds: 5 })
      assert.strictEqual(report.task, "selling")
    }))
})
