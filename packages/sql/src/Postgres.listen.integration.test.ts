import { Postgres as Lab, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer } from "effect"
import { Database, Postgres, Sql } from "./index.ts"
import { order, Orders } from "./test/flow.ts"
import { connect } from "./test/postgres.ts"

const options = (port: number): Postgres.Options => ({ port, username: "postgres", database: "postgres" })

const opened = (port: number, poll: Duration.Input, more: Postgres.Options = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(
      Sql.queue(Orders, { poll }).pipe(
        Layer.provideMerge(Postgres.layer({ ...options(port), watch: "1 second", ...more }))
      )
    )),
    (context) => ({ ...Context.get(context, Orders), changes: Context.get(context, Database.Database).changes })
  )

const millis = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const began = performance.now()
    return Effect.map(effect, () => performance.now() - began)
  })

/**
 * The session that listens, once it does and is idle: stopped in the middle of its work it could hold up all others. Not
 * `but`: the server's process of a session that was given up takes its time to end.
 */
const listening = ({ sql }: Database.Database["Service"], but = 0) =>
  sql<{ pid: number }>`SELECT pid FROM pg_stat_activity
    WHERE (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify($1%') AND state = 'idle' AND pid <> ${but}`
    .pipe(
      Effect.flatMap(([row]) => row === undefined ? Effect.fail("nobody listens") : Effect.succeed(row.pid)),
      Effect.eventually
    )

await Services.describe([Lab.needs], "a waiting consumer of PostgreSQL", () => {
  it.live(
    "is woken by a notification, also after the session that listens has silently stopped to hear",
    () =>
      Effect.gen(function*() {
        const server = yield* Lab.server()
        const admin = yield* connect(options(server.port))
        // It looks once an hour: what comes sooner was heard.
        const consumer = yield* opened(server.port, "1 hour")
        const producer = yield* opened(server.port, "1 hour")
        const arrives = (n: number, but = 0) =>
          Effect.gen(function*() {
            const fetching = yield* Effect.forkChild(consumer.source.fetch({ max: 1, wait: Duration.hours(1) }))
            yield* Effect.repeat(Effect.yieldNow, { times: 10 })
            const pid = yield* listening(admin, but)
            yield* producer.sink.dispatch([order(n)])
            const took = yield* millis(Fiber.join(fetching))
            return { pid, took }
          })
        const first = yield* arrives(1)
        assert.isBelow(first.took, 1000)
        // The server's process of that session stands still: the connection is open, and nothing comes.
        process.kill(first.pid, "SIGSTOP")
        const deaf = yield* arrives(2)
        process.kill(first.pid, "SIGCONT")
        assert.isAbove(deaf.took, 1000)
        assert.isBelow(deaf.took, 15_000)
        const again = yield* arrives(3, first.pid)
        assert.notStrictEqual(again.pid, first.pid)
        assert.isBelow(again.took, 1000)
        process.stdout.write(
          `LISTEN silently gone: woken after ${Math.round(first.took)} ms, healed after ${Math.round(deaf.took)} ms, ` +
            `then woken after ${Math.round(again.took)} ms\n`
        )
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("finds by looking what it does not hear", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const admin = yield* connect(options(server.port))
      const consumer = yield* opened(server.port, "300 millis", { watch: "1 hour" })
      const producer = yield* opened(server.port, "1 hour")
      const fetching = yield* Effect.forkChild(consumer.source.fetch({ max: 1, wait: Duration.hours(1) }))
      const pid = yield* listening(admin)
      process.kill(pid, "SIGSTOP")
      yield* producer.sink.dispatch([order(1)])
      const took = yield* millis(Fiber.join(fetching))
      process.kill(pid, "SIGCONT")
      assert.isBelow(took, 2000)
    }).pipe(Effect.scoped), 60_000)

  it.live("closes within its time while the session that listens is silent", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const admin = yield* connect(options(server.port))
      const pids: Array<number> = []
      const took = yield* millis(Effect.scoped(Effect.gen(function*() {
        const { source } = yield* opened(server.port, "1 hour")
        const fetching = yield* Effect.forkChild(source.fetch({ max: 1, wait: Duration.hours(1) }))
        pids.push(yield* listening(admin))
        for (const pid of pids) process.kill(pid, "SIGSTOP")
        yield* Fiber.interrupt(fetching)
      })))
      for (const pid of pids) process.kill(pid, "SIGCONT")
      assert.isBelow(took, 10_000)
    }).pipe(Effect.scoped), 60_000)

  it.live("costs next to nothing", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server(["log_statement=all"])
      const { sink, source } = yield* opened(server.port, "2 seconds", { watch: "15 seconds" })
      yield* sink.dispatch([order(1)])
      yield* source.fetch({ max: 1, wait: Duration.zero })
      const seconds = 8
      const statements = Effect.map(server.log, (log) => log.split("execute ").length - 1)
      const before = yield* statements
      // As the engine waits: 2 seconds at a time.
      yield* Effect.timeoutOption(
        Effect.forever(source.fetch({ max: 64, wait: Duration.seconds(2) })),
        `${seconds} seconds`
      )
      const rate = ((yield* statements) - before) / seconds
      process.stdout.write(`an idle consumer: ${rate.toFixed(1)} statements a second\n`)
      assert.isBelow(rate, 2)
      assert.isAbove(rate, 0.2)
    }).pipe(Effect.scoped), 60_000)
})
