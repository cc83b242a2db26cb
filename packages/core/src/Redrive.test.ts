import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { LettersError } from "./ConnectorError.ts"
import { Connector, DeadLetter, Memory, Reason, Redrive, Task, Transaction } from "./index.ts"

const Order = Schema.Struct({ quantity: Schema.Int })
class Orders extends Connector.Queue<Orders>()("orders", Order) {}
class Lines extends Connector.Source<Lines>()("lines", Order) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class OutOfStock extends Data.TaggedError("OutOfStock")<{}> {}
class Refused extends Data.TaggedError("Refused")<{}> {}

const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tenant: "north" }
const order = (n: number) => Transaction.make(`order-${n}`, { quantity: n }, trace)
const orders = (count: number) => Array.from({ length: count }, (_, index) => order(index + 1))

/** Even quantities are out of stock, odd ones are refused; after `open` all are fine. */
const shop = (name = "ship") => {
  const world = { open: false, done: [] as Array<{ readonly id: string; readonly metadata: unknown }> }
  const task = Task.consumer(name, Orders, ({ id, metadata, payload }) =>
    Effect.gen(function*() {
      if (!world.open) return yield* payload.quantity % 2 === 0 ? new OutOfStock() : new Refused()
      world.done.push({ id, metadata })
    }))
  return { task, withSink: task.pipe(Task.deadLetter(Dead)), world }
}

const ids = (letters: ReadonlyArray<Redrive.Letter>) => letters.map(({ letter }) => letter.id)
const listed = <X, R>(task: Task.Any<X, R>, filter?: Redrive.Filter) =>
  Effect.map(Stream.runCollect(Redrive.letters(task, filter)), ids)

const queue = (count: number) => Memory.queue(Orders, orders(count))
const both = (count: number) => Layer.merge(queue(count), Memory.deadLetters(Dead))

const message = (error: unknown) => error instanceof Error ? error.message : String(error)

describe("letters", () => {
  it.effect("of a source are filtered by tag, step, category, age, id and limit", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      yield* TestClock.adjust("2 hours")
      yield* Effect.flatMap(Orders, ({ sink }) => sink.dispatch([Transaction.make("bad", { quantity: 0.5 })]))
      yield* Task.run(task)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* listed(task), ["order-1", "order-2", "order-3", "order-4", "bad"])
      assert.deepStrictEqual(yield* listed(task, { tags: ["OutOfStock"] }), ["order-2", "order-4"])
      assert.deepStrictEqual(yield* listed(task, { tags: ["OutOfStock", "Refused"], limit: 3 }), [
        "order-1",
        "order-2",
        "order-3"
      ])
      assert.deepStrictEqual(yield* listed(task, { steps: ["decode"] }), ["bad"])
      assert.deepStrictEqual(yield* listed(task, { categories: ["invalid"] }), ["bad"])
      assert.deepStrictEqual(yield* listed(task, { olderThan: "2 hours", tags: ["Refused"] }), ["order-1", "order-3"])
      assert.deepStrictEqual(yield* listed(task, { youngerThan: "2 hours" }), ["bad"])
      assert.deepStrictEqual(yield* listed(task, { ids: ["order-3", "unknown", "order-1"] }), ["order-3", "order-1"])
      assert.deepStrictEqual(yield* listed(task, { ids: ["order-3"], tags: ["OutOfStock"] }), [])
      assert.deepStrictEqual(yield* listed(task, { limit: 0 }), [])
      assert.deepStrictEqual(yield* listed(task, { task: "another" }), [])
    }).pipe(Effect.provide(queue(4))))

  it.effect("of a sink are those of this task and of its source, then come the source's own", () =>
    Effect.gen(function*() {
      const { task, withSink } = shop()
      const other = shop("other").withSink
      yield* Task.run(task)
      for (const consumer of [withSink, other]) {
        yield* Effect.flatMap(
          Orders,
          ({ sink }) => sink.dispatch([Transaction.make(`of-${consumer.name}`, { quantity: 1 })])
        )
        yield* Task.run(consumer)
      }
      yield* Effect.flatMap(
        Dead,
        ({ deadLetters }) => deadLetters.dispatch([Transaction.make("foreign", { not: "a letter" })])
      )
      const all = yield* Stream.runCollect(Redrive.letters(withSink))
      assert.deepStrictEqual(all.map(({ connector, letter, place }) => [place, connector, letter.id]), [
        ["sink", "dead", "of-ship"],
        ["source", "orders", "order-1"]
      ])
      assert.deepStrictEqual(yield* listed(withSink, { from: "source" }), ["order-1"])
      assert.deepStrictEqual(yield* listed(withSink, { from: "sink" }), ["of-ship"])
      assert.deepStrictEqual(yield* listed(withSink, { from: "sink", task: "other" }), ["of-other"])
    }).pipe(Effect.provide(both(1))))

  it.effect("come page by page, all of many", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      assert.lengthOf(yield* listed(task), 250)
      assert.lengthOf(yield* listed(task, { limit: 101 }), 101)
    }).pipe(Effect.provide(queue(250))))

  it.effect("are read with the Layers that the task was given", () =>
    Effect.gen(function*() {
      const { task } = shop()
      assert.deepStrictEqual(yield* listed(task.pipe(Task.provide(queue(1)))), [])
    }))

  it.effect("of one transaction are found, or NotFound", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      const [found] = yield* Redrive.letter(task, "order-2")
      assert.instanceOf(found?.letter, DeadLetter.DeadLetter)
      assert.deepInclude(found?.letter, { metadata: trace, payload: { quantity: 2 }, task: "ship" })
      const error = yield* Effect.flip(Redrive.letter(task, "order-9"))
      assert.strictEqual(
        message(error),
        `dead letters: NotFound: task "ship" has no dead letter of transaction "order-9"`
      )
    }).pipe(Effect.provide(queue(2))))

  const refused = (filter: Redrive.Options) =>
    Effect.gen(function*() {
      return message(yield* Effect.flip(Redrive.redrive(shop().task, filter)))
    }).pipe(Effect.provide(queue(1)))

  it.effect("say which part of a filter is not valid", () =>
    Effect.gen(function*() {
      assert.include(yield* refused({ limit: -1 }), "limit must be a whole number of at least 0, got -1")
      assert.include(yield* refused({ limit: 1.5 }), "limit must be a whole number")
      assert.include(
        yield* refused({ olderThan: "yesterday" as "1 hour" }),
        `olderThan must be a duration such as "2 hours"`
      )
      assert.include(yield* refused({ rate: "often" }), `rate must be a rate such as "100/second"`)
      assert.include(yield* refused({ rate: "0/second" }), `rate must be a rate such as "100/second"`)
    }))
})

