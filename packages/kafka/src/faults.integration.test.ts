import { fileURLToPath } from "node:url"
import { Kafka as Lab, Program, Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Cluster, Kafka } from "./index.ts"
import { Books, consume, Items, publish, Sent } from "./test/books.ts"
import { options } from "./test/mock.ts"

const count = 20_000

const group = {
  group: "items",
  session: "3 seconds",
  heartbeat: "300 millis",
  drain: "1 second",
  watch: "1 second"
} as const

/** What a test stands on: the mock, reached through a proxy, and books that see every commit. */
const setUp = Effect.gen(function*() {
  const mock = yield* Lab.mock
  const proxy = yield* Proxy.make(mock.port)
  const books = new Books()
  const reached = options(mock.port, proxy.port)
  const cluster = Cluster.layer({ ...reached, prepare: books.watching(reached.prepare) })
  const source = Kafka.source(Items, group).pipe(Layer.provide(cluster))
  const sink = Kafka.sink(Sent, { key: ({ payload }) => `key-${(payload as { readonly n: number }).n % 50}` }).pipe(
    Layer.provide(cluster)
  )
  return { mock, proxy, books, source, sink }
})

/** Runs until everything has come out and is committed. */
const until = (books: Books, runs: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
  Effect.gen(function*() {
    yield* Effect.raceAllFirst([
      books.complete(count),
      ...runs.map((run) => Effect.flatMap(Fiber.await(run), (exit) => Effect.die(new Error(`a run ended: ${exit}`))))
    ])
    for (const run of runs) yield* Fiber.interrupt(run)
  })

await Services.describe([Lab.needs], "a broker that fails", () => {
  it.live("is frozen while 20,000 are published and consumed", () =>
    Effect.gen(function*() {
      const { books, mock, sink, source } = yield* setUp
      const run = yield* Effect.forkChild(Effect.provide(consume(books), source))
      const published = yield* Effect.forkChild(Effect.provide(publish(books, count), sink))
      // Shorter than the session, which nobody notices; longer than it, which costs what is in flight.
      for (const [out, millis] of [[2000, 1500], [7000, 6000], [14_000, 1500]] as const) {
        yield* books.reached(out)
        yield* mock.freeze
        yield* Effect.sleep(millis)
        yield* mock.thaw
      }
      yield* Fiber.join(published)
      yield* until(books, [run])
      books.balance("frozen", count)
    }).pipe(Effect.scoped), 120_000)

  it.live("is cut off in mid-message", () =>
    Effect.gen(function*() {
      const { books, proxy, sink, source } = yield* setUp
      const run = yield* Effect.forkChild(Effect.provide(consume(books), source))
      const published = yield* Effect.forkChild(Effect.provide(publish(books, count), sink))
      for (let cut = 1; cut <= 12; cut++) {
        yield* books.reached(cut * 1500)
        yield* proxy.cutAfter(1000 + 331 * cut, cut % 2 === 0 ? "toServer" : "toClient")
      }
      yield* Fiber.join(published)
      yield* until(books, [run])
      assert.isAbove(yield* proxy.accepted, 12)
      books.balance("cut", count)
    }).pipe(Effect.scoped), 120_000)
})

await Services.describe([Lab.needs], "a consumer group", () => {
  it.live("rebalances while its members work: one joins, one leaves", () =>
    Effect.gen(function*() {
      const { books, sink, source } = yield* setUp
      const member = Effect.gen(function*() {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const layer = yield* Scope.provide(Layer.build(Layer.fresh(source)), scope)
        const run = yield* Effect.forkIn(Effect.provide(consume(books, Effect.sleep(1)), layer), scope)
        return { run, leave: Scope.close(scope, Exit.void) }
      })
      const first = yield* member
      const published = yield* Effect.forkChild(Effect.provide(publish(books, count), sink))
      yield* books.reached(4000)
      const second = yield* member
      yield* books.reached(10_000)
      yield* first.leave
      yield* books.reached(14_000)
      const third = yield* member
      yield* Fiber.join(published)
      yield* until(books, [second.run, third.run])
      books.balance("rebalanced", count)
    }).pipe(Effect.scoped), 120_000)

  it.live("goes on where a member was killed", () =>
    Effect.gen(function*() {
      const { books, mock, sink } = yield* setUp
      const worker = Program.script(fileURLToPath(new URL("./test/consumer.ts", import.meta.url)), [String(mock.port)])
      const heard = new Map<Program.Program, number>()
      const members: Array<Program.Program> = []
      const positions = new Map<string, number>()
      // What the processes have said so far, into the books.
      const read = Effect.sync(() => {
        for (const member of members) {
          for (const line of member.lines.slice(heard.get(member) ?? 0)) {
            const [, id = "", partition, offset] = line.split(" ")
            if (!line.startsWith("done ")) continue
            books.finished(id, { topic: "items", partition: Number(partition), offset: Number(offset) })
            const position = `${partition}/${offset}`
            positions.set(position, (positions.get(position) ?? 0) + 1)
          }
          heard.set(member, member.lines.length)
        }
      })
      const out = (least: number): Effect.Effect<void> =>
        Effect.andThen(
          read,
          Effect.suspend(() => books.out >= least ? Effect.void : Effect.andThen(Effect.sleep(50), out(least)))
        )
      members.push(yield* worker)
      const reading = yield* Effect.forkChild(out(Infinity))
      const published = yield* Effect.forkChild(Effect.provide(publish(books, count), sink))
      yield* out(3000)
      members.push(yield* worker)
      yield* out(8000)
      yield* members[0]!.kill
      yield* read
      const before = books.out
      members.push(yield* worker)
      yield* Fiber.join(published)
      const all: Effect.Effect<void> = Effect.suspend(() =>
        books.ledger.balance().lost.length === 0 ? Effect.void : Effect.andThen(Effect.sleep(50), all)
      )
      yield* all
      yield* Fiber.interrupt(reading)
      assert.isAbove(books.out, before)
      books.balance("killed", count)
      assert.strictEqual(positions.size, count)
    }).pipe(Effect.scoped), 120_000)
})
