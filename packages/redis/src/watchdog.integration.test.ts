import { Connector, Task } from "@ergon/core"
import { Proxy, Redis as Server, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { Redis, RedisClient } from "./index.ts"
import { Books, dispatchAll, order, Orders } from "./test/flow.ts"

const client = (port: number, options: RedisClient.Options = {}) =>
  Layer.fresh(RedisClient.layer({ port, connectTimeout: "1 second", commandTimeout: "500 millis", ...options }))

const queue = (port: number) =>
  Redis.queue(Orders, { lease: "2 seconds", poll: "500 millis" }).pipe(Layer.provide(client(port)))

/** A consumer that runs, and a producer that goes another way. */
const running = (port: number, way = port) =>
  Effect.gen(function*() {
    const books = new Books()
    const task = Task.consumer("ship", Orders, ({ id }) => Effect.sync(() => books.came(id))).pipe(
      Task.policy({ loop: { streaming: true, concurrency: 4 }, fetch: { empty: { cap: "200 millis" } } })
    )
    const run = yield* Effect.acquireRelease(
      Effect.forkChild(Effect.provide(Task.run(task), queue(way))),
      (run) => Fiber.interrupt(run)
    )
    const context = yield* Layer.build(queue(port))
    const { sink } = Context.get(context, Orders)
    let sent = 0
    const admin = Context.get(yield* Layer.build(client(port)), RedisClient.RedisClient)
    const send = (count: number) =>
      Effect.suspend(() => {
        const transactions = Array.from({ length: count }, (_, n) => order(sent + n))
        sent += count
        return Effect.tap(dispatchAll(sink, transactions), () =>
          Effect.sync(() => {
            for (const { id } of transactions) books.ledger.in(id)
          }))
      })
    /** It really consumes again: what is sent now comes out. */
    const consumes = Effect.flatMap(send(10), () => books.atLeast(sent)).pipe(
      Effect.timeout("20 seconds")
    )
    return { books, run, send, consumes, admin: admin.send, context }
  })

/** Once a connection waits in a blocking read. */
const blocked = (admin: RedisClient.RedisClient["Service"]["send"]) =>
  Effect.retry(
    Effect.flatMap(admin("CLIENT", "LIST"), (list) =>
      /cmd=xreadgroup.*/.test(String(list)) && /flags=b/.test(String(list))
        ? Effect.succeed(String(list))
        : Effect.fail("nobody waits")),
    { schedule: Schedule.spaced("20 millis"), times: 500 }
  )

await Services.describe([Server.needs], "a consumer whose subscription is silently gone", () => {
  it.live("notices that its group was destroyed", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const { admin, books, consumes } = yield* running(server.port)
      yield* consumes
      yield* blocked(admin)
      assert.strictEqual(yield* admin("XGROUP", "DESTROY", "orders", "ergon"), 1)
      yield* consumes
      assert.strictEqual(yield* admin("XGROUP", "DESTROY", "{orders}:ergon:again", "ergon"), 1)
      yield* consumes
      assert.deepStrictEqual(books.ledger.balance().lost, [])
    }).pipe(Effect.scoped), 60_000)

  it.live("notices that everything was flushed", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const { admin, consumes } = yield* running(server.port)
      yield* consumes
      yield* blocked(admin)
      yield* admin("FLUSHALL")
      yield* consumes
      yield* blocked(admin)
      yield* admin("DEL", "orders")
      yield* consumes
    }).pipe(Effect.scoped), 60_000)

  it.live("notices that its waiting connection was killed, and its other one", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const { admin, consumes } = yield* running(server.port)
      yield* consumes
      for (let round = 0; round < 3; round++) {
        const list = yield* blocked(admin)
        for (const line of list.split("\n")) {
          const [, id] = /^id=([0-9]+) .*flags=b/.exec(line) ?? []
          if (id !== undefined) yield* admin("CLIENT", "KILL", "ID", id)
        }
        yield* consumes
      }
      yield* admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      yield* consumes
    }).pipe(Effect.scoped), 60_000)

  it.live("notices that its blocking read does not come back", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const proxy = yield* Proxy.make(server.port)
      const { admin, consumes, run } = yield* running(server.port, proxy.port)
      yield* consumes
      yield* blocked(admin)
      // Nothing is closed: the connection is just silent.
      const before = yield* proxy.accepted
      yield* proxy.stall
      yield* Effect.retry(
        Effect.flatMap(
          proxy.accepted,
          (count) => count > before ? Effect.void : Effect.fail("no other connection yet")
        ),
        { schedule: Schedule.spaced("50 millis"), times: 200 }
      )
      yield* proxy.flow
      yield* consumes
      assert.isUndefined(run.pollUnsafe())
    }).pipe(Effect.scoped), 60_000)

  it.live("says so while it lasts, and closes in time", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const context = yield* Layer.build(queue(server.port))
      const { sink, source } = Context.get(context, Orders)
      yield* dispatchAll(sink, [order(1)])
      yield* source.health ?? Effect.die("it has a health")
      yield* server.freeze
      const sick = yield* Effect.flip(source.health ?? Effect.die("it has a health"))
      assert.include(["Timeout", "ConnectionLost"], sick.reason._tag)
      assert.isTrue((yield* Effect.flip(sink.health ?? Effect.die("it has a health"))).reason.isRetryable)
      // A closing of its own, with a delivery in flight and a server that is frozen.
      yield* server.thaw
      const started = yield* Effect.scoped(Effect.gen(function*() {
        const own = Context.get(yield* Layer.build(queue(server.port)), Orders)
        const [delivery] = yield* own.source.fetch({ max: 1, wait: Duration.seconds(1) })
        assert.isDefined(delivery)
        yield* Effect.forkChild(own.source.fetch({ max: 1, wait: Duration.seconds(60) }))
        yield* Effect.sleep("100 millis")
        yield* server.freeze
        return Date.now()
      }))
      assert.isBelow(Date.now() - started, 5000)
      yield* server.thaw
      const healthy = source.health ?? Effect.die("it has a health")
      yield* Effect.retry(healthy, { schedule: Schedule.spaced("50 millis"), times: 100 })
    }).pipe(Effect.scoped), 60_000)

  it.live(
    "sends nothing later on that was given up, and queues nothing for a server that is away",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.server()
        const context = yield* Layer.build(queue(server.port))
        const admin = Context.get(yield* Layer.build(client(server.port)), RedisClient.RedisClient).send
        const send = (n: number) => Effect.provide(Connector.send(Orders, order(n)), context)
        yield* send(0)
        yield* server.kill
        const before = Date.now()
        const refused = yield* Effect.forEach(Array.from({ length: 200 }, (_, n) => n), (n) => Effect.flip(send(n)))
        assert.isTrue(
          refused.every((error) => error._tag === "DispatchError" && error.reason._tag === "ConnectionLost")
        )
        assert.isBelow(Date.now() - before, 10_000)
        yield* server.start
        yield* server.freeze
        const tooLate = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          (n) => Effect.exit(Effect.timeout(send(n), "100 millis")),
          { concurrency: "unbounded" }
        )
        assert.isTrue(tooLate.every((exit) => exit._tag === "Failure"))
        yield* server.thaw
        yield* send(1)
        // They were given up before there was a connection to send them on.
        assert.strictEqual(yield* admin("XLEN", "orders"), 2)
      }).pipe(Effect.scoped),
    60_000
  )
})