describe("redrive", () => {
  it.effect("sends again what matches, as it arrived and with a count of 0, from the source's own letters", () =>
    Effect.gen(function*() {
      const { task, world } = shop()
      yield* Task.run(task)
      const summary = yield* Redrive.redrive(task, { tags: ["OutOfStock"] })
      assert.deepStrictEqual(summary, { matched: 2, redriven: 2, gone: 0, failed: 0, failures: [], missing: [] })
      world.open = true
      const outcomes = yield* Stream.runCollect(Task.outcomes(task))
      assert.deepStrictEqual(outcomes.map(({ deliveries, transaction }) => [transaction.id, deliveries]), [[
        "order-2",
        0
      ], ["order-4", 0]])
      assert.deepStrictEqual(world.done, [{ id: "order-2", metadata: trace }, { id: "order-4", metadata: trace }])
      assert.deepStrictEqual(yield* listed(task), ["order-1", "order-3"])
    }).pipe(Effect.provide(queue(4))))

  it.effect("sends again what a sink keeps, and removes it there", () =>
    Effect.gen(function*() {
      const { withSink, world } = shop()
      yield* Task.run(withSink)
      assert.deepInclude(yield* Redrive.redrive(withSink, { ids: ["order-3", "order-2", "order-9"] }), {
        matched: 2,
        redriven: 2,
        missing: ["order-9"]
      })
      world.open = true
      yield* Task.run(withSink)
      assert.deepStrictEqual(world.done, [{ id: "order-3", metadata: trace }, { id: "order-2", metadata: trace }])
      assert.deepStrictEqual(yield* listed(withSink), ["order-1"])
    }).pipe(Effect.provide(both(3))))

  it.effect("sends an undecodable payload back as it arrived", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      const broken = Transaction.make("broken", { quantity: "three", more: [null] })
      yield* Effect.flatMap(Orders, ({ sink }) => sink.dispatch([broken]))
      yield* Task.run(withSink)
      yield* Redrive.redrive(withSink)
      const { ready } = yield* Memory.contents(Orders)
      assert.deepStrictEqual(ready.map(({ id, payload }) => [id, payload]), [["broken", broken.payload]])
    }).pipe(Effect.provide(both(0))))

  it.effect("only counts in a dry run", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      assert.deepInclude(yield* Redrive.redrive(task, { dryRun: true, limit: 3 }), { matched: 3, redriven: 0 })
      assert.lengthOf(yield* listed(task), 4)
    }).pipe(Effect.provide(queue(4))))

  it.effect("leaves what fails again meanwhile for the next pass", () =>
    Effect.gen(function*() {
      const { task, withSink } = shop()
      const context = yield* Effect.context<Orders | Dead>()
      for (const consumer of [task, withSink]) {
        yield* Effect.flatMap(Orders, ({ sink }) => sink.dispatch(orders(150)))
        yield* Task.run(consumer)
        const summary = yield* Redrive.redrive(consumer, {
          from: consumer === task ? "source" : "sink",
          rate: "10 per 1 millis",
          onProgress: () => Effect.orDie(Effect.asVoid(Effect.provide(Task.run(consumer), context)))
        }).pipe(Effect.forkChild, Effect.tap(() => TestClock.adjust("1 second")), Effect.flatMap(Fiber.join))
        assert.deepInclude(summary, { matched: 150, redriven: 150 })
        assert.lengthOf(yield* listed(consumer, { from: consumer === task ? "source" : "sink" }), 150)
      }
    }).pipe(Effect.provide(both(0))))

  it.effect("keeps its rate, and tells how far it is", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      const progress: Array<number> = []
      const fiber = yield* Redrive.redrive(task, {
        rate: "2/second",
        onProgress: ({ redriven }) => Effect.sync(() => void progress.push(redriven))
      }).pipe(Effect.forkChild)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(progress, [2])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(progress, [2, 4])
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(fiber), { redriven: 5 })
    }).pipe(Effect.provide(queue(5))))

  it.effect("finishes the batch in hand when it is interrupted", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      yield* Task.run(withSink)
      const fiber = yield* Effect.forkChild(Redrive.redrive(withSink, { rate: "2/second" }))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(fiber)
      const { ready } = yield* Memory.contents(Orders)
      assert.deepStrictEqual(ready.map(({ id }) => id), ["order-1", "order-2"])
      assert.deepStrictEqual(yield* listed(withSink), ["order-3"])
    }).pipe(Effect.provide(both(3))))
})

