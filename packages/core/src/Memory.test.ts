import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, DeadLetter, Disposition, Memory, Transaction } from "./index.ts"

const Order = Schema.Struct({ quantity: Schema.Int, at: Schema.Date })

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.BigInt })) {}
class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Struct({ n: Schema.Int })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const order = (n: number) => Transaction.make(`order-${n}`, { quantity: n, at: new Date(n) })
const job = (n: number) => Transaction.make(`job-${n}`, { n })

const fetch = (max: number, wait: Duration.Input = 0) => ({ max, wait: Duration.fromInputUnsafe(wait) })

const orders = Effect.map(Orders, ({ source }) => source)
const jobs = Effect.map(Jobs, ({ source }) => source)

const settle = (disposition: Disposition.Disposition, max = 1) =>
  Effect.gen(function*() {
    const source = yield* jobs
    const deliveries = yield* source.fetch(fetch(max))
    yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))
    return deliveries.map(({ transaction }) => transaction.id)
  })

describe("Memory.source", () => {
  it.effect("hands over payloads as they travel", () =>
    Effect.gen(function*() {
      const deliveries = yield* (yield* orders).fetch(fetch(10))
      assert.deepStrictEqual(deliveries.map(({ transaction }) => transaction.payload), [
        { quantity: 1, at: "1970-01-01T00:00:00.001Z" },
        { quantity: 2, at: "1970-01-01T00:00:00.002Z" }
      ])
    }).pipe(Effect.provide(Memory.source(Orders, [order(1), order(2)]))))

  it.effect("dies when a payload does not encode", () =>
    Effect.gen(function*() {
      const invalid = Transaction.make("order-1", { quantity: 0.5, at: new Date(0) })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Memory.source(Orders, [invalid]))))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))

  it.effect("is empty when it is drained", () =>
    Effect.gen(function*() {
      const source = yield* orders
      yield* source.fetch(fetch(1))
      assert.deepStrictEqual(yield* source.fetch(fetch(1)), [])
    }).pipe(Effect.provide(Memory.source(Orders, [order(1)]))))

  it.effect("signals its end once everything is settled, when it is told to", () =>
    Effect.gen(function*() {
      const source = yield* orders
      const deliveries = yield* source.fetch(fetch(1))
      assert.deepStrictEqual(yield* source.fetch(fetch(1)), [])
      const waiting = yield* Effect.forkChild(Effect.flip(source.fetch(fetch(1, "1 hour"))))
      yield* Effect.yieldNow
      yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      assert.isTrue(Cause.isDone(yield* Fiber.join(waiting)))
    }).pipe(Effect.provide(Memory.source(Orders, [order(1)], { end: true }))))

  it.effect("hands over what is malformed, and says why", () =>
    Effect.gen(function*() {
      const [delivery] = yield* (yield* orders).fetch(fetch(1))
      assert.strictEqual(delivery?.malformed, "line 3: unexpected end")
      assert.strictEqual(delivery?.key, "customer-7")
    }).pipe(Effect.provide(Memory.sourceEncoded(Orders, [Transaction.make("file:3", "{\"quantity\":")], {
      malformed: () => "line 3: unexpected end",
      key: () => "customer-7"
    }))))

  it.effect("declares what its options take away, and lives by it", () =>
    Effect.gen(function*() {
      const source = yield* orders
      assert.deepStrictEqual(
        { ...source.capabilities },
        {
          settlement: "each",
          lease: undefined,
          deliveries: "engine",
          requeueDelay: "engine",
          deadLetter: "none",
          ordering: "none"
        }
      )
      const requeue = Effect.gen(function*() {
        const [delivery] = yield* source.fetch(fetch(1))
        assert.strictEqual(delivery?.deliveries, 0)
        yield* source.settle(
          delivery === undefined ? [] : [
            Disposition.settlement(delivery, Disposition.requeue("1 hour"))
          ]
        )
      })
      yield* requeue
      yield* requeue
      const [delivery] = yield* source.fetch(fetch(1))
      const settled = yield* Effect.flip(source.settle(
        delivery === undefined ? [] : [
          Disposition.settlement(delivery, Disposition.deadLetter("too late"))
        ]
      ))
      assert.strictEqual(settled.reason._tag, "Unsupported")
    }).pipe(Effect.provide(Memory.source(Orders, [order(1)], {
      deliveries: "engine",
      requeueDelay: "engine",
      deadLetter: "none"
    }))))
})

