import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Control, Decision, Disposition, Memory, Task, Transaction } from "./index.ts"
import { Faults, WatermarkSource } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int, key: Schema.String })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const transaction = (n: number, key: string) => Transaction.make(`${key}${n}`, { n, key })
const keyed = (keys: string) => Array.from(keys, (key, n) => transaction(n, key))
const keyOf = ({ payload }: Transaction.Transaction<unknown>) => (payload as { readonly key: string }).key

// What ran, in the order of its starts and ends.
const logged = (log: Array<string>, work: (id: string) => Effect.Effect<void, string>) =>
  Task.consumer("ordered", Numbers, ({ id }) =>
    Effect.gen(function*() {
      log.push(`+${id}`)
      yield* work(id)
      log.push(`-${id}`)
    })).pipe(
      Task.policy({ loop: { concurrency: 4, streaming: true }, fetch: { prefetch: 8 }, shutdown: { grace: 0 } })
    )

const seconds = (n: number) => Effect.sleep(`${n} seconds`)

// Starts a run and lets this much time pass; the run goes on until the end of the test.
const start = <X, R>(task: Task.Any<X, R>, control?: Control.Control) =>
  Effect.forkChild(Task.run(task, { control })).pipe(Effect.tap(() => TestClock.adjust(0)))

// Fails for this id at its first start, to be requeued.
const requeuedOnce = (id: string) => {
  let failed = false
  return (one: string) =>
    Effect.suspend(() => {
      if (one !== id || failed) return seconds(1)
      failed = true
      return Effect.fail("later")
    })
}

const lanes: ReadonlyArray<
  [
    string,
    Layer.Layer<Numbers>,
    (
      task: Task.Task<typeof Numbers.payload.Type, void, string, Numbers>
    ) => Task.Task<typeof Numbers.payload.Type, void, string, Numbers>
  ]
> = [
  [
    "the key of a source that keeps an order by it",
    Memory.source(Numbers, keyed("aabab"), { key: keyOf }),
    Task.policy({ loop: { ordering: "byKey" } })
  ],
  ["the key of the task", Memory.source(Numbers, keyed("aabab")), Task.orderBy(({ payload }) => payload.key)],
  [
    "the key of the task on a source that keeps an order by another one",
    Memory.source(Numbers, keyed("aabab"), { key: ({ id }) => id }),
    Task.orderBy(({ payload }) => payload.key)
  ]
]