/** Changes what a source offers for its dead letters. */
const changed = (change: (source: Connector.SourceService) => Partial<Connector.SourceService>) =>
  Layer.effect(Orders, Effect.map(Orders, ({ sink, source }) => ({ sink, source: { ...source, ...change(source) } })))

const without = (name: "letters" | "takeBack") => {
  const strip = ({ letters, takeBack, ...source }: Connector.SourceService): Connector.SourceService => ({
    ...source,
    ...(name === "letters" || letters === undefined ? {} : { letters }),
    ...(name === "takeBack" || takeBack === undefined ? {} : { takeBack })
  })
  return Layer.effect(Orders, Effect.map(Orders, ({ sink, source }) => ({ sink, source: strip(source) })))
}

describe("where something is missing, the error says what there is", () => {
  const refusal = <X, R>(task: Task.Any<X, R>, options?: Redrive.Options) =>
    Effect.map(Effect.flip(Redrive.redrive(task, options)), message)

  it.effect("a source that takes nothing back", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      yield* Task.run(withSink)
      assert.deepStrictEqual(yield* listed(withSink), ["order-1"])
      const said = yield* refusal(withSink)
      assert.include(said, `source "orders" takes nothing back`)
      assert.include(said, `what is in the source can be: from "source"`)
      assert.deepInclude(yield* Redrive.redrive(withSink, { from: "source" }), { matched: 0 })
      assert.deepInclude(yield* Redrive.redrive(withSink, { dryRun: true }), { matched: 1 })
    }).pipe(Effect.provide(without("takeBack").pipe(Layer.provideMerge(both(1))))))

  it.effect("a sink that cannot be read", () =>
    Effect.gen(function*() {
      const { task, withSink } = shop()
      assert.include(yield* refusal(withSink), `"dead" cannot be read here`)
      assert.include(yield* refusal(withSink), `The source keeps letters too: from "source"`)
      assert.deepInclude(yield* Redrive.redrive(withSink, { from: "source" }), { matched: 0 })
      assert.include(yield* refusal(task, { from: "sink" }), "it has no Task.deadLetter")
    }).pipe(Effect.provide(Layer.merge(
      queue(0),
      Connector.layerDeadLetters(Dead, Effect.succeed({ format: "json" as const, dispatch: () => Effect.void }))
    ))))

  it.effect("a source without letters, a task that discards, a producer, a program", () =>
    Effect.gen(function*() {
      const { task } = shop()
      assert.include(yield* refusal(task), "its source keeps none, and it has no Task.deadLetter")
      assert.include(yield* refusal(task, { from: "source" }), "keeps no dead letters that can be read")
      assert.include(yield* refusal(task.pipe(Task.discardFailures)), "discards what it gives up")
      const producer = Task.producer("import", orders(1), () => new Refused()).pipe(Task.deadLetter(Dead))
      yield* Task.run(producer)
      assert.deepStrictEqual(yield* listed(producer), ["order-1"])
      assert.include(yield* refusal(producer), `task "import" is a producer`)
      assert.include(yield* refusal(Task.make("tidy", Effect.void)), `task "tidy" is a program`)
      const told = yield* Effect.flip(Stream.runDrain(Redrive.letters(Task.make("tidy", Effect.void))))
      assert.include(message(told), "is a program")
    }).pipe(Effect.provide(without("letters").pipe(Layer.provideMerge(both(0))))))

  it.effect("a source that is no queue takes back as well", () =>
    Effect.gen(function*() {
      const task = Task.consumer("lines", Lines, () => new Refused()).pipe(Task.deadLetter(Dead))
      yield* Task.run(task)
      assert.deepInclude(yield* Redrive.redrive(task), { redriven: 2 })
      assert.deepInclude(yield* Memory.contents(Lines), { acked: ["order-1", "order-2"] })
      assert.lengthOf((yield* Memory.contents(Lines)).ready, 2)
    }).pipe(Effect.provide(Layer.merge(Memory.source(Lines, orders(2)), Memory.deadLetters(Dead)))))
})

