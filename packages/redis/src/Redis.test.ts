import { Connector, Decision, Disposition, Redrive, Task, Transaction } from "@ergon/core"
import { Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Data, Duration, Effect, Fiber, Layer, Stream } from "effect"
import { Redis, RedisClient } from "./index.ts"
import { admin, fresh, Items, open, port } from "./test/stream.ts"

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => Transaction.make(`t-${from + n}`, { n: from + n }))

const ids = (deliveries: ReadonlyArray<{ readonly transaction: { readonly id: string } }>) =>
  deliveries.map(({ transaction }) => transaction.id)

const empty = { ready: 0, inFlight: 0, delayed: 0 }

await Services.describe([Services.redis], "what is in the server", () => {
  it.live("an entry that another program has added is delivered under its own id, and again under the same", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      const id = String(yield* send("XADD", stream, "*", "payload", "{\"n\":1}", "traceparent", "00-aa-bb-01"))
      const { fetch, settle, source } = yield* open({ stream })
      const [first] = yield* fetch(1)
      assert.strictEqual(first?.transaction.id, id)
      assert.deepStrictEqual(first?.transaction.payload, { n: 1 })
      assert.strictEqual(first?.transaction.metadata["traceparent"], "00-aa-bb-01")
      yield* settle([first!], Disposition.requeue())
      const [second] = yield* fetch(1)
      assert.deepStrictEqual([second?.transaction.id, second?.deliveries], [id, 1])
      yield* settle([second!], Disposition.requeue("10 millis"))
      const [third] = yield* fetch(1, "5 seconds")
      assert.deepStrictEqual([third?.transaction.id, third?.deliveries], [id, 2])
      yield* settle([third!], Disposition.ack)
      assert.deepStrictEqual(yield* source.count!, empty)
      assert.strictEqual(yield* send("XLEN", stream), 0)
    }).pipe(Effect.scoped))

  it.live("an entry that is none of ours is malformed, and its dead letter has what it held", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      yield* send("XADD", stream, "*", "name", "Ada")
      const { fetch, settle, source } = yield* open({ stream })
      const deliveries = yield* fetch(1)
      assert.include(deliveries[0]?.malformed, "no field payload")
      yield* settle(deliveries, Disposition.deadLetter("what is this?"))
      const { letters } = yield* source.letters!.list({ after: undefined, max: 10 })
      assert.strictEqual(letters[0]?.letter.reason, "what is this?")
      assert.deepStrictEqual(letters[0]?.letter.payload, { name: "Ada" })
    }).pipe(Effect.scoped))

  it.live("nothing is left behind: no entry, no consumer, when all is done", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      const { close, fetch, settle, sink } = yield* open({ stream })
      yield* sink.dispatch(numbered(0, 300))
      for (let n = 0; n < 3; n++) yield* settle(yield* fetch(100), Disposition.ack)
      yield* close
      assert.strictEqual(yield* send("XLEN", stream), 0)
      assert.deepStrictEqual(yield* send("XINFO", "CONSUMERS", stream, "ergon"), [])
      assert.deepStrictEqual(yield* send("XPENDING", stream, "ergon"), [0, null, null, null])
    }).pipe(Effect.scoped))

  it.live("a fetch of an empty queue waits at the server", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const { source } = yield* open({ stream, poll: "1 second" })
      const send = yield* admin
      const waiting = yield* Effect.forkChild(source.fetch({ max: 1, wait: Duration.seconds(3) }))
      yield* Effect.sleep("500 millis")
      const list = String(yield* send("CLIENT", "LIST"))
      assert.match(list, /flags=b .*cmd=xreadgroup/)
      yield* Fiber.interrupt(waiting)
    }).pipe(Effect.scoped))
})

