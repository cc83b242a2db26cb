import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Control, Memory, Reason, Task, Transaction } from "./index.ts"

class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Struct({ n: Schema.Int })) {}

const jobs = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`job-${n}`, { n }))

const idle: Control.Status = {
  phase: "idle",
  fetched: 0,
  inFlight: 0,
  buffered: 0,
  held: 0,
  settling: 0,
  resisting: 0,
  concurrency: 0,
  fetchingSince: undefined,
  oldestSince: undefined,
  fetchFailures: 0,
  summary: {
    fetched: 0,
    succeeded: 0,
    failed: 0,
    requeued: 0,
    timeout: 0,
    redelivered: 0,
    released: 0,
    deadLettered: 0,
    discarded: 0,
    reasons: {},
    retries: 0,
    delayed: 0,
    duration: Duration.zero
  }
}

/** A run of jobs that each wait for the gate; `starts` is when each has begun. */
const running = (policy: Parameters<typeof Task.policy>[0], gate: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const control = yield* Control.make
    const starts: Array<number> = []
    const clock = yield* TestClock.testClockWith(Effect.succeed)
    const task = Task.consumer("jobs", Jobs, () =>
      Effect.suspend(() => {
        starts.push(clock.currentTimeMillisUnsafe())
        return gate
      })).pipe(Task.discardFailures, Task.policy(policy))
    const fiber = yield* Effect.forkScoped(Effect.exit(Task.run(task, { control })))
    // the run has begun to work
    yield* TestClock.adjust(0)
    return { control, starts, fiber }
  })

const queue = (count: number) => Effect.provide(Memory.queue(Jobs, jobs(count)))

