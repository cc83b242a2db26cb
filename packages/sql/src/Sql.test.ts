import { Connector, Disposition, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Database, Sql, Sqlite } from "./index.ts"
import { database, filename, idOf, inMemory, item, Items, open, openClosable } from "./test/queues.ts"

const one = { ready: 1, inFlight: 0, delayed: 0 }
const empty = { ready: 0, inFlight: 0, delayed: 0 }

describe("order", () => {
  it.effect("higher priorities come first, equal ones as they came", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ priority: ({ id }) => ({ low: -1, high: 7 })[id.split("-")[0]!] })
      yield* queue.send(item("low-1"), item("none-1"), item("high-1"))
      yield* TestClock.adjust("1 second")
      yield* queue.send(item("high-2"), item("low-2"), item("none-2"))
      assert.deepStrictEqual(yield* queue.ids(3), ["high-1", "high-2", "none-1"])
      assert.deepStrictEqual(yield* queue.ids(9), ["none-2", "low-1", "low-2"])
    }))

  it.effect("what is requeued goes behind what waits, what is released before it", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"), item("2"), item("3"))
      yield* TestClock.adjust(1)
      const [first, second] = yield* queue.fetch(2)
      yield* queue.settle(first!, Disposition.requeue())
      yield* queue.settle(second!, Disposition.release)
      assert.deepStrictEqual(yield* queue.ids(9), ["2", "3", "1"])
    }))

  it.effect("a priority that is no integer is refused by name, the others are enqueued", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ priority: ({ id }) => id === "bad" ? 1.5 : 0 })
      const error = yield* Effect.flip(queue.send(item("1"), item("bad"), item("2")))
      assert.deepStrictEqual(error.failed?.map(({ index }) => index), [1])
      assert.include(error.message, "priority must be an integer")
      assert.deepStrictEqual(yield* queue.ids(9), ["1", "2"])
    }))
})