await Services.describe([Services.redis], "one transaction by its id", () => {
  it.live("is claimed before its turn, among those that wait and those that come again; the others keep their counts", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const { fetch, settle, sink, source } = yield* open({ stream })
      yield* fetch(1)
      yield* sink.dispatch(numbered(0, 1200))
      const back = yield* fetch(5)
      yield* settle(back, Disposition.requeue())
      // The last of the stream, and one of those that come again.
      const last = yield* source.resolve!("t-1199")
      const again = yield* source.resolve!("t-3")
      assert.deepStrictEqual([last.transaction.id, last.deliveries], ["t-1199", 0])
      assert.deepStrictEqual([again.transaction.id, again.deliveries], ["t-3", 1])
      for (const id of ["t-3", "t-1199", "t-5000"]) {
        const error = yield* Effect.flip(source.resolve!(id))
        assert.strictEqual(error.reason._tag, "NotFound")
      }
      assert.deepStrictEqual(yield* source.count!, { ready: 1198, inFlight: 2, delayed: 0 })
      yield* settle([last, again], Disposition.ack)
      const rest = [...yield* fetch(1000), ...yield* fetch(1000)]
      assert.strictEqual(new Set(ids(rest)).size, 1198)
      for (const { deliveries, transaction } of rest) {
        assert.strictEqual(deliveries, Number(transaction.id.slice(2)) < 5 ? 1 : 0, transaction.id)
      }
      yield* settle(rest, Disposition.ack)
      assert.deepStrictEqual(yield* source.count!, empty)
    }).pipe(Effect.scoped))

  it.live("is not to be had where other groups need the stream", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const one = yield* open({ stream, group: "one" })
      const two = yield* open({ stream, group: "two" })
      yield* one.fetch(1)
      yield* two.fetch(1)
      yield* one.sink.dispatch(numbered(0, 2))
      const error = yield* Effect.flip(one.source.resolve!("t-1"))
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.strictEqual((yield* two.fetch(10)).length, 2)
    }).pipe(Effect.scoped))
})

await Services.describe([Services.redis], "groups", () => {
  it.live("each gets everything; an entry goes when the last one is done", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const billing = yield* open({ stream, group: "billing" })
      const shipping = yield* open({ stream, group: "shipping" })
      yield* billing.fetch(1)
      yield* shipping.fetch(1)
      yield* billing.sink.dispatch(numbered(0, 500))
      const billed = yield* billing.fetch(500)
      yield* billing.settle(billed, Disposition.ack)
      assert.deepStrictEqual(yield* billing.source.count!, empty)
      assert.deepStrictEqual(yield* shipping.source.count!, { ready: 500, inFlight: 0, delayed: 0 })
      const shipped = yield* shipping.fetch(500)
      assert.deepStrictEqual(ids(shipped), ids(billed))
      // Requeued for one group, it does not come to the other.
      yield* shipping.settle(shipped.slice(0, 1), Disposition.requeue())
      yield* shipping.settle(shipped.slice(1), Disposition.ack)
      assert.deepStrictEqual(yield* billing.fetch(10), [])
      assert.deepStrictEqual(ids(yield* shipping.fetch(10)), ["t-0"])
    }).pipe(Effect.scoped))

  it.live("what all are done with goes, also when one of them has left", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      const billing = yield* open({ stream, group: "billing" })
      const shipping = yield* open({ stream, group: "shipping" })
      yield* billing.fetch(1)
      yield* shipping.fetch(1)
      yield* billing.sink.dispatch(numbered(0, 1000))
      yield* billing.settle(yield* billing.fetch(1000), Disposition.ack)
      yield* shipping.settle(yield* shipping.fetch(600), Disposition.ack)
      yield* Effect.sleep("150 millis")
      yield* billing.fetch(1)
      const left = Number(yield* send("XLEN", stream))
      assert.isAtLeast(left, 400)
      assert.isAtMost(left, 500)
      assert.deepStrictEqual(yield* billing.source.count!, empty)
      assert.deepStrictEqual(yield* shipping.source.count!, { ready: 400, inFlight: 0, delayed: 0 })
      yield* shipping.sink.dispatch(numbered(1000, 50))
      assert.deepStrictEqual(yield* billing.source.count!, { ready: 50, inFlight: 0, delayed: 0 })
      assert.deepStrictEqual(yield* shipping.source.count!, { ready: 450, inFlight: 0, delayed: 0 })
      const deliveries = yield* billing.fetch(100)
      yield* billing.settle(deliveries, Disposition.ack)
      yield* send("XGROUP", "DESTROY", stream, "shipping")
      yield* Effect.sleep("150 millis")
      yield* billing.fetch(1)
      assert.strictEqual(yield* send("XLEN", stream), 0)
      assert.deepStrictEqual(yield* billing.source.count!, empty)
    }).pipe(Effect.scoped))

  it.live("one that begins with what is new leaves out what was there, also when it is slow to start", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const { fetch, sink, source } = yield* open({ stream, from: "new", keep: "1 hour" })
      yield* sink.dispatch(numbered(0, 3))
      assert.deepStrictEqual(yield* fetch(10), [])
      yield* sink.dispatch(numbered(3, 2))
      assert.deepStrictEqual(yield* source.count!, { ready: 2, inFlight: 0, delayed: 0 })
      assert.deepStrictEqual(ids(yield* fetch(10)), ["t-3", "t-4"])
    }).pipe(Effect.scoped))

  it.live("trimming drops what is old and done, and never what is pending or was not delivered", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      const one = yield* open({ stream, keep: 1, group: "one", lease: "1 minute" })
      yield* one.sink.dispatch(numbered(0, 1000))
      const first = yield* one.fetch(500)
      // The 100th stays pending.
      yield* one.settle(first.filter((_, n) => n !== 100), Disposition.ack)
      yield* Effect.sleep("150 millis")
      yield* one.fetch(1)
      const [oldest] = yield* send("XRANGE", stream, "-", "+", "COUNT", "1") as Effect.Effect<Array<[string]>>
      assert.isBelow(Number(yield* send("XLEN", stream)), 1000)
      const pending = yield* send("XPENDING", stream, "one") as Effect.Effect<[number, string]>
      assert.isTrue((oldest?.[0] ?? "9") <= pending[1])
      assert.strictEqual(pending[0], 2)
      // The other 499 were not delivered yet, and all come.
      const rest = yield* one.fetch(1000)
      assert.strictEqual(rest.length, 499)
      yield* one.settle(rest, Disposition.ack)
      const another = yield* open({ stream, group: "two", keep: 1 })
      assert.isAbove((yield* another.fetch(1000)).length, 498)
      yield* Effect.sleep("150 millis")
      yield* one.fetch(1)
      // What the second group has not settled stays.
      assert.isAtLeast(Number(yield* send("XLEN", stream)), 499)
    }).pipe(Effect.scoped))
})