describe("lanes", () => {
  for (const [what, layer, order] of lanes) {
    it.effect(`by ${what}: those of one key run one after another, other keys beside them`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const task = order(logged(log, (id) => seconds(id.startsWith("a") ? 3 : 1)))
        yield* start(task)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(log, ["+a0", "+b2", "-b2", "+b4", "-b4", "-a0", "+a1", "-a1", "+a3", "-a3"])
      }).pipe(Effect.provide(layer)))

    for (const delay of [0, 10]) {
      it.effect(`by ${what}: a head requeued for ${delay} seconds holds its lane, other keys go on`, () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const task = order(
            logged(log, requeuedOnce("a0")).pipe(Task.decide((_: string) => Decision.requeue(`${delay} seconds`)))
          )
          yield* start(task)
          yield* TestClock.adjust("1 minute")
          const ofA = log.filter((entry) => entry.includes("a"))
          assert.deepStrictEqual(ofA, ["+a0", "+a0", "-a0", "+a1", "-a1", "+a3", "-a3"])
          const ofB = log.filter((entry) => entry.includes("b"))
          assert.deepStrictEqual(ofB, ["+b2", "-b2", "+b4", "-b4"])
          if (delay > 0) assert.isBelow(log.lastIndexOf("-b4"), log.lastIndexOf("+a0"))
        }).pipe(Effect.provide(layer)))
    }
  }

  it.effect("a head that is requeued counts its deliveries, and poison leaves its lane", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = logged(log, (id) => id === "a0" ? Effect.fail("always") : Effect.void).pipe(
        Task.decide((_: string) => Decision.requeue()),
        Task.orderBy(({ payload }) => payload.key),
        Task.policy({ transaction: { maxDeliveries: 2 }, loop: { streaming: false } })
      )
      const fiber = yield* start(task)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(log, ["+a0", "+a0", "+a0", "+a1", "-a1"])
      assert.isDefined(fiber.pollUnsafe())
      const { acked, deadLetters } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, deadLetters.map(({ transaction }) => transaction.id)], [["a1"], ["a0"]])
    }).pipe(Effect.provide(Memory.source(Numbers, keyed("aa")))))

  it.effect("a key that cannot be computed is a defect of the task, and holds nothing up", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = logged(log, () => Effect.void).pipe(
        Task.orderBy(({ payload }) => {
          if (payload.key === "x") throw new Error("no key")
          return payload.key
        }),
        Task.policy({ loop: { streaming: false } })
      )
      yield* start(task)
      assert.deepStrictEqual(log, ["+a0", "-a0", "+a2", "-a2"])
      const { deadLetters } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual(deadLetters.map(({ reason }) => reason), ["process failed: Error: no key"])
    }).pipe(Effect.provide(Memory.source(Numbers, keyed("axa")))))

  it.effect("an invalid payload is given up without a lane", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const task = logged(log, () => Effect.void).pipe(
        Task.orderBy(({ payload }) => payload.key),
        Task.policy({ loop: { streaming: false } })
      )
      yield* start(task)
      assert.deepStrictEqual(log, ["+a0", "-a0"])
      assert.strictEqual((yield* Memory.contents(Numbers)).deadLetters.length, 1)
    }).pipe(
      Effect.provide(
        Memory.sourceEncoded(Numbers, [Transaction.make("broken", { key: "a" }), transaction(0, "a")])
      )
    ))
})

