/**
 * What happens to a RabbitMQ of the test's own while transactions are published and consumed. In each test all that went
 * in comes out, consumption resumes by itself, and duplicates are counted and printed.
 */
import { Transaction } from "@ergon/core"
import { Proxy, RabbitMq, Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Result, Scope } from "effect"
import { connector, flow, Items } from "./test/flow.ts"
import { server } from "./test/server.ts"

const count = 20_000
const timeout = 120_000

await Services.describe([RabbitMq.needs], "a RabbitMQ that fails", () => {
  const broker = server()

  describe("while 20,000 transactions go through it", () => {
    const during = (name: string, fault: (server: RabbitMq.RabbitMq) => Effect.Effect<unknown, unknown>) =>
      it.live(
        name,
        () =>
          Effect.scoped(
            Effect.suspend(() => flow({ name, port: broker.get.port, count, fault: () => fault(broker.get) }))
          ),
        timeout
      )

    during("restarted", ({ start, stop }) => Effect.andThen(stop, start))
    during("killed", ({ kill, start }) => Effect.andThen(kill, start))
    during(
      "frozen",
      ({ freeze, thaw }) => freeze.pipe(Effect.andThen(Effect.sleep("10 seconds")), Effect.andThen(thaw))
    )
  })

  describe("and what it does to its clients", () => {
    it.live("a connection that is cut in mid-message", () =>
      Effect.scoped(Effect.gen(function*() {
        const proxy = yield* Proxy.make(broker.get.port)
        const cut = (direction: "toServer" | "toClient") =>
          Effect.gen(function*() {
            const before = yield* proxy.accepted
            yield* proxy.cutAfter(10_007, direction)
            while ((yield* proxy.accepted) === before) yield* Effect.sleep("20 millis")
          })
        yield* flow({
          name: "cut in mid-message",
          port: proxy.port,
          adminPort: broker.get.port,
          count: 5000,
          fault: () => Effect.forEach(["toClient", "toServer", "toClient", "toServer"] as const, cut)
        })
      })), timeout)

    it.live("a channel that is closed for what is unsettled too long", () =>
      Effect.scoped(Effect.gen(function*() {
        const { control, port } = broker.get
        const set = (name: string, value: number) => control("eval", `application:set_env(rabbit, ${name}, ${value}).`)
        yield* set("channel_tick_interval", 500)
        yield* set("consumer_timeout", 2000)
        yield* Effect.addFinalizer(() => Effect.ignore(set("consumer_timeout", 1_800_000)))
        let tries = 0
        const { duplicates } = yield* flow({
          name: "consumer_timeout",
          port,
          count: 2000,
          fault: () => Effect.void,
          // Takes longer than the broker allows, the first time.
          process: (n) => n === 7 && tries++ === 0 ? Effect.sleep("5 seconds") : Effect.void
        })
        assert.isAbove(duplicates, 0)
        assert.isAtLeast(tries, 2)
      })), timeout)

    it.live("a broker that is frozen while a connector closes", () =>
      Effect.gen(function*() {
        const { freeze, port, thaw } = broker.get
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(connector("frozen", { port }), scope)
        const { sink, source } = Context.get(context, Items)
        yield* sink.dispatch([Transaction.make("one", { n: 1, note: "" })])
        assert.strictEqual((yield* source.fetch({ max: 1, wait: Duration.seconds(5) })).length, 1)
        yield* freeze
        const before = Date.now()
        yield* Scope.close(scope, Exit.void)
        const took = Date.now() - before
        yield* thaw
        process.stdout.write(`closed in ${took} ms while the broker was frozen\n`)
        assert.isBelow(took, 8000)
      }), timeout)

    it.live("credentials that are revoked for a while", () =>
      Effect.scoped(Effect.gen(function*() {
        const { control, port } = broker.get
        yield* control("add_user", "worker", "first")
        yield* control("set_permissions", "worker", ".*", ".*", ".*")
        yield* flow({
          name: "credentials revoked",
          port,
          count: 5000,
          broker: { username: "worker", password: "first" },
          fault: () =>
            control("change_password", "worker", "second").pipe(
              Effect.andThen(control("close_all_connections", "revoked")),
              Effect.andThen(Effect.sleep("3 seconds")),
              Effect.andThen(control("change_password", "worker", "first"))
            )
        })
      })), timeout)

    it.live("credentials that are revoked for good", () =>
      Effect.scoped(Effect.gen(function*() {
        const { control, port } = broker.get
        yield* control("add_user", "leaver", "first")
        yield* control("set_permissions", "leaver", ".*", ".*", ".*")
        const context = yield* Layer.build(
          connector("leaver", { port, broker: { username: "leaver", password: "first", patience: "1 second" } })
        )
        const { sink, source } = Context.get(context, Items)
        const fetch = source.fetch({ max: 1, wait: Duration.millis(300) })
        assert.deepStrictEqual(yield* fetch, [])
        yield* control("delete_user", "leaver")
        const reasons: Array<string> = []
        while (reasons.at(-1) !== "Unauthorized") {
          const fetched = yield* Effect.result(fetch)
          if (Result.isSuccess(fetched)) continue
          assert.strictEqual(fetched.failure._tag, "FetchError")
          if (fetched.failure._tag === "FetchError") reasons.push(fetched.failure.reason._tag)
        }
        // For a while it counted as a connection that is lost; then it is an error that ends a run.
        assert.deepStrictEqual([...new Set(reasons)], ["ConnectionLost", "Unauthorized"])
        assert.strictEqual((yield* Effect.flip(source.health ?? Effect.die("no health")))._tag, "FetchError")
        assert.isFalse(
          (yield* Effect.flip(sink.dispatch([Transaction.make("one", { n: 1, note: "" })]))).reason.isRetryable
        )
      })), timeout)

    for (
      const [alarm, on, off] of [
        ["memory", ["set_vm_memory_high_watermark", "0.00001"], ["set_vm_memory_high_watermark", "0.4"]],
        ["disk", ["set_disk_free_limit", "1000GB"], ["set_disk_free_limit", "1MB"]]
      ] as const
    ) {
      it.live(`an alarm of its ${alarm}`, () =>
        Effect.scoped(Effect.gen(function*() {
          const { control, port } = broker.get
          yield* Effect.addFinalizer(() => Effect.ignore(control(...off)))
          yield* flow({
            name: `${alarm} alarm`,
            port,
            count: 5000,
            fault: ({ ledger }) =>
              Effect.gen(function*() {
                yield* control(...on)
                // What was on its way is confirmed, then nothing more goes in.
                yield* Effect.sleep("1 second")
                const before = ledger.balance().in
                yield* Effect.sleep("2 seconds")
                assert.strictEqual(ledger.balance().in, before)
                assert.isBelow(before, 5000)
                yield* control(...off)
              }),
            // So that the alarm comes before all is sent.
            rate: "800/second"
          })
        })), timeout)
    }
  })
})