await Services.describe([Services.redis], "unique ids", () => {
  it.live("are taken once: while they wait, are in flight, and for as long as they are kept", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const { fetch, settle, sink, source } = yield* open({ stream, unique: "1 second" })
      yield* sink.dispatch([...numbered(0, 3), ...numbered(1, 3)])
      yield* sink.dispatch(numbered(0, 4))
      const deliveries = yield* fetch(10)
      assert.deepStrictEqual(ids(deliveries), ["t-0", "t-1", "t-2", "t-3"])
      yield* sink.dispatch(numbered(0, 4))
      yield* settle(deliveries.slice(0, 1), Disposition.requeue("50 millis"))
      yield* settle(deliveries.slice(1), Disposition.ack)
      yield* sink.dispatch(numbered(0, 4))
      assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 1 })
      const again = yield* fetch(10, "2 seconds")
      assert.deepStrictEqual(ids(again), ["t-0"])
      yield* settle(again, Disposition.ack)
      yield* Effect.sleep("1100 millis")
      yield* sink.dispatch(numbered(0, 1))
      assert.deepStrictEqual(ids(yield* fetch(10)), ["t-0"])
    }).pipe(Effect.scoped))

  it.live("unless they are asked for, an id may come several times", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const { fetch, sink } = yield* open({ stream })
      yield* sink.dispatch([...numbered(0, 1), ...numbered(0, 1)])
      assert.deepStrictEqual(ids(yield* fetch(10)), ["t-0", "t-0"])
    }).pipe(Effect.scoped))
})

class OutOfStock extends Data.TaggedError("OutOfStock") {}