describe("delays", () => {
  it.effect("a delay at enqueue is kept, and counted as delayed", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: () => "10 seconds" })
      yield* queue.send(item("1"))
      assert.deepStrictEqual(yield* queue.count, { ready: 0, inFlight: 0, delayed: 1 })
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(yield* queue.ids(1), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* queue.ids(1), ["1"])
    }))

  it.effect("a requeue delay is kept, also in fractions of a millisecond", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"))
      yield* queue.settle(yield* queue.one, Disposition.requeue(Duration.millis(1500.25)))
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(yield* queue.count, { ready: 0, inFlight: 0, delayed: 1 })
      yield* TestClock.adjust(1)
      const again = yield* queue.one
      assert.strictEqual(again.deliveries, 1)
    }))

  it.effect("fractions of a millisecond at enqueue, and in the options", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({
        delay: () => "1500 micros",
        lease: Duration.millis(1000.5),
        retention: Duration.millis(2000.5)
      })
      yield* queue.send(item("1"))
      yield* TestClock.adjust(2)
      yield* queue.settle(yield* queue.one, Disposition.ack)
      assert.deepStrictEqual(yield* queue.count, empty)
    }))

  it.effect("a requeue without an end is as long as can be written down, and refuses nothing", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("1"))
      yield* queue.settle(yield* queue.one, Disposition.requeue(Duration.infinity))
      const [row] = yield* queue.sql<{ state: string; until: number }>`SELECT state, until FROM items`
      assert.strictEqual(row?.state, "delayed")
      assert.isAbove(row?.until ?? 0, Duration.toMillis(Duration.days(365_000)))
    }))

  it.effect("thousands that are due at once are counted and handed over at once", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: () => "1 second", poll: "1 hour" })
      yield* queue.send(...Array.from({ length: 2500 }, (_, n) => item(`${n}`)))
      assert.deepStrictEqual(yield* queue.ids(1), [])
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* queue.ids(1500)).length, 1000)
      assert.strictEqual((yield* queue.ids(500)).length, 500)
      assert.deepStrictEqual(yield* queue.count, { ready: 1000, inFlight: 1500, delayed: 0 })
      assert.strictEqual((yield* queue.ids(9999)).length, 1000)
    }))

  it.effect("and all of them are counted as ready", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: () => "1 second" })
      yield* queue.send(...Array.from({ length: 2500 }, (_, n) => item(`${n}`)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* queue.count, { ready: 2500, inFlight: 0, delayed: 0 })
    }))

  it.effect("a delay without an end is refused at enqueue", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: () => Duration.infinity })
      const error = yield* Effect.flip(queue.send(item("1")))
      assert.include(error.message, "delay must be finite")
    }))

  it.effect("a waiting fetch wakes when a delay is over, and at once when this process enqueues", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: ({ id }) => id === "later" ? "3 seconds" : undefined })
      yield* queue.send(item("later"))
      const waiting = yield* Effect.forkChild(queue.source.fetch({ max: 5, wait: Duration.seconds(20) }))
      yield* TestClock.adjust("2999 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(idOf), ["later"])

      const second = yield* Effect.forkChild(queue.source.fetch({ max: 5, wait: Duration.seconds(20) }), {
        startImmediately: true
      })
      yield* queue.send(item("now"))
      assert.deepStrictEqual((yield* Fiber.join(second)).map(idOf), ["now"])
    }))

  it.effect("what another process enqueues is found within `poll`", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const consumer = yield* open(file, { poll: "50 millis" })
      const producer = yield* open(file)
      const waiting = yield* Effect.forkChild(consumer.source.fetch({ max: 5, wait: Duration.seconds(20) }), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 second")
      yield* producer.send(item("1"))
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(idOf), ["1"])
    }))

  it.live("while it waits it takes no lock: who holds one does not disturb it", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const layer = Sql.queue(Items, { poll: "10 millis" }).pipe(
        Layer.provide(Sqlite.layer({ filename: file, busy: "20 millis" }))
      )
      const { source } = Context.get(yield* Layer.build(layer), Items)
      const other = yield* open(file)
      const waiting = yield* Effect.forkChild(source.fetch({ max: 1, wait: Duration.millis(400) }), {
        startImmediately: true
      })
      yield* other.sql.withTransaction(Effect.sleep("200 millis"))
      yield* other.send(item("1"))
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(idOf), ["1"])
    }))

  it.effect("what another part of this process delays on the same connection is noticed in time", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queue = yield* open(file)
      const again = yield* Layer.build(Layer.fresh(Sql.queue(Items, { delay: () => "3 seconds" }))).pipe(
        Effect.provide(queue.context)
      )
      const waiting = yield* Effect.forkChild(queue.source.fetch({ max: 1, wait: Duration.hours(1) }), {
        startImmediately: true
      })
      yield* Connector.send(Items, item("1")).pipe(Effect.provide(again))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(idOf), ["1"])
    }))
})