describe("Control", () => {
  it.effect("before a run it is idle, and steering it does nothing", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      assert.deepStrictEqual(yield* control.status, idle)
      yield* control.setConcurrency(3)
      yield* control.setRate({ limit: 1, interval: "1 second" })
      yield* control.setRate(undefined)
      yield* control.drain
      yield* control.stop
      assert.deepStrictEqual(yield* control.status, idle)
    }))

  it.effect("after a run it is idle again, and says what the run did", () =>
    Effect.gen(function*() {
      const { control, fiber } = yield* running({}, Effect.void)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit) && exit.value.succeeded === 3)
      const ended = { ...idle, fetched: 3, summary: { ...idle.summary, fetched: 3, succeeded: 3 } }
      assert.deepStrictEqual(yield* control.status, ended)
      yield* control.drain
      yield* control.stop
      yield* control.setConcurrency(2)
      // What it did stays as it is.
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* control.status, ended)
    }).pipe(queue(3)))

  it.effect("says what a run does now", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const policy = { loop: { concurrency: 2 }, fetch: { prefetch: 3 } } as const
      yield* TestClock.adjust("1 second")
      const { control, fiber } = yield* running(policy, Deferred.await(gate))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* control.status, {
        ...idle,
        phase: "running",
        fetched: 5,
        inFlight: 2,
        buffered: 3,
        concurrency: 2,
        oldestSince: 1000,
        summary: { ...idle.summary, fetched: 5, duration: Duration.seconds(1) }
      })
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
    }).pipe(queue(10)))

  it.effect("says since when a fetch is in flight", () =>
    Effect.gen(function*() {
      const { control, fiber } = yield* running({ loop: { streaming: true } }, Effect.void)
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* control.status, { fetchingSince: 0, oldestSince: undefined })
      yield* Fiber.interrupt(fiber)
    }).pipe(queue(0)))

  it.effect("counts the fetches that fail in a row", () =>
    Effect.gen(function*() {
      let down = true
      const lost = Effect.fail(
        new ConnectorError.FetchError({ reason: new Reason.ConnectionLost({ message: "down" }) })
      )
      const source = Connector.layerQueue(
        Jobs,
        Effect.map(Effect.flatMap(Jobs, Effect.succeed), (jobs) => ({
          ...jobs,
          source: { ...jobs.source, fetch: (request) => down ? lost : jobs.source.fetch(request) }
        }))
      )
      const control = yield* Control.make
      const task = Task.consumer("jobs", Jobs, () => Effect.void).pipe(
        Task.policy({ loop: { streaming: true }, fetch: { retry: { backoff: "1 second" } } })
      )
      const fiber = yield* Effect.forkChild(Effect.provide(Task.run(task, { control }), source, { local: true }))
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual((yield* control.status).fetchFailures, 2)
      down = false
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* control.status).fetchFailures, 0)
      yield* Fiber.interrupt(fiber)
    }).pipe(queue(0)))

  it.effect("a raised concurrency starts more at once; a lowered one lets run what runs", () =>
    Effect.gen(function*() {
      const gates = yield* Effect.all(Array.from({ length: 8 }, () => Deferred.make<void>()))
      let next = 0
      const { control, fiber, starts } = yield* running(
        { loop: { concurrency: 1 } },
        Effect.suspend(() => Deferred.await(gates[next++]!))
      )
      const open = (n: number) => Effect.andThen(Deferred.succeed(gates[n]!, undefined), TestClock.adjust(0))
      assert.strictEqual(starts.length, 1)
      yield* control.setConcurrency(3)
      yield* TestClock.adjust(0)
      assert.strictEqual(starts.length, 3)
      yield* control.setConcurrency(1)
      assert.deepInclude(yield* control.status, { inFlight: 3, concurrency: 1 })
      yield* open(0)
      yield* open(1)
      assert.strictEqual(starts.length, 3)
      assert.deepInclude(yield* control.status, { inFlight: 1 })
      yield* open(2)
      assert.strictEqual(starts.length, 4)
      for (const n of [3, 4, 5, 6, 7]) yield* open(n)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit) && exit.value.succeeded === 8)
    }).pipe(queue(8)))

  it.effect("a rate spaces the starts from then on; without one they follow at once", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { control, fiber, starts } = yield* running({}, Deferred.await(gate))
      yield* control.setRate({ limit: 1, interval: "10 seconds" })
      yield* Deferred.succeed(gate, undefined)
      for (let second = 0; second < 20; second++) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(starts, [0, 0, 10_000, 20_000])
      yield* control.setRate(undefined)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(starts, [0, 0, 10_000, 20_000, 20_000, 20_000])
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
    }).pipe(queue(6)))

  it.effect("drained, it finishes what runs, releases the rest, and the run succeeds", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { control, fiber, starts } = yield* running(
        { loop: { concurrency: 2, streaming: true }, fetch: { prefetch: 3 } },
        Deferred.await(gate)
      )
      yield* control.drain
      assert.deepInclude(yield* control.status, { phase: "draining", inFlight: 2, buffered: 0 })
      yield* Deferred.succeed(gate, undefined)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit))
      if (Exit.isSuccess(exit)) assert.deepInclude(exit.value, { fetched: 5, succeeded: 2, released: 3 })
      assert.strictEqual(starts.length, 2)
      const { inFlight, ready } = yield* Memory.contents(Jobs)
      assert.deepStrictEqual([ready.length, inFlight.length], [8, 0])
    }).pipe(queue(10)))

  it.effect("a drain lasts for the grace at most, then what runs is interrupted and released", () =>
    Effect.gen(function*() {
      const { control, fiber } = yield* running(
        { loop: { concurrency: 2, streaming: true }, shutdown: { grace: "5 seconds" } },
        Effect.never
      )
      yield* control.drain
      yield* TestClock.adjust("4999 millis")
      assert.deepInclude(yield* control.status, { phase: "draining", inFlight: 2 })
      yield* TestClock.adjust(1)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit) && exit.value.released === 2)
    }).pipe(queue(2)))

  it.effect("stopped, it interrupts what runs and releases all of it", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const { control, fiber } = yield* running(
        { loop: { concurrency: 2, streaming: true }, fetch: { prefetch: 1 } },
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      )
      yield* control.stop
      yield* TestClock.adjust(0)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isSuccess(exit))
      if (Exit.isSuccess(exit)) assert.deepInclude(exit.value, { fetched: 3, succeeded: 0, released: 3 })
      assert.strictEqual(interrupted, 2)
      assert.strictEqual((yield* Memory.contents(Jobs)).ready.length, 5)
    }).pipe(queue(5)))

  it.effect("refuses what is no concurrency and no rate", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      const message = (effect: Effect.Effect<void>) =>
        Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "accepted")
      for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        assert.strictEqual(
          yield* message(control.setConcurrency(wrong)),
          `RangeError: concurrency must be a whole number of at least 1, got ${wrong}`
        )
        assert.strictEqual(
          yield* message(control.setRate({ limit: wrong, interval: "1 second" })),
          `RangeError: rate.limit must be a whole number of at least 1, got ${wrong}`
        )
      }
      assert.strictEqual(
        yield* message(control.setRate({ limit: 1, interval: 0 })),
        "RangeError: rate.interval must be a finite duration above 0, got 0 ms"
      )
    }))

  it.effect("a handle follows the run that it was given to last", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      const task = Task.consumer("jobs", Jobs, () => Effect.never).pipe(Task.discardFailures)
      const layer = Layer.fresh(Memory.queue(Jobs, jobs(1)))
      for (const _ of [1, 2]) {
        const fiber = yield* Effect.forkScoped(Effect.provide(Task.run(task, { control }), layer))
        yield* TestClock.adjust(0)
        assert.deepInclude(yield* control.status, { phase: "running", inFlight: 1 })
        yield* control.stop
        yield* TestClock.adjust(0)
        assert.strictEqual((yield* Fiber.join(fiber)).released, 1)
      }
    }))
})