await Services.describe([Services.redis], "a task on a stream", () => {
  it.live("requeues with a delay, dead-letters, and redrives", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const layer = Redis.queue(Items, { stream, poll: "100 millis" }).pipe(Layer.provide(RedisClient.layer({ port })))
      let stock = false
      const seen: Array<string> = []
      const task = Task.consumer("ship", Items, ({ id }) => {
        seen.push(id)
        return stock ? Effect.void : Effect.fail(new OutOfStock())
      }).pipe(
        Task.decide({ OutOfStock: () => seen.length < 3 ? Decision.requeue("50 millis") : Decision.deadLetter }),
        Task.policy({ loop: { streaming: true, limit: 3 } })
      )
      yield* Effect.gen(function*() {
        yield* Connector.send(Items, Transaction.make("order-1", { n: 1 }))
        const first = yield* Task.run(task)
        assert.deepStrictEqual([first.requeued, first.failed, first.deadLettered], [2, 1, 1])
        const letters = yield* Stream.runCollect(Redrive.letters(task))
        assert.deepStrictEqual(letters.map(({ letter }) => [letter.id, letter.error.tag, letter.deliveries]), [
          ["order-1", "OutOfStock", 2]
        ])
        stock = true
        const { redriven } = yield* Redrive.redrive(task, { tags: ["OutOfStock"] })
        assert.strictEqual(redriven, 1)
        const second = yield* Task.run(task.pipe(Task.policy({ loop: { streaming: false } })))
        assert.strictEqual(second.succeeded, 1)
        assert.deepStrictEqual(yield* Connector.count(Items), empty)
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(seen, ["order-1", "order-1", "order-1", "order-1"])
    }).pipe(Effect.scoped))

  it.live("sends dead letters to a stream of their own, and takes them back from there", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      class Dead extends Connector.DeadLetters<Dead>()("dead") {}
      const client = RedisClient.layer({ port })
      const layer = Layer.mergeAll(
        Redis.queue(Items, { stream }),
        Redis.deadLetters(Dead, { stream: `${stream}:letters` })
      ).pipe(Layer.provide(client))
      let stock = false
      const task = Task.consumer("ship", Items, () => stock ? Effect.void : Effect.fail(new OutOfStock())).pipe(
        Task.deadLetter(Dead)
      )
      yield* Effect.gen(function*() {
        for (let n = 0; n < 5; n++) yield* Connector.send(Items, Transaction.make(`order-${n}`, { n }))
        const first = yield* Task.run(task)
        assert.strictEqual(first.failed, 5)
        stock = true
        assert.strictEqual((yield* Redrive.redrive(task)).redriven, 5)
        assert.strictEqual((yield* Task.run(task)).succeeded, 5)
        assert.strictEqual((yield* Redrive.redrive(task)).redriven, 0)
      }).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped))

  it.live("passes the trace on through the stream", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const send = yield* admin
      const layer = Redis.queue(Items, { stream }).pipe(Layer.provide(RedisClient.layer({ port })))
      const traceparent = yield* Effect.gen(function*() {
        yield* Connector.send(Items, Transaction.make("a", 1, { baggage: "tenant=7" }))
        const span = yield* Effect.currentSpan
        return `00-${span.traceId}-${span.spanId}-01`
      }).pipe(Effect.withSpan("around"), Effect.provide(layer))
      const [[, fields] = ["", []]] = yield* send("XRANGE", stream, "-", "+") as Effect.Effect<
        Array<[string, Array<string>]>
      >
      assert.strictEqual(fields[fields.indexOf("baggage") + 1], "tenant=7")
      assert.strictEqual(fields[fields.indexOf("traceparent") + 1], traceparent)
      const { fetch } = yield* open({ stream })
      const [delivery] = yield* fetch(1)
      assert.deepStrictEqual({ ...delivery?.transaction.metadata }, { baggage: "tenant=7", traceparent })
    }).pipe(Effect.scoped))
})