describe("Memory.sourceFrom", () => {
  const numbered = function*() {
    for (let n = 1; n <= 5; n++) yield Transaction.make(`order-${n}`, { quantity: n, at: "1970-01-01T00:00:00.000Z" })
  }

  it.effect("takes no more than it is asked for", () => {
    let taken = 0
    const counting = function*() {
      for (const transaction of numbered()) {
        taken++
        yield transaction
      }
    }
    return Effect.gen(function*() {
      const source = yield* orders
      assert.strictEqual((yield* source.fetch(fetch(2))).length, 2)
      assert.strictEqual(taken, 2)
      assert.strictEqual((yield* source.fetch(fetch(10))).length, 3)
      assert.isUndefined(source.count)
      assert.isUndefined(source.resolve)
    }).pipe(Effect.provide(Memory.sourceFrom(Orders, counting)))
  })

  it.effect("hands over what was requeued before what is left", () =>
    Effect.gen(function*() {
      const source = yield* orders
      const deliveries = yield* source.fetch(fetch(1))
      yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.requeue())))
      const next = yield* source.fetch(fetch(2))
      assert.deepStrictEqual(next.map(({ transaction }) => transaction.id), ["order-1", "order-2"])
    }).pipe(Effect.provide(Memory.sourceFrom(Orders, numbered))))

  it.effect("fails when its iterable throws", () => {
    const defect = new Error("out of numbers")
    const throwing = {
      [Symbol.iterator]: () => ({
        next: () => {
          throw defect
        }
      })
    }
    return Effect.gen(function*() {
      const error = yield* Effect.flip((yield* orders).fetch(fetch(1)))
      assert.isTrue(!Cause.isDone(error) && error.reason._tag === "Unknown" && error.reason.cause === defect)
    }).pipe(Effect.provide(Memory.sourceFrom(Orders, throwing)))
  })
})

