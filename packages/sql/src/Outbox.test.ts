import { Connector, Disposition, Task, Transaction } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Schema, Tracer } from "effect"
import { places } from "./test/places.ts"
import { Database, Outbox, Sql } from "./index.ts"

const Word = Schema.Struct({ order: Schema.Int })
class Events extends Connector.Sink<Events>()("events", Word) {}
class Relayed extends Connector.Source<Relayed>()("relayed", Word) {}
class Elsewhere extends Connector.Sink<Elsewhere>()("elsewhere", Word) {}
class Broker extends Connector.Queue<Broker>()("broker", Word) {}

const word = (order: number) => Transaction.make(`order-${order}`, { order })

for (const place of places) {
  await Services.describe(place.needs, `an outbox in ${place.name}`, () => {
    const open = Effect.gen(function*() {
      const layer = yield* place.make
      const outbox = Layer.mergeAll(
        Outbox.sink(Events),
        Outbox.source(Relayed, { table: "events" }),
        Sql.queue(Broker)
      )
      const context = yield* Layer.build(outbox.pipe(Layer.provideMerge(Layer.fresh(layer))))
      const { sql } = Context.get(context, Database.Database)
      yield* sql`CREATE TABLE orders (id INTEGER PRIMARY KEY)`
      const { source } = Context.get(context, Relayed)
      const placeOrder = <E = never>(order: number, then: Effect.Effect<void, E> = Effect.void) =>
        sql.withTransaction(Effect.gen(function*() {
          yield* sql`INSERT INTO orders (id) VALUES (${order})`
          yield* Outbox.put(Events, word(order))
          yield* then
        })).pipe(Effect.provideContext(context))
      const waiting = Effect.map(
        source.fetch({ max: 10, wait: Duration.zero }),
        (deliveries) => deliveries.map(({ transaction: { id } }) => id)
      )
      const orders = Effect.map(
        sql<{ id: number }>`SELECT id FROM orders ORDER BY id`,
        (rows) => rows.map(({ id }) => Number(id))
      )
      return { context, sql, source, placeOrder, waiting, orders, layer }
    })

    it.live("sends what is committed, and nothing of what is rolled back", () =>
      Effect.gen(function*() {
        const { context, orders, placeOrder, sql, waiting } = yield* open
        yield* placeOrder(1)
        // Refused by the database, given up by the program, broken off, and given up inside of another transaction.
        yield* Effect.flip(placeOrder(1))
        yield* Effect.flip(placeOrder(2, Effect.fail("no stock")))
        yield* Effect.exit(placeOrder(3, Effect.die("a defect")))
        yield* Effect.timeoutOption(placeOrder(4, Effect.never), "50 millis")
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* placeOrder(5)
          yield* Effect.ignore(placeOrder(6, Effect.fail("inside")))
        })).pipe(Effect.provideContext(context))
        assert.deepStrictEqual(yield* orders, [1, 5])
        assert.deepStrictEqual(yield* waiting, ["order-1", "order-5"])
      }).pipe(Effect.scoped))

    it.live("shows nothing before the commit, and holds up nobody", () =>
      Effect.gen(function*() {
        const { placeOrder, source, waiting } = yield* open
        if (place.name === "SQLite") return yield* placeOrder(1)
        const inside = yield* Deferred.make<void>()
        // From outside of the transaction.
        const outside = yield* Effect.forkScoped(
          Effect.andThen(Deferred.await(inside), Effect.andThen(placeOrder(2), waiting))
        )
        let seen: ReadonlyArray<string> = []
        yield* placeOrder(
          1,
          Effect.gen(function*() {
            yield* Deferred.succeed(inside, undefined)
            seen = yield* Effect.orDie(Fiber.join(outside))
          })
        )
        assert.deepStrictEqual(seen, ["order-2"])
        assert.deepStrictEqual(yield* waiting, ["order-1"])
        return yield* source.health!
      }).pipe(Effect.scoped))

    it.live("refuses what is put outside of a transaction, or of one of another database", () =>
      Effect.gen(function*() {
        const { context, layer, waiting } = yield* open
        const outside = yield* Effect.flip(Outbox.put(Events, word(1)).pipe(Effect.provideContext(context)))
        assert.include(outside.message, "outside of a transaction")
        const other = yield* Layer.build(Layer.fresh(layer))
        const { sql } = Context.get(other, Database.Database)
        const elsewhere = yield* Effect.flip(
          sql.withTransaction(Outbox.put(Events, word(1))).pipe(
            Effect.provideContext(Context.merge(context, other))
          )
        )
        assert.include(elsewhere.message, "another database")
        assert.deepStrictEqual(yield* waiting, [])
      }).pipe(Effect.scoped))

    it.live("is relayed to a sink, with its trace, and comes back when that fails", () =>
      Effect.gen(function*() {
        const { context, placeOrder, source } = yield* open
        const span = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
        yield* Effect.withParentSpan(placeOrder(1), span)
        const [first] = yield* source.fetch({ max: 1, wait: Duration.zero })
        assert.match(String(first!.transaction.metadata["traceparent"]), /^00-0af7651916cd43dd8448eb211c80319c-/)
        yield* source.settle([Disposition.settlement(first!, Disposition.requeue())])
        const relay = Task.consumer("relay", Relayed, ({ payload }) => Effect.succeed(payload)).pipe(
          Task.dispatch(
            Broker,
            (transaction, payload) => Transaction.make(transaction.id, payload, transaction.metadata)
          )
        )
        const summary = yield* Task.run(relay).pipe(Effect.provideContext(context))
        assert.strictEqual(summary.succeeded, 1)
        const { source: broker } = Context.get(context, Broker)
        const [sent] = yield* broker.fetch({ max: 2, wait: Duration.zero })
        assert.strictEqual(sent!.transaction.id, "order-1")
        assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 0 })
      }).pipe(Effect.scoped))

    it.live("takes what another program has written", () =>
      Effect.gen(function*() {
        const { sql, waiting } = yield* open
        yield* sql`INSERT INTO events (id, state, priority, since, payload, metadata)
          VALUES ('order-1', 'ready', 0, 1764000000000, '{"order": 1}', '{}')`
        assert.deepStrictEqual(yield* waiting, ["order-1"])
      }).pipe(Effect.scoped))

    it.live("keeps the order of each key, also with several writers", () =>
      Effect.gen(function*() {
        const layer = yield* place.make
        const outbox = Layer.mergeAll(
          Outbox.sink(Elsewhere, { table: "ordered", key: ({ id }) => id.slice(0, 1) }),
          Outbox.source(Relayed, { table: "ordered", ordered: true })
        )
        const context = yield* Layer.build(outbox.pipe(Layer.provideMerge(Layer.fresh(layer))))
        const { sql } = Context.get(context, Database.Database)
        const write = (key: string) =>
          Effect.forEach([1, 2, 3, 4, 5], (order) =>
            sql.withTransaction(Outbox.put(Elsewhere, Transaction.make(`${key}${order}`, { order }))), {
            discard: true
          })
        yield* Effect.forEach(["a", "b", "c"], write, { concurrency: "unbounded" }).pipe(Effect.provideContext(context))
        const seen: Array<string> = []
        const relay = Task.consumer("relay", Relayed, ({ id }) =>
          Effect.sync(() =>
            void seen.push(id)
          )).pipe(
            Task.policy({ loop: { concurrency: 8 } })
          )
        yield* Task.run(relay).pipe(Effect.provideContext(context))
        for (const key of ["a", "b", "c"]) {
          assert.deepStrictEqual(
            seen.filter((id) => id.startsWith(key)),
            [1, 2, 3, 4, 5].map((order) => `${key}${order}`)
          )
        }
      }).pipe(Effect.scoped))
  })
}