describe("a watermark", () => {
  const onLog = (task: Task.Any<unknown, Numbers | Dead>, topic: WatermarkSource.Topic, control?: Control.Control) =>
    Effect.forkChild(
      Task.run(task, { control }).pipe(
        Effect.provide([WatermarkSource.layer(Numbers, topic), Memory.deadLetters(Dead), Logger.layer([])])
      )
    )

  it.effect("commits up to the first unfinished one, and the gap's rest once it has finished", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make({ partitions: 2 })
      yield* topic.append(0, keyed("aaaa"))
      yield* topic.append(1, keyed("bbbb"))
      const task = logged([], (id) => seconds(id === "a1" ? 10 : 1)).pipe(
        Task.deadLetter(Dead),
        Task.policy({ loop: { concurrency: 8 } })
      )
      yield* onLog(task, topic)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* topic.committed, [1, 4])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* topic.committed, [4, 4])
    }))

  it.effect("waits behind a requeue, which is held in memory; partitions are lanes where order is kept", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make({ partitions: 2 })
      yield* topic.append(0, keyed("aaa"))
      yield* topic.append(1, keyed("bbb"))
      const log: Array<string> = []
      const task = logged(log, requeuedOnce("a0")).pipe(
        Task.onFailure(() => Effect.succeed(Disposition.requeue("20 seconds"))),
        Task.deadLetter(Dead)
      )
      yield* onLog(task, topic)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* topic.committed, [0, 3])
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(yield* topic.committed, [3, 3])
      assert.deepStrictEqual(log.filter((entry) => entry === "+a0").length, 2)
    }))

  it.effect("never goes back when a commit is tried again", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaa"))
      // a1 and a2 end while the commit of a0 is not answered.
      const task = logged([], (id) => Effect.sleep(id === "a0" ? 1000 : 1050)).pipe(
        Task.deadLetter(Dead),
        Task.policy({ settle: { timeout: "100 millis" } })
      )
      yield* Effect.forkChild(
        Task.run(task).pipe(
          Effect.provide([
            WatermarkSource.layer(Numbers, topic).pipe(Faults.source(Numbers, { settle: Faults.at(1, Faults.hang()) })),
            Memory.deadLetters(Dead)
          ])
        )
      )
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* topic.committed, [3])
    }))

  it.effect("is not held up for ever by a release of the task: it runs again", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaa"))
      const log: Array<string> = []
      const task = logged(log, requeuedOnce("a0")).pipe(
        Task.onFailure(() => Effect.succeed(Disposition.release)),
        Task.deadLetter(Dead)
      )
      yield* onLog(task, topic)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* topic.committed, [3])
      assert.deepStrictEqual(log.filter((entry) => entry === "+a0").length, 2)
    }))

  it.effect("goes on after a partition was revoked and given back, with what was buffered of it", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaaaaa"))
      const log: Array<string> = []
      const control = yield* Control.make
      const task = logged(log, () => seconds(2)).pipe(
        Task.deadLetter(Dead),
        Task.policy({ loop: { concurrency: 1 }, fetch: { prefetch: 5, batch: { size: 6 } } })
      )
      yield* onLog(task, topic, control)
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* control.status, { inFlight: 1, buffered: 4 })
      assert.deepStrictEqual(yield* topic.committed, [1])
      yield* topic.revoke(0)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* topic.committed, [6])
      // a1 ran when its partition went, and ran again; what was buffered had not started.
      assert.deepStrictEqual(log.filter((entry) => entry.startsWith("+")).length, 7)
      yield* topic.append(0, [transaction(6, "a")])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* topic.committed, [7])
    }))

  it.effect("never covers what an abort gave back", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaaa"))
      const work = (id: string) => id === "a1" ? Effect.fail("stop") : seconds(1)
      const task = logged([], work).pipe(Task.deadLetter(Dead), Task.decide((_: string) => Decision.abort))
      const fiber = yield* onLog(task, topic)
      yield* TestClock.adjust("40 seconds")
      const exit = fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && String(exit.cause).includes("Aborted"), String(exit))
      assert.deepStrictEqual(yield* topic.committed, [0])
    }))

  it.effect("never covers what a drain gave back", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaaa"))
      const control = yield* Control.make
      const task = logged([], (id) => id === "a1" ? Effect.never : seconds(1)).pipe(Task.deadLetter(Dead))
      const fiber = yield* onLog(task, topic, control)
      yield* TestClock.adjust("5 seconds")
      yield* control.stop
      yield* TestClock.adjust("1 second")
      const exit = fiber.pollUnsafe()
      assert.isDefined(exit)
      assert.deepStrictEqual(yield* topic.committed, [1])
      if (exit?._tag === "Success") {
        assert.deepInclude(exit.value, { fetched: 4, succeeded: 1, released: 1, redelivered: 2 })
      }
    }))

  it.effect("begins a second run over one source with what the first one gave back", () =>
    Effect.gen(function*() {
      const topic = yield* WatermarkSource.make()
      yield* topic.append(0, keyed("aaaa"))
      const source = yield* Layer.build(WatermarkSource.layer(Numbers, topic))
      const run = (work: (id: string) => Effect.Effect<void>, log: Array<string>, control?: Control.Control) =>
        Effect.forkChild(
          Task.run(logged(log, work).pipe(Task.deadLetter(Dead)), { control }).pipe(
            Effect.provide([Layer.succeedContext(source), Memory.deadLetters(Dead), Logger.layer([])])
          )
        )
      const control = yield* Control.make
      yield* run((id) => id === "a1" ? Effect.never : seconds(1), [], control)
      yield* TestClock.adjust("5 seconds")
      yield* control.stop
      yield* TestClock.adjust("1 second")
      yield* topic.append(0, [transaction(4, "a")])
      const log: Array<string> = []
      yield* run(() => Effect.void, log)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(log.filter((entry) => entry.startsWith("+")), ["+a1", "+a4"])
      assert.deepStrictEqual(yield* topic.committed, [5])
    }).pipe(Effect.scoped))
})
