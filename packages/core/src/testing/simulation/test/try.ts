import { Effect, Schema } from "effect"
import { Connector, Task, Transaction } from "../../../index.ts"
import * as Simulation from "../../Simulation.ts"
class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ n: Schema.Int })) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
const task = Task.consumer("t", Orders, (t) => Effect.as(Effect.sleep("5 millis"), t.payload.n * 2)).pipe(
  Task.dispatch(Receipts, (t, n) => Transaction.make(`r-${t.id}`, n)),
  Task.deadLetter(Dead),
  Task.policy({ loop: { concurrency: 3 } })
)
const t0 = performance.now()
const seeds = Number(process.argv[2] ?? 20)
const exit = await Effect.runPromiseExit(
  Simulation.run(task, {
    seeds,
    from: Number(process.argv[3] ?? 1),
    world: [
      Simulation.source(
        Orders,
        [1, 2, 3, 4, 5, 6].map((n) => Transaction.make(`o${n}`, { n }))
      ),
      Simulation.sink(Receipts),
      Simulation.deadLetters(Dead)
    ]
  })
)
if (exit._tag === "Success") console.log(exit.value)
else {
  const e: any = exit.cause.reasons[0]
  console.log(e.error?.message ?? e.defect, e.error?.seed)
}
console.log((performance.now() - t0) / seeds, "ms per seed")
