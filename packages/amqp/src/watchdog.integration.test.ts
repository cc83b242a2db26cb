/**
 * Subscriptions that are silently gone, on a RabbitMQ of the test's own: what the watchdog notices and heals.
 */
import { Transaction } from "@ergon/core"
import { Ledger, Program, RabbitMq, Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer } from "effect"
import { fileURLToPath } from "node:url"
import { connector, Items } from "./test/flow.ts"
import { frames, methods } from "./test/frames.ts"
import { queueName, withChannel } from "./test/places.ts"
import { server } from "./test/server.ts"

const timeout = 120_000
const item = (n: number) => Transaction.make(`item-${n}`, { n, note: "" })

const quorum = { "x-queue-type": "quorum" as const, "x-delivery-limit": 100_000 }

await Services.describe([RabbitMq.needs], "a subscription", () => {
  const broker = server()

  /** A queue that is there, a source and a sink on it, through a proxy, and a second sink past the proxy. */
  const place = Effect.gen(function*() {
    const { port } = broker.get
    const proxy = yield* frames(port)
    const queue = yield* queueName(port)
    const make = withChannel(
      port,
      (channel) => channel.queueDeclare({ queue, durable: true, arguments: { ...quorum } })
    )
    yield* make
    const given = { declare: false, deadLetter: undefined, prefetch: 4 }
    const through = yield* Layer.build(connector(queue, { port: proxy.port, queue: given }))
    const past = yield* Layer.build(connector(queue, { port, queue: given }))
    const { source } = Context.get(through, Items)
    const { sink } = Context.get(past, Items)
    const fetched = (max: number) => source.fetch({ max, wait: Duration.seconds(60) })
    return { port, proxy, queue, make, source, sink, fetched }
  })

  it.live("whose queue was deleted and made again, and nobody said so", () =>
    Effect.scoped(Effect.gen(function*() {
      const { fetched, make, port, proxy, queue, sink, source } = yield* place
      yield* sink.dispatch([item(1)])
      assert.deepStrictEqual((yield* fetched(1)).map(({ transaction: { id } }) => id), ["item-1"])
      yield* proxy.swallow(methods.cancel)
      yield* withChannel(port, (channel) => channel.queueDelete({ queue }))
      yield* make
      yield* sink.dispatch([item(2)])
      const before = Date.now()
      const [delivery] = yield* fetched(1)
      process.stdout.write(`healed after ${Date.now() - before} ms\n`)
      assert.strictEqual(delivery?.transaction.id, "item-2")
      assert.isAtLeast(yield* proxy.swallowed, 1)
      assert.isTrue(source.isHeld?.(delivery!))
      yield* source.health ?? Effect.void
    })), timeout)

  it.live("over which nothing arrives although messages wait", () =>
    Effect.scoped(Effect.gen(function*() {
      const { fetched, proxy, sink, source } = yield* place
      yield* sink.dispatch([item(1)])
      yield* fetched(1)
      yield* proxy.swallow(methods.deliver)
      // More than the prefetch: some stay in the queue.
      yield* sink.dispatch(Array.from({ length: 8 }, (_, n) => item(n + 2)))
      while ((yield* proxy.swallowed) < 3) yield* Effect.sleep("50 millis")
      yield* proxy.pass
      const before = Date.now()
      const deliveries = yield* fetched(10)
      process.stdout.write(`healed after ${Date.now() - before} ms\n`)
      assert.isNotEmpty(deliveries)
      yield* source.health ?? Effect.void
    })), timeout)

  it.live(
    "that the broker cancels: it goes on when the queue is there again",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const { fetched, make, port, queue, sink, source } = yield* place
        yield* sink.dispatch([item(1)])
        yield* fetched(1)
        yield* withChannel(port, (channel) => channel.queueDelete({ queue }))
        yield* Effect.sleep("500 millis")
        yield* make
        yield* sink.dispatch([item(2)])
        const before = Date.now()
        const [delivery] = yield* fetched(1)
        assert.strictEqual(delivery?.transaction.id, "item-2")
        assert.isBelow(Date.now() - before, 8000)
        yield* source.health ?? Effect.void
      })),
    timeout
  )

  describe("of a process", () => {
    it.live("that is killed: another one gets what it held", () =>
      Effect.scoped(Effect.gen(function*() {
        const { port } = broker.get
        const queue = yield* queueName(port)
        const context = yield* Layer.build(connector(queue, { port }))
        const { sink, source } = Context.get(context, Items)
        const ledger = Ledger.make()
        const count = 20_000
        const worker = Program.script(fileURLToPath(new URL("./test/worker.ts", import.meta.url)), [`${port}`, queue])
        const started = yield* worker
        const sending = yield* Effect.forkScoped(Effect.gen(function*() {
          for (let from = 0; from < count; from += 500) {
            yield* sink.dispatch(Array.from({ length: 500 }, (_, n) => item(from + n)))
            for (let n = 0; n < 500; n++) ledger.in(`item-${from + n}`)
          }
        }))
        yield* started.says(() => started.lines.length > 2000)
        yield* started.kill
        const second = yield* worker
        yield* second.says(() => second.lines.length > 4000)
        yield* second.kill
        const third = yield* worker
        yield* Fiber.join(sending)
        const seen = new Set([...started.lines, ...second.lines])
        yield* third.says((line) => seen.add(line).size >= count)
        for (const { lines } of [started, second, third]) for (const line of lines) ledger.out(line)
        const { duplicates, lost, strange, text } = ledger.balance()
        process.stdout.write(`two consumers killed: ${text}\n`)
        assert.deepStrictEqual([lost, strange], [[], []])
        assert.isBelow(duplicates, 1000)
        yield* third.kill
        const left = yield* source.count ?? Effect.die("no count")
        assert.strictEqual(left.ready, 0)
      })), timeout)
  })
})