describe("failures", () => {
  const reason = new Reason.InvalidRequest({ message: "too large" })
  const partly = (index: number) => Effect.fail(new LettersError({ reason, failed: [{ index, reason }] }))

  it.effect("of one transaction leave its letter, and the others go on", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      yield* Task.run(withSink)
      const summary = yield* Redrive.redrive(withSink)
      assert.deepInclude(summary, { matched: 3, redriven: 2, failed: 1 })
      assert.deepStrictEqual(summary.failures, [{ id: "order-2", reason: "InvalidRequest: too large" }])
      assert.deepStrictEqual(yield* listed(withSink), ["order-2"])
    }).pipe(Effect.provide(
      changed((source) => ({
        takeBack: (transactions) =>
          Effect.andThen(source.takeBack!(transactions.filter((_, index) => index !== 1)), partly(1))
      })).pipe(Layer.provideMerge(both(3)))
    )))

  it.effect("of a source's own are counted too, and what others have put back", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      assert.deepInclude(yield* Redrive.redrive(task), { matched: 3, redriven: 2, failed: 1, gone: 0 })
    }).pipe(Effect.provide(
      changed(({ letters }) => ({
        letters: { ...letters!, putBack: (keys) => Effect.andThen(letters!.putBack!(keys.slice(1)), partly(0)) }
      })).pipe(Layer.provideMerge(queue(3)))
    )))

  it.effect("what somebody else has put back meanwhile is gone", () =>
    Effect.gen(function*() {
      const { task } = shop()
      yield* Task.run(task)
      assert.deepInclude(yield* Redrive.redrive(task), { matched: 3, redriven: 2, gone: 1, failed: 0 })
    }).pipe(Effect.provide(
      changed(({ letters }) => ({
        letters: { ...letters!, putBack: (keys) => letters!.putBack!(keys.slice(1)) }
      })).pipe(Layer.provideMerge(queue(3)))
    )))

  it.effect("of a whole batch end the redrive, and no letter is lost", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      yield* Task.run(withSink)
      const error = yield* Effect.flip(Redrive.redrive(withSink))
      assert.strictEqual(message(error), "dead letters: InvalidRequest: too large")
      assert.lengthOf(yield* listed(withSink), 3)
    }).pipe(Effect.provide(
      changed(() => ({ takeBack: () => Effect.fail(new LettersError({ reason })) })).pipe(Layer.provideMerge(both(3)))
    )))

  it.effect("a letter that could not be removed is sent again, and stays one transaction", () =>
    Effect.gen(function*() {
      const { withSink } = shop()
      yield* Task.run(withSink)
      // As a crash between the two steps would leave it.
      const { source } = yield* Orders
      yield* source.takeBack!([order(1)])
      assert.deepInclude(yield* Redrive.redrive(withSink), { redriven: 1 })
      const { ready } = yield* Memory.contents(Orders)
      assert.deepStrictEqual(ready.map(({ id }) => id), ["order-1"])
    }).pipe(Effect.provide(both(1))))
})
