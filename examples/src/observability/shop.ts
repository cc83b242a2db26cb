/**
 * A shop: `place` puts orders into a queue, `ship` takes them out and ships them. Each order has a story, so that there is
 * something to be seen: one is tried again and times out on the way, one is easy, one is given up, and one is delivered
 * twice, because packing it takes longer than its lease.
 */
import { Connector, Decision, Memory, Task, Transaction } from "@ergon/core"
import { Context, Effect, Layer, Ref, Schema } from "effect"

class Order extends Schema.Class<Order>("Order")({ item: Schema.String }) {}
class Shipment extends Schema.Class<Shipment>("Shipment")({ item: Schema.String, parcel: Schema.Int }) {}

export class Orders extends Connector.Queue<Orders>()("orders", Order) {}
export class Shipments extends Connector.Sink<Shipments>()("shipments", Shipment) {}
export class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}

class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {
  override get message(): string {
    return "the carrier is busy"
  }
}
class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", { item: Schema.String }) {
  override get message(): string {
    return `nobody carries a ${this.item}`
  }
}

/** Who carries things. An ordinary service: it knows nothing of transactions, and has spans of its own. */
export class Carrier extends Context.Service<Carrier, {
  readonly book: (item: string) => Effect.Effect<number, Busy | TooHeavy>
  readonly pack: (item: string) => Effect.Effect<void>
}>()("shop/Carrier") {
  static readonly layer = Layer.effect(
    Carrier,
    Effect.gen(function*() {
      const calls = yield* Ref.make<ReadonlyArray<string>>([])
      /** Which time it is that this is asked for. */
      const time = (what: string) =>
        Effect.map(
          Ref.updateAndGet(calls, (all) => [...all, what]),
          (all) => all.filter((one) => one === what).length
        )
      const book = Effect.fnUntraced(function*(item: string) {
        yield* Effect.sleep("30 millis")
        if (item === "piano") return yield* new TooHeavy({ item })
        const nth = yield* time(`book ${item}`)
        if (item === "lamp" && nth === 1) return yield* new Busy()
        // It does not answer at all.
        if (item === "lamp" && nth === 2) return yield* Effect.never
        return 1000 + item.length
      }, Effect.withSpan("book a carrier"))
      const pack = Effect.fnUntraced(function*(item: string) {
        const nth = yield* time(`pack ${item}`)
        // The bad way to do long work: nothing else runs meanwhile, and nobody can extend the lease.
        const until = performance.now() + (item === "statue" && nth === 1 ? 1500 : 15)
        while (performance.now() < until);
      }, Effect.withSpan("pack it"))
      return { book, pack }
    })
  )
}

/** A trace of its own for each order: a run that does not stream would be one trace. */
export const place = Task.producer(
  "place",
  ["lamp", "chair", "piano", "statue"].map((item, index) =>
    Transaction.make(`order-${index + 1}`, new Order({ item }))
  ),
  ({ payload }) => Effect.succeed(payload)
).pipe(
  Task.dispatch(Orders, ({ id }, order) => Transaction.make(id, order)),
  Task.policy({ loop: { streaming: true } })
)

/** With `trace: "parent"` an order is one trace from its producer to its end; unless given, two with a link. */
export const ship = Task.consumer(
  "ship",
  Orders,
  Effect.fnUntraced(function*({ payload: { item } }) {
    const carrier = yield* Carrier
    const parcel = yield* carrier.book(item)
    yield* carrier.pack(item)
    yield* Effect.logInfo(`${item} is parcel ${parcel}`)
    return new Shipment({ item, parcel })
  })
).pipe(
  Task.dispatch(Shipments, ({ id }, shipment) => Transaction.make(id, shipment)),
  Task.deadLetter(DeadOrders),
  Task.decide({ Busy: Decision.retry, TooHeavy: Decision.deadLetter }),
  Task.policy({
    fetch: { prefetch: 0, wait: "200 millis" },
    process: { retry: { maxAttempts: 3, backoff: "100 millis", multiplier: 2 }, timeout: "500 millis" },
    transaction: { trace: "parent" }
  })
)

/** All of it in memory. A delivery is ours for a second, and the lease is extended while the event loop is free. */
export const layers = Layer.mergeAll(
  Memory.queue(Orders, [], { lease: "1 second" }),
  Memory.sink(Shipments),
  Memory.deadLetters(DeadOrders),
  Carrier.layer
)
