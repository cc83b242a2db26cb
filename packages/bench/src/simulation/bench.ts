/**
 * What a seed of a simulation costs: a pipeline with two sinks and a place for dead letters, twelve transactions, with
 * everything going wrong and with nothing going wrong. The last line extrapolates to 10,000 seeds on two processors.
 */
import { Connector, Task, Transaction } from "@ergon/core"
import { Simulation, SimulationFault } from "@ergon/core/testing"
import { Effect, Schema } from "effect"
import { atMost, median, print, type Row } from "../report.ts"

class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Int) {}
class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead-orders") {}

const orders = Array.from({ length: 12 }, (_, n) => Transaction.make(`order-${n + 1}`, { quantity: n }))

const task = Task.consumer("bench", Orders, ({ payload }) => Effect.as(Effect.sleep("5 millis"), payload.quantity))
  .pipe(
    Task.dispatch(Receipts, (order, n) => Transaction.make(`receipt-${order.id}`, n)),
    Task.dispatch(Totals, (order, n) => Transaction.make(`total-${order.id}`, n)),
    Task.deadLetter(Dead),
    Task.policy({ loop: { concurrency: 4 }, process: { retry: { maxAttempts: 3, backoff: "100 millis" } } })
  )

const world = [
  Simulation.source(Orders, orders, { lease: "5 seconds" }),
  Simulation.sink(Receipts),
  Simulation.sink(Totals),
  Simulation.deadLetters(Dead)
] as const

export const simulation = async (quick: boolean): Promise<boolean> => {
  const seeds = quick ? 100 : 1_000
  const turns = quick ? 3 : 5
  const cost = async (faults: SimulationFault.Rates): Promise<number> => {
    const times: Array<number> = []
    for (let turn = 0; turn < turns; turn++) {
      const begun = performance.now()
      await Effect.runPromise(Simulation.run(task, { world, seeds, faults, from: 1 + turn * seeds }))
      times.push((performance.now() - begun) / seeds)
    }
    return median(times)
  }
  const everything = await cost(SimulationFault.everything)
  const nothing = await cost(SimulationFault.none)
  const rows: ReadonlyArray<Row> = [
    { name: "a seed, everything goes wrong", value: everything, unit: "ms" },
    { name: "a seed, nothing goes wrong", value: nothing, unit: "ms" },
    { name: "10,000 seeds on two processors", value: everything * 10_000 / 2 / 1_000, unit: "s" }
  ]
  const goals = [atMost("a seed, everything goes wrong", everything, "ms", 36)]
  print("simulation", rows, goals)
  return goals.every(({ met }) => met)
}