await Services.describe([Services.redis], "two consumers of one stream", () => {
  it.live("share the work: each transaction once", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const consumers = [yield* open({ stream }), yield* open({ stream })]
      yield* consumers[0]!.sink.dispatch(numbered(0, 2000))
      const seen: Array<string> = []
      yield* Effect.forEach(consumers, ({ fetch, settle }) =>
        Effect.gen(function*() {
          for (;;) {
            const deliveries = yield* fetch(37)
            if (deliveries.length === 0) return
            seen.push(...ids(deliveries))
            yield* settle(deliveries, Disposition.ack)
          }
        }), { concurrency: 2, discard: true })
      assert.strictEqual(seen.length, 2000)
      assert.strictEqual(new Set(seen).size, 2000)
    }).pipe(Effect.scoped))

  it.live("who was too slow is told by the server, and changes nothing", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      // Its own clock says that it still holds what the other one has claimed.
      const slow = yield* open({ stream, lease: "1 minute" })
      const quick = yield* open({ stream, lease: "1 second" })
      const dispositions = [
        Disposition.ack,
        Disposition.requeue(),
        Disposition.requeue("1 second"),
        Disposition.deadLetter("no stock"),
        Disposition.release
      ]
      yield* slow.sink.dispatch(numbered(0, 7))
      const before = yield* slow.fetch(7)
      yield* Effect.sleep("1100 millis")
      yield* slow.source.extend!(before.slice(6))
      const claimed = yield* quick.fetch(10)
      assert.deepStrictEqual(ids(claimed), ids(before).slice(0, 6))
      assert.isTrue(claimed.every(({ deliveries }) => deliveries === 1))
      assert.isTrue(before.every((delivery) => slow.source.isHeld!(delivery)))
      for (const [place, disposition] of dispositions.entries()) {
        // Together with one that is held: only the other is named.
        const both = [before[6]!, before[place]!]
        const settlements = both.map((delivery) => Disposition.settlement(delivery, disposition))
        const error = yield* Effect.flip(slow.source.settle(place === 0 ? settlements : settlements.slice(1)))
        assert.deepStrictEqual(
          error.failed?.map(({ index, reason }) => [index, reason._tag]),
          [[place === 0 ? 1 : 0, "LeaseLost"]]
        )
      }
      assert.deepStrictEqual(yield* slow.source.extend!([before[5]!]), [0])
      assert.deepStrictEqual(yield* slow.source.count!, { ready: 0, inFlight: 6, delayed: 0 })
      yield* quick.settle(claimed, Disposition.ack)
      assert.deepStrictEqual(yield* slow.source.count!, empty)
    }).pipe(Effect.scoped))

  it.live("one that asks for one finds what a dead one has left among thousands", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const busy = yield* open({ stream, lease: "10 minutes" })
      const other = yield* open({ stream, lease: "2 seconds" })
      yield* busy.sink.dispatch(numbered(0, 3000))
      const deliveries = yield* busy.fetch(3000)
      assert.strictEqual(deliveries.length, 3000)
      yield* Effect.sleep("2100 millis")
      // It is alive, but for the last one.
      yield* busy.source.extend!(deliveries.slice(0, -1))
      assert.deepStrictEqual(ids(yield* other.fetch(1)), ["t-2999"])
      assert.deepStrictEqual(yield* other.fetch(1), [])
    }).pipe(Effect.scoped))

  it.live("a settlement whose answer was lost is asked for again, and was done once", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const proxy = yield* Proxy.make(port)
      const { fetch, settle, sink, source } = yield* open({ stream }, proxy.port)
      for (const disposition of [Disposition.ack, Disposition.requeue("1 hour"), Disposition.deadLetter("no stock")]) {
        yield* sink.dispatch(numbered(0, 2))
        const deliveries = yield* fetch(2)
        assert.strictEqual(deliveries.length, 2)
        // The server does it, and its answer is cut.
        yield* proxy.cutAfter(1, "toClient")
        const error = yield* Effect.flip(settle(deliveries, disposition))
        assert.strictEqual(error.reason._tag, "ConnectionLost")
        yield* settle(deliveries, disposition)
        assert.strictEqual((yield* source.count!).inFlight, 0)
      }
      assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 2 })
      assert.strictEqual((yield* source.letters!.list({ after: undefined, max: 10 })).letters.length, 2)
    }).pipe(Effect.scoped))

  it.live("an answer that was lost loses no delivery: it comes with the next fetch, its count as it was", () =>
    Effect.gen(function*() {
      const stream = yield* fresh
      const proxy = yield* Proxy.make(port)
      const { fetch, settle, sink, source } = yield* open({ stream, lease: "10 minutes" }, proxy.port)
      yield* fetch(1)
      yield* sink.dispatch(numbered(0, 20))
      yield* proxy.cutAfter(300, "toClient")
      const error = yield* Effect.flip(source.fetch({ max: 20, wait: Duration.zero }))
      assert.isTrue(error._tag === "FetchError" && error.reason._tag === "ConnectionLost")
      assert.strictEqual((yield* source.count!).inFlight, 20)
      const first = yield* fetch(15)
      const rest = yield* fetch(15)
      assert.deepStrictEqual([...ids(first), ...ids(rest)].toSorted(), numbered(0, 20).map(({ id }) => id).toSorted())
      assert.isTrue([...first, ...rest].every(({ deliveries }) => deliveries === 0))
      yield* settle([...first, ...rest], Disposition.ack)
      assert.deepStrictEqual(yield* source.count!, empty)
    }).pipe(Effect.scoped))
})
