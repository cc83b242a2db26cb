import { Connector, type ConnectorError, type Delivery, Disposition, Redrive, Task, Transaction } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Logger, Result, Schema, Stream } from "effect"
import type { Channel } from "rabbitmq-client"
import { queueName, seen, withChannel } from "./test/places.ts"
import { Amqp, Broker } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Both extends Connector.Source<Both>()("both", Schema.Unknown) {}
class Results extends Connector.Sink<Results>()("results", Schema.Unknown) {}

const port = 5672
const broker = Broker.layer({ hosts: [`127.0.0.1:${port}`] })

const queueOf = (options: Amqp.QueueOptions) =>
  Effect.map(
    Layer.build(Amqp.queue(Items, { declare: true, ...options }).pipe(Layer.provide(broker))),
    (context) => Context.get(context, Items)
  )

const sinkOf = (options: Amqp.SinkOptions) =>
  Effect.map(
    Layer.build(Amqp.sink(Results, { declare: true, ...options }).pipe(Layer.provide(broker))),
    (context) => Context.get(context, Results).sink
  )

const collect = (source: Connector.SourceService, count: number) =>
  Effect.gen(function*() {
    const deliveries: Array<Delivery.Delivery> = []
    while (deliveries.length < count) {
      const fetched: ReadonlyArray<Delivery.Delivery> = yield* source.fetch({
        max: count - deliveries.length,
        wait: Duration.seconds(2)
      })
      if (fetched.length === 0) break
      deliveries.push(...fetched)
    }
    return deliveries
  })

const settle = (
  source: Connector.SourceService,
  deliveries: ReadonlyArray<Delivery.Delivery>,
  disposition = Disposition.ack
) => source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))

