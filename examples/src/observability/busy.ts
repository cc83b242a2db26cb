/**
 * The shop on a busy day of two minutes, for whoever wants curves: orders come faster for a while, and for a while the
 * carrier is often busy. `busy.ts PORT` serves /metrics there, and goes on until it is told to end.
 */
import { Connector, Decision, Memory, Task, Transaction } from "@ergon/core"
import { ErgonRuntime } from "@ergon/node"
import { Effect, Layer, Logger, Random, Schema, Stream } from "effect"

class Orders extends Connector.Queue<Orders>()("orders", Schema.Int) {}
class Shipments extends Connector.Sink<Shipments>()("shipments", Schema.Int) {}
class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", {}) {}

const startedAt = performance.now()

/** Whether so many seconds have passed since the start, and not yet so many. */
const within = (from: number, to: number): boolean => {
  const seconds = (performance.now() - startedAt) / 1000
  return seconds >= from && seconds < to
}

const orders = Stream.iterate(1, (n) => n + 1).pipe(
  Stream.tap(() => Effect.sleep(within(30, 50) ? "9 millis" : "24 millis")),
  Stream.map((n) => Transaction.make(`order-${n}`, n))
)

const place = Task.producer("place", orders, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(Orders, ({ id }, n) => Transaction.make(id, n)),
  Task.policy({ loop: { streaming: true }, fetch: { batch: { size: 1 } }, shutdown: { grace: "1 second" } })
)

const ship = Task.consumer(
  "ship",
  Orders,
  Effect.fnUntraced(function*({ payload }) {
    const chance = yield* Random.next
    yield* Effect.sleep(60 + 100 * chance * chance)
    if (payload % 40 === 0) return yield* new TooHeavy()
    if (chance < (within(70, 90) ? 0.5 : 0.03)) return yield* new Busy()
    return payload
  })
).pipe(
  Task.dispatch(Shipments, ({ id }, shipment) => Transaction.make(id, shipment)),
  Task.deadLetter(DeadOrders),
  Task.decide({ Busy: Decision.retry, TooHeavy: Decision.deadLetter }),
  Task.policy({
    loop: { streaming: true, concurrency: 6 },
    process: { retry: { maxAttempts: 4, backoff: "50 millis", multiplier: 2 } },
    shutdown: { grace: "1 second" }
  })
)

const layers = Layer.mergeAll(
  Memory.queue(Orders),
  Memory.sink(Shipments),
  Memory.deadLetters(DeadOrders),
  // It is looked at, and says nothing.
  Logger.layer([])
)

Effect.all([Task.run(place), Task.run(ship)], { concurrency: 2, discard: true }).pipe(
  Effect.provide(layers),
  ErgonRuntime.runMain({ http: { port: Number(process.argv[2] ?? 9464) } })
)