describe("Memory.queue", () => {
  it.effect("keeps what became of each", () =>
    Effect.gen(function*() {
      for (const n of [3, 4, 5, 6]) yield* Connector.send(Jobs, job(n))
      yield* settle(Disposition.ack, 2)
      yield* settle(Disposition.deadLetter("no stock"))
      yield* settle(Disposition.requeue("1 minute"))
      const [held] = yield* (yield* jobs).fetch(fetch(1))
      const contents = yield* Memory.contents(Jobs)
      assert.deepStrictEqual(contents.acked, ["job-1", "job-2"])
      assert.deepStrictEqual(contents.deadLetters, [{
        transaction: job(3),
        reason: "no stock",
        letter: undefined
      }])
      assert.deepStrictEqual(contents.delayed, [job(4)])
      assert.deepStrictEqual(contents.inFlight, [job(5)])
      assert.deepStrictEqual(contents.ready, [job(6)])
      assert.strictEqual(held?.transaction.id, "job-5")
      assert.deepStrictEqual(yield* Connector.count(Jobs), { ready: 1, inFlight: 1, delayed: 1 })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* Memory.contents(Jobs)).ready, [job(6), job(4)])
    }).pipe(Effect.provide(Memory.queue(Jobs, [job(1), job(2)]))))

  it.effect("wakes a fetch when the earliest delay is over, not before", () =>
    Effect.gen(function*() {
      yield* settle(Disposition.requeue("3 minutes"))
      yield* settle(Disposition.requeue("1 minute"))
      const waiting = yield* Effect.forkChild((yield* jobs).fetch(fetch(10, "1 hour")))
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(({ transaction }) => transaction.id), ["job-2"])
    }).pipe(Effect.provide(Memory.queue(Jobs, [job(1), job(2)]))))

  it.effect("gives released ones back in the order of their arrival, before all others", () =>
    Effect.gen(function*() {
      const source = yield* jobs
      const [a, b, c] = yield* source.fetch(fetch(3))
      for (const delivery of [b, a, c]) {
        yield* source.settle(delivery === undefined ? [] : [Disposition.settlement(delivery, Disposition.release)])
      }
      const again = yield* source.fetch(fetch(10))
      assert.deepStrictEqual(again.map(({ transaction }) => transaction.id), ["job-1", "job-2", "job-3", "job-4"])
      assert.deepStrictEqual(again.map(({ deliveries }) => deliveries), [0, 0, 0, 0])
    }).pipe(Effect.provide(Memory.queue(Jobs, [1, 2, 3, 4].map(job)))))

  it.effect("remembers as many acknowledged ids as it is told", () =>
    Effect.gen(function*() {
      for (let n = 0; n < 10; n++) yield* settle(Disposition.ack)
      assert.deepStrictEqual((yield* Memory.contents(Jobs)).acked, ["job-8", "job-9", "job-10"])
    }).pipe(Effect.provide(Memory.queue(Jobs, Array.from({ length: 10 }, (_, n) => job(n + 1)), { history: 3 }))))

  it.effect("hands over ten thousand in their order", () =>
    Effect.gen(function*() {
      const source = yield* jobs
      for (let n = 1; n <= 10_000; n += 8) {
        const deliveries = yield* source.fetch(fetch(8))
        assert.deepStrictEqual(
          deliveries.map(({ transaction }) => transaction),
          Array.from({ length: 8 }, (_, i) => job(n + i))
        )
        yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      }
      assert.deepStrictEqual(yield* Connector.count(Jobs), { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.provide(Memory.queue(Jobs, Array.from({ length: 10_000 }, (_, n) => job(n + 1))))))
})

describe("Memory.sink", () => {
  it.effect("gives what it received, decoded", () =>
    Effect.gen(function*() {
      yield* Connector.send(Receipts, Transaction.make("receipt-1", { total: 12n }, { source: "test" }))
      assert.deepStrictEqual(yield* Memory.received(Receipts), [
        Transaction.make("receipt-1", { total: 12n }, { source: "test" })
      ])
    }).pipe(Effect.provide(Memory.sink(Receipts))))

  it.effect("fails to give what does not decode", () =>
    Effect.gen(function*() {
      const { sink } = yield* Receipts
      yield* sink.dispatch([Transaction.make("receipt-1", { total: "twelve" })])
      assert.isTrue(Schema.isSchemaError(yield* Effect.flip(Memory.received(Receipts))))
    }).pipe(Effect.provide(Memory.sink(Receipts))))

  it.effect("is another one for each build of its Layer", () =>
    Effect.gen(function*() {
      const layer = Memory.sink(Receipts)
      const build = Effect.scoped(Effect.flatMap(Layer.build(Layer.fresh(layer)), (context) =>
        Effect.gen(function*() {
          yield* Connector.send(Receipts, Transaction.make("receipt-1", { total: 1n }))
          return (yield* Memory.received(Receipts)).length
        }).pipe(Effect.provideContext(context))))
      assert.deepStrictEqual([yield* build, yield* build], [1, 1])
    }))
})

describe("Memory.deadLetters", () => {
  it.effect("gives the letters that it received", () =>
    Effect.gen(function*() {
      const letter = new DeadLetter.DeadLetter({
        id: "order-1",
        payload: { quantity: "two" },
        metadata: { queue: "orders" },
        reason: "quantity is not a number",
        step: "decode",
        category: "invalid",
        error: { tag: "SchemaError", message: "Expected a number" },
        attempts: 0,
        deliveries: 0,
        task: "orders",
        source: "orders",
        failedAt: "2026-01-01T00:00:00.000Z"
      })
      const encoded = yield* Schema.encodeEffect(Schema.toCodecJson(DeadLetter.DeadLetter))(letter)
      yield* (yield* Dead).deadLetters.dispatch([Transaction.make("order-1", encoded)])
      assert.deepStrictEqual(yield* Memory.letters(Dead), [letter])
    }).pipe(Effect.provide(Memory.deadLetters(Dead))))
})

describe("looking into a connector that is not in memory", () => {
  it.effect("dies and names it", () =>
    Effect.gen(function*() {
      const { source } = yield* Effect.provide(Orders, Memory.source(Orders, []))
      const elsewhere = Context.make(Orders, {
        source: {
          format: source.format,
          capabilities: source.capabilities,
          fetch: source.fetch,
          settle: source.settle
        }
      })
      const exit = yield* Effect.exit(Effect.provideContext(Memory.contents(Orders), elsewhere))
      assert.isTrue(
        Exit.isFailure(exit) && String(Cause.squash(exit.cause)).includes("\"orders\" is not a source in memory")
      )
    }))
})
