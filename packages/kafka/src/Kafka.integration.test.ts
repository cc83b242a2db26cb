import { Connector, Task, Transaction } from "@ergon/core"
import { Kafka as Lab, Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Schedule, Schema, Scope, Stream } from "effect"
import { Cluster, Kafka } from "./index.ts"
import { isConsumer, type RawConsumer } from "./test/books.ts"
import { cluster, options } from "./test/mock.ts"

const Order = Schema.Struct({ n: Schema.Int })
class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Out extends Connector.Sink<Out>()("orders", Order) {}
class Dead extends Connector.DeadLetters<Dead>()("orders.dead") {}
class Graves extends Connector.Source<Graves>()("orders.dead", Schema.Unknown) {}

// The mock lets the first member in after 3 s, and counts them as silence.
const quick = { group: "orders", session: "4 seconds", heartbeat: "400 millis", watch: "500 millis" } as const

/** Each has a broker of its own, and mostly waits. */
const together = { timeout: 60_000, concurrent: true }

const until = (test: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => test() ? Effect.void : Effect.andThen(Effect.sleep(20), until(test)))

const send = (from: number, to: number, metadata?: Transaction.Metadata) =>
  Effect.flatMap(Out, ({ sink }) =>
    sink.dispatch(
      Array.from({ length: to - from }, (_, index) =>
        Transaction.make(`order-${from + index}`, { n: from + index }, metadata))
    ).pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 })))

/** Consumes with the clients that the source has made, in their order. */
const setUp = Effect.gen(function*() {
  const mock = yield* Lab.mock
  const proxy = yield* Proxy.make(mock.port)
  const clients: Array<RawConsumer> = []
  const seen: Array<string> = []
  const reached = options(mock.port, proxy.port)
  const on = Cluster.layer({
    ...reached,
    prepare: async (client) => {
      await reached.prepare?.(client)
      if (isConsumer(client)) clients.push(client)
    }
  })
  const sink = yield* Layer.build(Kafka.sink(Out).pipe(Layer.provide(on)))
  const source = yield* Layer.build(Kafka.source(Orders, quick).pipe(Layer.provide(on)))
  const task = Task.consumer("orders", Orders, ({ id }) => Effect.sync(() => void seen.push(id))).pipe(
    Task.discardFailures,
    Task.policy({ loop: { streaming: true, concurrency: 8 } })
  )
  yield* Effect.forkScoped(Effect.provide(Task.run(task), source))
  return { mock, proxy, clients, seen, send: (from: number, to: number) => Effect.provide(send(from, to), sink) }
})

const member = (clients: ReadonlyArray<RawConsumer>) =>
  clients.findLast((client) => client.listenerCount("consumer:group:join") > 0)!

await Services.describe([Lab.needs], "the watchdog", () => {
  it.live("notices a group that has forgotten its member, without a word", () =>
    Effect.gen(function*() {
      const { clients, seen, send } = yield* setUp
      yield* send(0, 10)
      yield* until(() => seen.length === 10)
      const before = clients.length
      // The client stops its heartbeats and tells nobody.
      yield* Effect.promise(async () => member(clients).leaveGroup(true))
      yield* until(() => clients.length >= before + 3)
      yield* send(10, 20)
      yield* until(() => new Set(seen).size === 20)
      assert.isNotNull(member(clients).memberId)
    }).pipe(Effect.scoped), together)

  it.live("notices heartbeats that are not answered", () =>
    Effect.gen(function*() {
      const { clients, proxy, seen, send } = yield* setUp
      yield* send(0, 10)
      yield* until(() => seen.length === 10)
      const before = clients.length
      // Connections stay open; nothing comes through.
      yield* proxy.stall
      yield* Effect.sleep("5500 millis")
      yield* proxy.flow
      yield* send(10, 20)
      yield* until(() => new Set(seen).size === 20)
      assert.isAbove(clients.length, before)
    }).pipe(Effect.scoped), together)

  it.live("notices fetches that are answered with nothing although there is something", () =>
    Effect.gen(function*() {
      const { clients, seen, send } = yield* setUp
      yield* send(0, 10)
      yield* until(() => seen.length === 10)
      const before = clients.length
      let asked = 0
      for (const client of clients) {
        Reflect.set(client, "fetch", async () => {
          asked++
          await new Promise((resolve) => setTimeout(resolve, 50))
          return { throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses: [] }
        })
      }
      yield* until(() => asked > 0)
      yield* send(10, 20)
      yield* until(() => new Set(seen).size === 20)
      assert.isAbove(clients.length, before)
    }).pipe(Effect.scoped), together)

  it.live("notices fetches that are never answered", () =>
    Effect.gen(function*() {
      const { clients, seen, send } = yield* setUp
      yield* send(0, 10)
      yield* until(() => seen.length === 10)
      const before = clients.length
      let asked = 0
      for (const client of clients) {
        Reflect.set(client, "fetch", () => {
          asked++
          return new Promise(() => {})
        })
      }
      yield* until(() => asked > 0)
      yield* send(10, 20)
      yield* until(() => new Set(seen).size === 20)
      assert.isAbove(clients.length, before)
    }).pipe(Effect.scoped), together)
})

