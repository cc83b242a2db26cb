import { Connector, Task, Transaction } from "@ergon/core"
import { Program, Proxy, Redis as Server, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted, Schedule, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { Redis, RedisClient } from "./index.ts"
import { Books, dispatchAll, flow, order, Orders } from "./test/flow.ts"

class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Unknown) {}

const queue = (port: number, options: RedisClient.Options = {}, more: Redis.QueueOptions = {}) =>
  Redis.queue(Orders, { lease: "3 seconds", poll: "200 millis", ...more }).pipe(
    Layer.provide(Layer.fresh(RedisClient.layer({ port, commandTimeout: "1 second", ...options })))
  )

const told = (what: string, { balance, failures, growth }: Effect.Success<ReturnType<typeof flow>>) => {
  process.stdout.write(
    `${what}: ${balance.text}; ${failures} dispatches failed and were made again; ` +
      `memory grew by ${Math.round(growth / 1e6)} MB\n`
  )
  assert.deepStrictEqual(balance.lost, [])
  assert.deepStrictEqual(balance.strange, [])
  // The first one pays for what is loaded.
  assert.isBelow(growth, 300e6)
}

await Services.describe([Server.needs], "a Redis under fault", () => {
  it.live("restarted, killed and frozen, it loses none of 20,000", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const result = yield* flow({
        count: 20_000,
        producer: queue(server.port),
        consumers: [queue(server.port)],
        events: [
          [4000, Effect.andThen(server.stop, server.start)],
          [8000, Effect.andThen(server.kill, server.start)],
          [12_000, Effect.andThen(server.freeze, Effect.andThen(Effect.sleep("4 seconds"), server.thaw))],
          [16_000, server.kill.pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(server.start))]
        ]
      })
      told("restarted, killed, frozen, killed for 2 s", result)
    }).pipe(Effect.scoped), 90_000)

  it.live("cut in mid-message, it loses none", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const proxy = yield* Proxy.make(server.port)
      const cut = (bytes: number, direction: "toServer" | "toClient") => proxy.cutAfter(bytes, direction)
      const result = yield* flow({
        count: 6000,
        producer: queue(proxy.port),
        consumers: [queue(proxy.port)],
        events: [
          [600, cut(1234, "toClient")],
          [1200, cut(7777, "toServer")],
          [1800, cut(3, "toClient")],
          [2400, cut(1, "toServer")],
          [3000, proxy.cut],
          [3600, cut(20_001, "toClient")],
          [4200, cut(20_001, "toServer")],
          [4800, Effect.andThen(proxy.refuse, Effect.andThen(Effect.sleep("1 second"), proxy.accept))]
        ]
      })
      told("cut in mid-message", result)
    }).pipe(Effect.scoped), 60_000)

  it.live("every connection killed again and again, it loses none", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const admin = yield* adminOf(server.port)
      const kill = admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      const result = yield* flow({
        count: 5000,
        producer: queue(server.port),
        consumers: [queue(server.port), queue(server.port)],
        events: [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000].map((at) => [at, kill] as const)
      })
      told("CLIENT KILL eight times, two consumers", result)
    }).pipe(Effect.scoped), 60_000)

  it.live("with its credentials revoked for a while, it loses none", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const admin = yield* adminOf(server.port)
      const password = "a password of the shop"
      const allow = admin("ACL", "SETUSER", "shop", "reset", "on", `>${password}`, "~*", "&*", "+@all")
      yield* allow
      const asShop = { username: "shop", password: Redacted.make(password) }
      const result = yield* flow({
        count: 3000,
        producer: queue(server.port),
        consumers: [queue(server.port, asShop)],
        events: [
          [
            1000,
            admin("ACL", "DELUSER", "shop").pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(allow))
          ],
          [
            2000,
            admin("ACL", "SETUSER", "shop", "off").pipe(
              Effect.andThen(admin("CLIENT", "KILL", "USER", "shop")),
              Effect.andThen(Effect.sleep("1 second")),
              Effect.andThen(allow)
            )
          ]
        ]
      })
      told("credentials revoked twice", result)
      yield* admin("ACL", "DELUSER", "shop")
      // Who never was let in is told at once.
      const refused = yield* Effect.exit(
        Effect.provide(Task.run(ship(() => Effect.void)), queue(server.port, asShop))
      )
      assert.isTrue(Exit.isFailure(refused))
      const text = Exit.isFailure(refused) ? Cause.pretty(refused.cause) : ""
      assert.include(text, "Unauthorized")
      assert.notInclude(text, password)
    }).pipe(Effect.scoped), 60_000)

  it.live(
    "without memory, the pipeline waits, loses none, and goes on when there is room",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.server(["--maxmemory", "24mb", "--maxmemory-policy", "noeviction"])
        const admin = yield* adminOf(server.port)
        const client = RedisClient.layer({ port: server.port, commandTimeout: "2 seconds" })
        const layers = Layer.mergeAll(Redis.queue(Orders), Redis.sink(Receipts)).pipe(Layer.provide(client))
        const first = 2000
        const context = yield* Layer.build(layers)
        // The group is there: making one takes memory.
        yield* Context.get(context, Orders).source.fetch({ max: 1, wait: Duration.zero })
        yield* dispatchAll(Context.get(context, Orders).sink, Array.from({ length: first }, (_, n) => order(n)))
        // Fills what is left.
        const ballast = Effect.gen(function*() {
          for (let n = 0;; n++) yield* admin("SET", `ballast:${n}`, "x".repeat(n < 20 ? 1_000_000 : 20_000))
        })
        yield* Effect.ignore(ballast)
        let count = first
        const more = Effect.suspend(() => Context.get(context, Orders).sink.dispatch([order(count)])).pipe(
          Effect.andThen(Effect.sync(() => count++))
        )
        const refused = yield* Effect.flip(Effect.forever(more))
        assert.strictEqual(refused.reason._tag, "Throttled")
        assert.isTrue(refused.reason.isRetryable)
        // What is acknowledged makes room: for all of it to wait, there has to be less than that.
        yield* admin("CONFIG", "SET", "maxmemory", "20mb")

        const tried = yield* Deferred.make<void>()
        const task = Task.consumer(
          "price",
          Orders,
          ({ payload }) => Effect.as(Deferred.succeed(tried, undefined), payload)
        ).pipe(
          Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
          Task.policy({ loop: { concurrency: 50 } })
        )
        const run = yield* Effect.forkChild(Effect.provide(Task.run(task), Layer.fresh(layers)))
        yield* Deferred.await(tried)
        yield* Effect.sleep("2 seconds")
        const waiting = yield* Effect.provide(Connector.count(Orders), context)
        assert.strictEqual(waiting.ready + waiting.inFlight, count)
        assert.isUndefined(run.pollUnsafe())
        yield* admin("EVAL", "for _, key in ipairs(redis.call('KEYS', 'ballast:*')) do redis.call('DEL', key) end", "0")
        const summary = yield* Fiber.join(run)
        const receipts = yield* admin("XLEN", "receipts")
        process.stdout.write(
          `maxmemory: ${count} in, ${waiting.ready + waiting.inFlight} waited, then ${summary.succeeded} succeeded, ` +
            `${receipts} receipts\n`
        )
        assert.strictEqual(summary.succeeded, count)
        assert.isAtLeast(Number(receipts), count)
        assert.deepStrictEqual(
          yield* Effect.provide(Connector.count(Orders), context),
          { ready: 0, inFlight: 0, delayed: 0 }
        )
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("consumers that are killed leave their work to the others", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const books = new Books()
      const context = yield* Layer.build(queue(server.port))
      const count = 4000
      const transactions = Array.from({ length: count }, (_, n) => order(n))
      yield* dispatchAll(Context.get(context, Orders).sink, transactions)
      for (const { id } of transactions) books.ledger.in(id)
      const file = fileURLToPath(new URL("./test/consumer.ts", import.meta.url))
      const start = Program.script(file, [String(server.port)])
      const workers = [yield* start, yield* start]
      const said = (worker: Program.Program, n: number) =>
        worker.says((line) => line.startsWith("out ") && worker.lines.indexOf(line) >= n)
      yield* said(workers[0]!, 300)
      yield* said(workers[1]!, 300)
      yield* workers[0]!.kill
      const third = yield* start
      yield* said(third, 100)
      yield* workers[1]!.kill
      const fourth = yield* start
      workers.push(third, fourth)
      // One that stands still for longer than its lease loses what it had in hand, and is told so when it goes on.
      yield* said(fourth, 50)
      yield* third.freeze
      yield* Effect.sleep("3 seconds")
      yield* third.thaw
      const counted = Effect.provide(Connector.count(Orders), context)
      yield* Effect.retry(
        Effect.flatMap(counted, ({ delayed, inFlight, ready }) =>
          delayed + inFlight + ready === 0 ? Effect.void : Effect.fail("not yet")),
        { schedule: Schedule.spaced("200 millis"), times: 200 }
      )
      const again = workers.flatMap(({ lines }) =>
        lines.filter((line) => line.startsWith("again "))
      ).length
      for (const { lines } of workers) {
        for (const line of lines) if (line.startsWith("out ")) books.ledger.out(line.split(" ")[1] ?? "")
      }
      const balance = books.ledger.balance()
      process.stdout.write(
        `SIGKILL of two of four consumers, a third frozen for 3 s: ${balance.text}; ${again} with a higher count\n`
      )
      assert.deepStrictEqual(balance.lost, [])
      assert.deepStrictEqual(balance.strange, [])
      assert.isAbove(again, 0)
    }).pipe(Effect.scoped), 60_000)
})

const ship = (work: (id: string) => Effect.Effect<void>) =>
  Task.consumer("ship", Orders, ({ id }) => work(id)).pipe(Task.policy({ loop: { concurrency: 8, streaming: true } }))

/** Commands of somebody who may do everything. */
const adminOf = (port: number) =>
  Effect.map(
    Layer.build(Layer.fresh(RedisClient.layer({ port }))),
    (context) => (command: string, ...args: ReadonlyArray<string>) =>
      Context.get(context, RedisClient.RedisClient).send(command, ...args)
  )