/** Runs with all that is logged collected. */
const logged = <A, E, R>(effect: (lines: Array<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  return Effect.provide(effect(lines), Logger.layer([logger]))
}

const failedOf = (result: Result.Result<void, ConnectorError.DispatchError>) =>
  Result.isSuccess(result) ? [] : result.failure.failed?.map(({ index, reason }) => [index, reason._tag]) ?? "all"

await Services.describe([Services.rabbitmq], "RabbitMQ", () => {
  describe("topology", () => {
    it.live("is looked for, and what is not there is named", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(queueOf({ declare: false, queue: "ergon-test-nowhere" }))
        assert.strictEqual(error._tag === "FetchError" && error.reason._tag, "NotFound")
        assert.include(error.message, "queue \"ergon-test-nowhere\" is not there: make it, or give declare: true")
        const exchange = yield* Effect.flip(sinkOf({ exchange: "ergon-test-nowhere" }))
        assert.include(exchange.message, "exchange \"ergon-test-nowhere\" is not there")
      }).pipe(Effect.scoped))

    it.live("that is there otherwise is refused", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        yield* queueOf({ queue: { name: queue, type: "classic" } })
        const error = yield* Effect.flip(queueOf({ queue }))
        assert.strictEqual(error._tag === "FetchError" && error.reason._tag, "InvalidRequest")
        assert.include(error.message, "x-queue-type")
      }).pipe(Effect.scoped))

    it.live("has several queues in one source, each with its part of the prefetch", () =>
      Effect.gen(function*() {
        const name = yield* queueName(port, [".second"])
        const exchange = `${name}.exchange`
        yield* Effect.addFinalizer(() => withChannel(port, (channel) => channel.exchangeDelete({ exchange })))
        const context = yield* Layer.build(
          Amqp.source(Both, {
            exchanges: [{ name: exchange, type: "topic" }],
            queues: [
              { name, bindings: [{ exchange, routingKey: "one.*" }] },
              { name: `${name}.second`, bindings: [{ exchange, routingKey: "two.*" }] }
            ],
            prefetch: 4,
            declare: true
          }).pipe(Layer.provide(broker))
        )
        const { source } = Context.get(context, Both)
        const sink = yield* sinkOf({ exchange, routingKey: ({ id }) => id })
        yield* sink.dispatch(
          ["one.a", "two.a", "one.b", "two.b", "one.c"].map((id) => Transaction.make(id, null, { baggage: "k=v" }))
        )
        const first = yield* collect(source, 4)
        assert.deepStrictEqual(
          first.map(({ transaction: { id, metadata } }) => [id, metadata["amqp.queue"], metadata["amqp.routingKey"]])
            .toSorted(([a = ""], [b = ""]) => a < b ? -1 : 1),
          [
            ["one.a", name, "one.a"],
            ["one.b", name, "one.b"],
            ["two.a", `${name}.second`, "two.a"],
            ["two.b", `${name}.second`, "two.b"]
          ]
        )
        assert.strictEqual(first[0]?.transaction.metadata["baggage"], "k=v")
        assert.strictEqual(first[0]?.transaction.metadata["amqp.exchange"], exchange)
        assert.deepStrictEqual(yield* source.count ?? Effect.void, { ready: 1, inFlight: 4, delayed: 0 })
        yield* settle(source, first)
        yield* settle(source, yield* collect(source, 1))
        assert.deepStrictEqual(yield* source.count ?? Effect.void, { ready: 0, inFlight: 0, delayed: 0 })
      }).pipe(Effect.scoped))
  })

  describe("a sink", () => {
    it.live("names what no queue takes, and what a full queue refuses", () =>
      Effect.gen(function*() {
        const name = yield* queueName(port)
        yield* Effect.addFinalizer(() => withChannel(port, (channel) => channel.exchangeDelete({ exchange: name })))
        const sink = yield* sinkOf({
          exchange: name,
          routingKey: ({ payload }) => String(payload),
          exchanges: [{ name }],
          queues: [{ name, type: "classic", maxLength: 2, bindings: [{ exchange: name, routingKey: "yes" }] }]
        })
        const batch = ["yes", "no", "yes", "no"].map((route, n) => Transaction.make(`t-${n}`, route))
        const returned = yield* Effect.result(sink.dispatch(batch))
        assert.deepStrictEqual(failedOf(returned), [[1, "NotFound"], [3, "NotFound"]])
        assert.include(
          Result.isFailure(returned) ? returned.failure.message : "",
          `no queue takes "t-1": exchange "${name}" has none for routing key "no"`
        )
        const full = yield* Effect.result(sink.dispatch([Transaction.make("t-5", "yes")]))
        assert.deepStrictEqual(failedOf(full), [[0, "Throttled"]])
        assert.strictEqual((yield* seen(port, name)).length, 2)
      }).pipe(Effect.scoped))

    it.live("names what cannot be a message, and sends the others", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        const sink = yield* sinkOf({ queue })
        const refused = yield* Effect.result(sink.dispatch([
          Transaction.make("fine", 1),
          Transaction.make("x".repeat(256), 1),
          Transaction.make("number", 1, { n: Infinity }),
          Transaction.make("large", 1, { text: "x".repeat(200_000) }),
          Transaction.make("routing", 1, { CC: "elsewhere" }),
          Transaction.make("big", 1n),
          Transaction.make("long", 1, { text: "x".repeat(100_000) })
        ]))
        assert.deepStrictEqual(failedOf(refused), [1, 2, 3, 4, 5].map((index) => [index, "InvalidRequest"]))
        assert.deepStrictEqual((yield* seen(port, queue)).map(({ messageId }) => messageId), ["fine", "long"])
      }).pipe(Effect.scoped))

    it.live("gives messages a priority", () =>
      Effect.gen(function*() {
        const name = yield* queueName(port)
        const { sink, source } = yield* queueOf({
          queue: { name, type: "classic", maxPriority: 5 },
          priority: ({ payload }) => Number(payload)
        })
        yield* sink.dispatch([1, 5, 3].map((n) => Transaction.make(`p-${n}`, n)))
        const deliveries = yield* collect(source, 3)
        assert.deepStrictEqual(deliveries.map(({ transaction: { id } }) => id), ["p-5", "p-3", "p-1"])
      }).pipe(Effect.scoped))
  })

  describe("messages of others", () => {
    const publish = (queue: string, messages: ReadonlyArray<Parameters<Channel["basicPublish"]>>) =>
      withChannel(port, async (channel) => {
        await channel.confirmSelect()
        for (const [envelope, body] of messages) {
          await channel.basicPublish(Object.assign({ routingKey: queue }, envelope), body)
        }
      })

    it.live("without an id have one that stays the same, and the source says so once", () =>
      logged((lines) =>
        Effect.gen(function*() {
          const queue = yield* queueName(port)
          const { source } = yield* queueOf({ queue })
          const timestamp = 1_700_000_000
          yield* publish(queue, [[{ timestamp }, { n: 1 }], [{ timestamp }, { n: 2 }], [{ timestamp }, { n: 1 }]])
          const before = yield* collect(source, 3)
          const ids = before.map(({ transaction: { id } }) => id)
          assert.match(ids[0] ?? "", /^digest-[0-9a-f]{32}$/)
          // Two equal messages cannot be told apart.
          assert.deepStrictEqual([ids[0] === ids[2], ids[0] === ids[1]], [true, false])
          yield* settle(source, before, Disposition.requeue())
          const after = yield* collect(source, 3)
          assert.sameMembers(after.map(({ transaction: { id } }) => id), ids)
          assert.deepStrictEqual(after.map(({ deliveries }) => deliveries), [1, 1, 1])
          assert.deepStrictEqual(lines, [
            `Warn source "items": messages of queue "${queue}" have no message_id: their ids are digests of what is in ` +
            "them, so that two equal messages have one id"
          ])
        }).pipe(Effect.scoped)
      ))

    it.live("without an id are dead letters where that is wanted", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        const { source } = yield* queueOf({ queue, missingId: "reject" })
        yield* publish(queue, [[{}, { n: 1 }], [{ messageId: "m" }, { n: 1 }]])
        assert.deepStrictEqual((yield* collect(source, 2)).map(({ malformed }) => malformed), [
          "the message has no id: its producer has to set the property message_id",
          undefined
        ])
      }).pipe(Effect.scoped))

    it.live("arrive as what they are", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        const { source } = yield* queueOf({ queue })
        const bytes = (text: string) => Buffer.from(text)
        yield* publish(queue, [
          [{ messageId: "json" }, bytes("{\"n\":1}")],
          [{ messageId: "text" }, "plain"],
          [{ messageId: "broken", contentType: "application/json" }, bytes("{\"n\":")],
          [{ messageId: "packed", contentType: "application/json", contentEncoding: "gzip" }, bytes("zip")],
          [{ messageId: "headers", headers: { list: [1], none: null, deep: { a: 1 }, n: 7 } }, bytes("1")]
        ])
        const deliveries = yield* collect(source, 5)
        assert.deepStrictEqual(
          deliveries.map(({ malformed, transaction: { id, payload } }) => [id, payload, malformed]),
          [
            ["json", { n: 1 }, undefined],
            ["text", "plain", undefined],
            ["broken", "{\"n\":", "the body is no JSON"],
            ["packed", "emlw", "the body has the encoding \"gzip\""],
            ["headers", 1, undefined]
          ]
        )
        const { deep, list, n, none } = deliveries[4]?.transaction.metadata ?? {}
        assert.deepStrictEqual([deep, list, n, none], ["{\"a\":1}", "[1]", 7, undefined])
      }).pipe(Effect.scoped))

    it.live("in a classic queue that was not said to be one are counted in memory", () =>
      logged((lines) =>
        Effect.gen(function*() {
          const queue = yield* queueName(port)
          yield* withChannel(port, (channel) => channel.queueDeclare({ queue, durable: true }))
          const { sink, source } = yield* queueOf({ queue, declare: false })
          yield* sink.dispatch([Transaction.make("one", 1)])
          const counts = []
          for (let round = 0; round < 3; round++) {
            const deliveries = yield* collect(source, 1)
            counts.push(...deliveries.map(({ deliveries }) => deliveries))
            yield* settle(source, deliveries, Disposition.requeue())
          }
          assert.deepStrictEqual(counts, [0, 1, 2])
          assert.strictEqual(lines.filter((line) => line.includes("does not count deliveries")).length, 1)
        }).pipe(Effect.scoped)
      ))
  })

  describe("a requeue for later", () => {
    it.live("goes on counting, and keeps where the message was sent to", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port, [".delay.100ms"])
        const { sink, source } = yield* queueOf({ queue })
        yield* sink.dispatch([Transaction.make("one", { n: 1 }, { k: "v" })])
        let deliveries = yield* collect(source, 1)
        const { metadata } = deliveries[0]!.transaction
        for (let round = 1; round < 3; round++) {
          yield* settle(source, deliveries, Disposition.requeue("60 millis"))
          deliveries = yield* collect(source, 1)
          assert.strictEqual(deliveries[0]?.deliveries, round)
        }
        assert.deepStrictEqual(deliveries[0]?.transaction, Transaction.make("one", { n: 1 }, metadata))
        yield* settle(source, deliveries, Disposition.requeue())
        assert.strictEqual((yield* collect(source, 1))[0]?.deliveries, 3)
      }).pipe(Effect.scoped))
  })

  describe("dead letters", () => {
    const Order = Schema.Struct({ n: Schema.Int })
    class Orders extends Connector.Queue<Orders>()("orders", Order) {}

    it.live("are read and sent again by Redrive", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        const layer = Amqp.queue(Orders, { queue, declare: true, deadLetter: `${queue}.dead` }).pipe(
          Layer.provide(broker)
        )
        let down = true
        const ship = Task.consumer("ship", Orders, () => down ? Effect.fail("down" as const) : Effect.void)
        yield* Effect.provide(
          Effect.gen(function*() {
            for (const n of [1, 2, 3]) yield* Connector.send(Orders, Transaction.make(`order-${n}`, { n }))
            assert.strictEqual((yield* Task.run(ship)).deadLettered, 3)
            const letters = yield* Stream.runCollect(Redrive.letters(ship))
            assert.deepStrictEqual(letters.map(({ letter: { id, payload, task } }) => [id, payload, task]), [
              ["order-1", { n: 1 }, "ship"],
              ["order-2", { n: 2 }, "ship"],
              ["order-3", { n: 3 }, "ship"]
            ])
            down = false
            assert.strictEqual((yield* Redrive.redrive(ship, { ids: ["order-2"] })).redriven, 1)
            assert.strictEqual((yield* Task.run(ship)).succeeded, 1)
            assert.strictEqual((yield* Redrive.redrive(ship)).redriven, 2)
            assert.strictEqual((yield* Task.run(ship)).succeeded, 2)
          }),
          layer
        )
        assert.deepStrictEqual(yield* seen(port, `${queue}.dead`), [])
      }).pipe(Effect.scoped))

    it.live("are also what the broker gives up", () =>
      Effect.gen(function*() {
        const name = yield* queueName(port)
        const { sink, source } = yield* queueOf({
          queue: { name, messageTtl: "50 millis" },
          deadLetter: `${name}.dead`
        })
        yield* sink.dispatch([Transaction.make("late", { n: 1 }, { k: "v" })])
        const find = source.letters!.find("late")
        let letters = yield* find
        while (letters.length === 0) letters = yield* find
        const { metadata, payload, reason, source: by } = letters[0]!.letter
        assert.deepStrictEqual([payload, reason, by, metadata["k"]], [
          { n: 1 },
          "the broker gave it up: expired",
          "items",
          "v"
        ])
        assert.deepStrictEqual(yield* source.letters!.putBack!(["unknown"]), [])
      }).pipe(Effect.scoped))

    it.live("go to an exchange, and back to the queue when nothing takes them there", () =>
      Effect.gen(function*() {
        const name = yield* queueName(port)
        const exchange = `${name}.exchange`
        yield* withChannel(port, (channel) => channel.exchangeDeclare({ exchange, type: "topic", durable: true }))
        yield* Effect.addFinalizer(() => withChannel(port, (channel) => channel.exchangeDelete({ exchange })))
        const { sink, source } = yield* queueOf({ queue: name, deadLetter: { exchange, routingKey: "dead" } })
        yield* sink.dispatch([Transaction.make("one", 1)])
        const deliveries = yield* collect(source, 1)
        const error = yield* Effect.flip(settle(source, deliveries, Disposition.deadLetter("no stock")))
        assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason._tag]), [[0, "NotFound"]])
        assert.isFalse(source.isHeld?.(deliveries[0]!))
        const again = yield* collect(source, 1)
        assert.deepStrictEqual(again.map(({ deliveries }) => deliveries), [1])
        yield* withChannel(port, async (channel) => {
          await channel.queueDeclare({ queue: `${name}.dead`, durable: true })
          await channel.queueBind({ queue: `${name}.dead`, exchange, routingKey: "dead" })
        })
        yield* settle(source, again, Disposition.deadLetter("no stock"))
        const [letter] = yield* seen(port, `${name}.dead`)
        assert.deepStrictEqual([letter?.messageId, letter?.headers?.["x-ergon-reason"]], ["one", "no stock"])
      }).pipe(Effect.scoped))
  })

  describe("a prefetch that does not fit", () => {
    it.live("is said once, when it is too small", () =>
      logged((lines) =>
        Effect.gen(function*() {
          const queue = yield* queueName(port)
          const { source } = yield* queueOf({ queue, prefetch: 5 })
          for (let round = 0; round < 3; round++) yield* source.fetch({ max: 64, wait: Duration.zero })
          assert.deepStrictEqual(lines, [
            "Warn source \"items\": prefetch is 5, and the task asks for 64 at once: 59 of its slots stay idle. Give at " +
            "least 64, better 128, or leave prefetch out"
          ])
        }).pipe(Effect.scoped)
      ))

    it.live("grows with what is asked for, unless it is given", () =>
      Effect.gen(function*() {
        const queue = yield* queueName(port)
        const { sink, source } = yield* queueOf({ queue })
        yield* sink.dispatch(Array.from({ length: 300 }, (_, n) => Transaction.make(`t-${n}`, n)))
        const first = yield* collect(source, 1)
        // Two of them are here; the others come once more is asked for, although none is settled.
        const others = yield* collect(source, 100)
        assert.strictEqual(others.length, 100)
        yield* settle(source, [...others, ...first])
        const rest = yield* collect(source, 199)
        assert.strictEqual(new Set([...first, ...others, ...rest].map(({ transaction: { id } }) => id)).size, 300)
        assert.isTrue([...first, ...others, ...rest].every(({ deliveries }) => deliveries === 0))
        yield* settle(source, rest)
        assert.deepStrictEqual(yield* source.count ?? Effect.void, { ready: 0, inFlight: 0, delayed: 0 })
      }).pipe(Effect.scoped))

    it.live("is said once, when it is too large", () =>
      logged((lines) =>
        Effect.gen(function*() {
          const queue = yield* queueName(port)
          const { sink, source } = yield* queueOf({ queue, prefetch: 100 })
          yield* sink.dispatch(Array.from({ length: 150 }, (_, n) => Transaction.make(`t-${n}`, n)))
          for (let round = 0; round < 150; round++) yield* settle(source, yield* collect(source, 1))
          assert.strictEqual(lines.length, 1)
          assert.include(lines[0], "prefetch is 100, and the task asks for at most 1 at once")
        }).pipe(Effect.scoped)
      ))
  })
})