describe("the delivery count", () => {
  it.effect("rises with requeue, an expired lease and a close; a release leaves it", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const first = yield* openClosable(file, { lease: "10 seconds" })
      yield* first.send(item("1"))
      const counts: Array<number> = []
      const take = Effect.tap(first.one, ({ deliveries }) => Effect.sync(() => counts.push(deliveries)))
      yield* first.settle(yield* take, Disposition.requeue())
      yield* first.settle(yield* take, Disposition.requeue("1 second"))
      yield* TestClock.adjust("1 second")
      yield* first.settle(yield* take, Disposition.release)
      yield* take
      yield* TestClock.adjust("10 seconds")
      yield* take
      yield* Scope.close(first.scope, Exit.void)
      const second = yield* open(file)
      counts.push((yield* second.one).deliveries)
      assert.deepStrictEqual(counts, [0, 1, 2, 2, 3, 4])
    }))

  it.effect("a lease that ran out cannot settle, also when nobody has taken the delivery since", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ lease: "10 seconds" })
      yield* queue.send(item("1"))
      const delivery = yield* queue.one
      yield* TestClock.adjust("10 seconds")
      const error = yield* Effect.flip(queue.settle(delivery, Disposition.ack))
      assert.strictEqual(error.reason._tag, "LeaseLost")
      assert.deepStrictEqual(yield* queue.count, one)
    }))

  it.effect("extending counts from now, and names what is lost", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ lease: "10 seconds" })
      yield* queue.send(item("1"), item("2"))
      const lost = yield* queue.one
      yield* TestClock.adjust("6 seconds")
      const kept = yield* queue.one
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(yield* queue.source.extend!([kept, lost]), [1])
      yield* TestClock.adjust("9 seconds")
      yield* queue.settle(kept, Disposition.ack)
      assert.deepStrictEqual(yield* queue.count, one)
    }))

  it.live("a fetch that is interrupted while the file is locked hands nothing over and loses nothing", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queue = yield* open(file)
      const other = yield* open(file)
      yield* queue.send(item("1"))
      const waiting = yield* other.sql.withTransaction(Effect.gen(function*() {
        const waiting = yield* Effect.forkDetach(queue.fetch(1), { startImmediately: true })
        yield* Effect.sleep("30 millis")
        waiting.interruptUnsafe()
        return waiting
      }))
      yield* Fiber.await(waiting)
      assert.deepStrictEqual(yield* queue.count, one)
      assert.strictEqual((yield* other.one).deliveries, 0)
    }))
})

describe("de-duplication", () => {
  const payload = (n: number) => Transaction.make("1", n)

  it.effect("an id changes nothing while it is ready, in flight, delayed or done within the retention", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ retention: "1 hour" })
      yield* queue.send(payload(1), payload(2))
      yield* queue.send(payload(3))
      const delivery = yield* queue.one
      assert.strictEqual(delivery.transaction.payload, 1)
      yield* queue.send(payload(4))
      yield* queue.settle(delivery, Disposition.requeue("1 second"))
      yield* queue.send(payload(5))
      assert.deepStrictEqual(yield* queue.count, { ready: 0, inFlight: 0, delayed: 1 })
      yield* TestClock.adjust("1 second")
      const again = yield* queue.one
      assert.strictEqual(again.transaction.payload, 1)
      yield* queue.settle(again, Disposition.ack)
      yield* TestClock.adjust("3599999 millis")
      yield* queue.send(payload(6))
      assert.deepStrictEqual(yield* queue.count, empty)
      yield* TestClock.adjust(1)
      yield* queue.send(payload(7), payload(8))
      const last = yield* queue.one
      assert.strictEqual(last.transaction.payload, 7)
      assert.strictEqual(last.deliveries, 0)
    }))

  it.effect("the id of a dead letter stays taken", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ retention: 0 })
      yield* queue.send(payload(1))
      yield* queue.settle(yield* queue.one, Disposition.deadLetter("no stock"))
      yield* TestClock.adjust("365 days")
      yield* queue.send(payload(2))
      assert.deepStrictEqual(yield* queue.count, empty)
    }))

  it.effect("a retention of zero forgets at once", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ retention: 0 })
      yield* queue.send(payload(1))
      yield* queue.settle(yield* queue.one, Disposition.ack)
      yield* queue.send(payload(2))
      assert.strictEqual((yield* queue.one).transaction.payload, 2)
    }))

  const work = (queue: Effect.Success<ReturnType<typeof inMemory>>, from: number, count: number) =>
    Effect.gen(function*() {
      yield* queue.sink.dispatch(Array.from({ length: count }, (_, n) => item(`${from + n}`)))
      const deliveries = yield* queue.fetch(count)
      yield* queue.source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
    })
  const rows = (queue: Effect.Success<ReturnType<typeof inMemory>>) =>
    Effect.map(queue.sql<{ n: number }>`SELECT count(*) AS n FROM items`, ([row]) => row!.n)

  it.effect("forgotten ids arrive anew, several of them in one batch, in their order behind what is there", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ retention: 0 })
      const old = [item("1"), item("2"), item("3")]
      yield* queue.send(...old)
      for (const delivery of yield* queue.fetch(3)) yield* queue.settle(delivery, Disposition.ack)
      yield* queue.send(item("4"), item("3"), item("1"), item("5"), item("2"))
      assert.deepStrictEqual(yield* queue.ids(9), ["4", "3", "1", "5", "2"])
    }))

  it.effect("what is done is removed once its retention is over: the table stays bounded", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ retention: "1 minute" })
      for (let second = 0; second < 300; second++) {
        yield* work(queue, second * 20, 20)
        yield* TestClock.adjust("1 second")
      }
      // 20 a second for a minute are kept; the walk goes round at least once while as many again are added.
      assert.isAtMost(yield* rows(queue), 3600)
      assert.isAtLeast(yield* rows(queue), 1200)
    }))

  it.effect("also where each process does little before it ends", () =>
    Effect.gen(function*() {
      const file = yield* filename
      for (let day = 0; day < 40; day++) {
        yield* Effect.scoped(
          Effect.flatMap(open(file, { retention: "3 days" }), (queue) => work(queue, day * 100, 100))
        )
        yield* TestClock.adjust("1 day")
      }
      assert.isAtMost(yield* rows(yield* open(file)), 1200)
    }))
})