await Services.describe([Lab.needs], "Kafka", () => {
  it.live("keeps the order of each key, while other keys go on", () =>
    Effect.gen(function*() {
      const { port } = yield* Lab.mock
      const layers = Layer.merge(
        Kafka.source(Orders, { ...quick, order: "key" }),
        Kafka.sink(Out, { key: ({ id }) => `key-${Number(id.slice(6)) % 7}` })
      ).pipe(Layer.provide(cluster(port)))
      const order = new Map<string, Array<number>>()
      let running = 0
      let most = 0
      const task = Task.consumer("orders", Orders, ({ metadata, payload }) =>
        Effect.gen(function*() {
          most = Math.max(most, ++running)
          yield* Effect.sleep(payload.n % 3)
          const key = String(metadata["key"])
          order.set(key, [...order.get(key) ?? [], payload.n])
          running--
        })).pipe(
          Task.discardFailures,
          Task.policy({ loop: { concurrency: 16, ordering: "byKey" }, fetch: { batch: { size: 50 } } })
        )
      const summary = yield* Effect.provide(Effect.andThen(send(0, 700), Task.run(task)), layers)
      assert.strictEqual(summary.succeeded, 700)
      assert.strictEqual(order.size, 7)
      for (const numbers of order.values()) assert.deepStrictEqual(numbers, numbers.toSorted((a, b) => a - b))
      assert.isAbove(most, 1)
      assert.isAtMost(most, 7)
    }).pipe(Effect.scoped), together)

  it.live(
    "sends what is given up through its retry topics, and then to the dead letters",
    () =>
      Effect.gen(function*() {
        const { port } = yield* Lab.mock
        const tries: Array<
          { readonly id: string; readonly retries: unknown; readonly at: number; readonly trace: unknown }
        > = []
        const task = Task.consumer("orders", Orders, ({ id, metadata }) =>
          Effect.andThen(
            Effect.sync(() => {
              tries.push({ id, retries: metadata["retries"], at: Date.now(), trace: metadata["baggage"] })
            }),
            Effect.fail("out of stock" as const)
          )).pipe(Task.deadLetter(Dead), Task.policy({ loop: { streaming: true } }))
        const layers = Layer.mergeAll(
          Kafka.source(Orders, { ...quick, topics: ["orders", "orders.retry-1", "orders.retry-2"] }),
          Kafka.sink(Out, { key: () => "ada" }),
          Kafka.deadLetters(Dead, {
            retry: [{ topic: "orders.retry-1", delay: "1500 millis" }, { topic: "orders.retry-2", delay: "500 millis" }]
          }),
          Kafka.source(Graves, { ...quick, group: "graves" })
        ).pipe(Layer.provide(cluster(port)))
        const letters = yield* Effect.gen(function*() {
          yield* Effect.forkScoped(Task.run(task))
          yield* send(0, 1, { baggage: "tenant=7", weight: 2 })
          const { source } = yield* Graves
          return yield* Effect.repeat(source.fetch({ max: 5, wait: Duration.seconds(1) }), {
            until: (deliveries) => deliveries.length > 0
          })
        }).pipe(Effect.scoped, Effect.provide(layers))
        assert.deepStrictEqual(tries.map(({ id, retries, trace }) => ({ id, retries, trace })), [
          { id: "order-0", retries: undefined, trace: "tenant=7" },
          { id: "order-0", retries: 1, trace: "tenant=7" },
          { id: "order-0", retries: 2, trace: "tenant=7" }
        ])
        assert.isAtLeast(tries[1]!.at - tries[0]!.at, 1500)
        assert.isAtLeast(tries[2]!.at - tries[1]!.at, 500)
        assert.strictEqual(letters.length, 1)
        const [{ transaction }] = letters as [typeof letters[number]]
        assert.strictEqual(transaction.id, "order-0")
        assert.strictEqual(transaction.metadata["key"], "ada")
        assert.deepInclude(transaction.payload, {
          id: "order-0",
          payload: { n: 0 },
          step: "process",
          category: "business"
        })
      }).pipe(Effect.scoped),
    40_000
  )

  it.live("holds no more than its high-water mark and one answer while nobody takes", () =>
    Effect.gen(function*() {
      const { port } = yield* Lab.mock
      const layers = Layer.merge(
        Kafka.source(Orders, { ...quick, highWaterMark: 100, maxBytes: 50_000 }),
        Kafka.sink(Out)
      ).pipe(Layer.provide(cluster(port)))
      const context = yield* Layer.build(layers)
      const big = "x".repeat(10_000)
      yield* Effect.provide(
        Effect.forEach([0, 1, 2, 3], (part) => send(part * 500, (part + 1) * 500, { big }), { discard: true }),
        context
      )
      const { source } = Context.get(context, Orders)
      const [first] = yield* source.fetch({ max: 1, wait: Duration.seconds(20) })
      assert.isDefined(first)
      const before = process.memoryUsage().rss
      yield* Effect.sleep("2 seconds")
      const grown = (process.memoryUsage().rss - before) / 1_048_576
      const count = yield* source.count ?? Effect.die("no count")
      process.stdout.write(`2,000 messages of 10 kB waiting: ${Math.round(grown)} MiB more memory\n`)
      assert.deepStrictEqual(count, { ready: 1999, inFlight: 1, delayed: 0 })
      assert.isAtMost(grown, 12)
    }).pipe(Effect.scoped), 40_000)

  it.live("finishes what is in flight before it joins again", () =>
    Effect.gen(function*() {
      const { port } = yield* Lab.mock
      const clients: Array<RawConsumer> = []
      const reached = options(port)
      const on = (watched: boolean) =>
        Cluster.layer({
          ...reached,
          prepare: async (client) => {
            await reached.prepare?.(client)
            if (watched && isConsumer(client)) clients.push(client)
          }
        })
      let running = 0
      const task = (work: Effect.Effect<void>) =>
        Task.consumer("orders", Orders, () =>
          Effect.suspend(() => {
            running++
            return Effect.ensuring(work, Effect.sync(() => void running--))
          })).pipe(
            Task.discardFailures,
            Task.policy({ loop: { streaming: true, concurrency: 8 }, fetch: { prefetch: 0 } })
          )
      const source = Kafka.source(Orders, { ...quick, drain: "2 seconds" })
      const sink = yield* Layer.build(Kafka.sink(Out).pipe(Layer.provide(on(false))))
      yield* Effect.provide(send(0, 400), sink)
      const slow = task(Effect.sleep("700 millis"))
      yield* Effect.forkScoped(Effect.provide(Task.run(slow), source.pipe(Layer.provide(on(true)))))
      yield* until(() => running === 8)
      const atJoin: Array<number> = []
      // Before the source hears of it, and starts the next ones.
      member(clients).prependListener("consumer:group:join", () => atJoin.push(running))
      yield* Effect.forkScoped(
        Effect.provide(Task.run(task(Effect.void)), Layer.fresh(source.pipe(Layer.provide(on(false)))))
      )
      yield* until(() => atJoin.length > 0)
      assert.strictEqual(atJoin[0], 0)
    }).pipe(Effect.scoped), together)

  it.live(
    "gives up what does not end in time: its late settlement is too late, and another member has it",
    () =>
      Effect.gen(function*() {
        const { port } = yield* Lab.mock
        const ends: Array<string> = []
        const seen: Array<string> = []
        const source = Kafka.source(Orders, { ...quick, drain: "200 millis" })
        const layers = () => Layer.fresh(source.pipe(Layer.provide(cluster(port))))
        const consume = (member: string, work: Effect.Effect<void>) =>
          Task.consumer("orders", Orders, ({ id }) =>
            Effect.andThen(
              Effect.sync(() => void seen.push(`${member} ${id}`)),
              work
            )).pipe(
              Task.discardFailures,
              Task.policy({ loop: { streaming: true, concurrency: 8 } }),
              Task.outcomes,
              Stream.runForEach(({ _tag }) => Effect.sync(() => void ends.push(`${member} ${_tag}`))),
              Effect.provide(layers()),
              Effect.forkScoped
            )
        const sink = yield* Layer.build(Kafka.sink(Out).pipe(Layer.provide(cluster(port))))
        yield* Effect.provide(send(0, 4), sink)
        yield* consume("first", Effect.sleep("9 seconds"))
        yield* until(() => seen.length === 4)
        yield* consume("second", Effect.void)
        yield* until(() => ends.length === 6)
        assert.deepStrictEqual(ends.toSorted(), [
          "first redelivered",
          "first redelivered",
          "first succeeded",
          "first succeeded",
          "second succeeded",
          "second succeeded"
        ])
      }).pipe(Effect.scoped),
    40_000
  )

  it.live("begins a second run over one source with what the first one gave back", () =>
    Effect.gen(function*() {
      const { port } = yield* Lab.mock
      const context = yield* Layer.build(
        Layer.merge(Kafka.source(Orders, quick), Kafka.sink(Out, { key: () => "one" })).pipe(
          Layer.provide(cluster(port))
        )
      )
      const seen: Array<string> = []
      const run = (stuck: string, streaming: boolean) =>
        Task.run(
          Task.consumer(
            "orders",
            Orders,
            ({ id }) => id === stuck ? Effect.never : Effect.sync(() => void seen.push(id))
          ).pipe(
            Task.discardFailures,
            Task.policy({ loop: { streaming, concurrency: 4 }, shutdown: { grace: 0 } })
          )
        ).pipe(Effect.provide(context))
      yield* Effect.provide(send(0, 4), context)
      const first = yield* Effect.forkChild(run("order-1", true))
      yield* until(() => seen.length === 3)
      yield* Fiber.interrupt(first)
      yield* Effect.provide(send(4, 5), context)
      yield* run("", false)
      assert.deepStrictEqual(seen, ["order-0", "order-2", "order-3", "order-1", "order-4"])
      const count = yield* Effect.provide(Connector.count(Orders), context)
      assert.deepStrictEqual(count, { ready: 0, inFlight: 0, delayed: 0 })
    }).pipe(Effect.scoped), together)

  it.live("closes in time while the broker is frozen", () =>
    Effect.gen(function*() {
      const mock = yield* Lab.mock
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(
        Layer.build(
          Layer.merge(Kafka.source(Orders, quick), Kafka.sink(Out)).pipe(Layer.provide(cluster(mock.port)))
        ),
        scope
      )
      yield* Effect.provide(send(0, 4), context)
      const { source } = Context.get(context, Orders)
      yield* source.fetch({ max: 4, wait: Duration.seconds(20) })
      yield* mock.freeze
      yield* Effect.forkChild(Effect.ignore(Effect.provide(send(4, 8), context)))
      const before = Date.now()
      yield* Scope.close(scope, Exit.void)
      assert.isBelow(Date.now() - before, 5000)
    }).pipe(Effect.scoped), together)

  it.live("says what is wrong with a cluster that is not there", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Kafka.source(Orders, quick).pipe(Layer.provide(cluster(1))))
      const { source } = Context.get(context, Orders)
      // Somebody may put it right: it is tried again, and whoever fetches waits for a while.
      const error = yield* Effect.flip(source.fetch({ max: 1, wait: Duration.zero }))
      if (error._tag !== "FetchError") return yield* Effect.die("it said that it is empty")
      assert.strictEqual(error.reason._tag, "ConnectionLost")
      assert.include(error.message, "127.0.0.1:1")
    }).pipe(Effect.scoped), together)
})