describe("a lease and a retention beyond what a Date can be", () => {
  it.effect("last until the end of time", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ lease: Number.MAX_SAFE_INTEGER, retention: 1e300 })
      yield* queue.send(item("1"), item("2"))
      const delivery = yield* queue.one
      yield* TestClock.adjust("3650 days")
      yield* queue.settle(delivery, Disposition.ack)
      yield* queue.send(item("1"))
      assert.deepStrictEqual(yield* queue.ids(9), ["2"])
    }))
})

describe("ids and keys", () => {
  it.effect("text that cannot be stored as it is, is refused by name", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ key: ({ payload }) => payload as string })
      const error = yield* Effect.flip(queue.send(
        Transaction.make("nul-\u0000", "a"),
        Transaction.make("half-\ud800", "a"),
        Transaction.make("nul-key", "\u0000"),
        Transaction.make("half-key", "\udc00"),
        Transaction.make("whole-\u{1f600}", "\u{1f600}")
      ))
      assert.deepStrictEqual(error.failed?.map(({ index }) => index), [0, 1, 2, 3])
      const delivery = yield* queue.one
      assert.strictEqual(delivery.transaction.id, "whole-\u{1f600}")
      assert.strictEqual(delivery.key, "\u{1f600}")
      yield* queue.settle(delivery, Disposition.ack)
      assert.deepStrictEqual(yield* queue.count, empty)
    }))

  it.effect("metadata and the trace context arrive", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      const metadata = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", n: 1, yes: true }
      yield* queue.send(Transaction.make("1", null, metadata))
      assert.deepStrictEqual((yield* queue.one).transaction.metadata, metadata)
    }))

  it.effect("a payload that is no JSON is refused by name", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      const circle: { self?: unknown } = {}
      circle.self = circle
      const error = yield* Effect.flip(
        queue.send(Transaction.make("circle", circle), Transaction.make("big", 1n), item("fine"))
      )
      assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason.isRetryable]), [[0, false], [
        1,
        false
      ]])
      assert.include(error.message, "circle")
      assert.deepStrictEqual(yield* queue.ids(9), ["fine"])
    }))

  it.effect("a row that somebody has broken is a malformed delivery, and holds nobody up", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* queue.send(item("payload"), item("metadata"), item("list"), item("nothing"), item("fine"))
      yield* queue.sql`UPDATE items SET payload = '{"id": ' WHERE id = 'payload'`
      yield* queue.sql`UPDATE items SET metadata = 'broken' WHERE id = 'metadata'`
      yield* queue.sql`UPDATE items SET metadata = '[1, 2]' WHERE id = 'list'`
      yield* queue.sql`UPDATE items SET payload = NULL, metadata = NULL WHERE id = 'nothing'`
      const deliveries = yield* queue.fetch(9)
      assert.deepStrictEqual(deliveries.map(({ malformed }) => malformed !== undefined), [
        true,
        true,
        true,
        true,
        false
      ])
      assert.strictEqual(deliveries[0]?.transaction.payload, "{\"id\": ")
      for (const { transaction } of deliveries) assert.isTrue(Transaction.isTransaction(transaction))
    }))
})

describe("by id", () => {
  it.effect("claims one that waits or is delayed, and nothing else", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory({ delay: ({ id }) => id === "delayed" ? "1 hour" : undefined })
      yield* queue.send(item("ready"), item("delayed"), item("done"), item("dead"), item("taken"))
      const resolve = queue.source.resolve!
      yield* queue.settle(yield* resolve("done"), Disposition.ack)
      yield* queue.settle(yield* resolve("dead"), Disposition.deadLetter("no stock"))
      yield* resolve("taken")
      assert.strictEqual(idOf(yield* resolve("delayed")), "delayed")
      assert.strictEqual(idOf(yield* resolve("ready")), "ready")
      for (const id of ["done", "dead", "taken", "unknown"]) {
        const error = yield* Effect.flip(resolve(id))
        assert.strictEqual(error.reason._tag, "NotFound")
        assert.include(error.message, `"${id}"`)
      }
    }))
})

describe("a user's transaction", () => {
  const failing = (queue: Effect.Success<ReturnType<typeof inMemory>>, id: string) =>
    Connector.send(Items, item(id)).pipe(
      Effect.andThen(Effect.fail("changed my mind")),
      queue.sql.withTransaction,
      Effect.flip,
      Effect.provide(queue.context)
    )

  it.effect("that rolls back enqueues nothing", () =>
    Effect.gen(function*() {
      const queue = yield* inMemory()
      yield* failing(queue, "1")
      assert.deepStrictEqual(yield* queue.count, empty)
      yield* queue.send(item("1"))
      assert.deepStrictEqual(yield* queue.ids(1), ["1"])
    }))

  it.effect("wakes the consumer after its commit, and not before", () =>
    Effect.gen(function*() {
      const file = yield* filename
      const queue = yield* open(file, { poll: "1 hour" })
      const waiting = yield* Effect.forkChild(queue.source.fetch({ max: 1, wait: Duration.hours(2) }), {
        startImmediately: true
      })
      yield* failing(queue, "1")
      const { changes } = Context.get(queue.context, Database.Database)
      const before = changes.count("items")
      yield* queue.sql.withTransaction(Effect.gen(function*() {
        yield* queue.send(item("2"))
        yield* Effect.yieldNow
        assert.isUndefined(waiting.pollUnsafe())
        assert.strictEqual(changes.count("items"), before)
      }))
      // No clock has moved: only the commit can have woken it.
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(idOf), ["2"])
    }))
})

describe("closing", () => {
  it.effect("ends within 5 seconds, also while somebody's transaction holds the database", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(database(yield* filename))
      const scope = yield* Scope.make()
      const services = yield* Scope.provide(
        Effect.provide(Layer.build(Sql.queue(Items)), context),
        scope
      )
      const { sink, source } = Context.get(services, Items)
      const { sql } = Context.get(context, Database.Database)
      yield* sink.dispatch([item("1")])
      assert.lengthOf(yield* source.fetch({ max: 1, wait: Duration.zero }), 1)
      const transaction = yield* Effect.forkChild(sql.withTransaction(Effect.never))
      yield* Effect.yieldNow
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(closing)
      yield* Fiber.interrupt(transaction)
    }))
})
