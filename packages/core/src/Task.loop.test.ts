import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  Connector,
  ConnectorError,
  Control,
  Decision,
  Delivery,
  Memory,
  type Policy,
  Reason,
  Task,
  Transaction
} from "./index.ts"
import { Faults } from "./testing/index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => Transaction.make(`n-${n}`, { n }))
const source = (count: number, options?: Memory.SourceOptions) => Memory.source(Numbers, numbers(count), options)
const connection = new Reason.ConnectionLost({ message: "restarting" })

// What a task did: when each transaction started and ended, and how many ran at the same time.
class Log {
  readonly starts: Array<readonly [number, number]> = []
  readonly ends: Array<readonly [number, number]> = []
  active = 0
  peak = 0
}

const working = (log: Log, time: (n: number) => Duration.Input, policy: Policy.Input = {}) =>
  Task.consumer("working", Numbers, ({ payload: { n } }) =>
    Effect.gen(function*() {
      const clock = yield* Effect.clockWith(Effect.succeed)
      log.starts.push([n, clock.currentTimeMillisUnsafe()])
      log.peak = Math.max(log.peak, ++log.active)
      yield* Effect.sleep(time(n))
      log.ends.push([n, clock.currentTimeMillisUnsafe()])
    }).pipe(Effect.ensuring(Effect.sync(() => log.active--)))).pipe(
      // What a test leaves running ends with it.
      Task.policy({ shutdown: { grace: 0 } }),
      Task.policy(policy)
    )

// A source that records what it is asked for, and when. Wraps what stands below.
const asked = (requests: Array<readonly [number, number]>) => <E, R>(layer: Layer.Layer<Numbers, E, R>) =>
  Layer.effect(
    Numbers,
    Effect.map(Numbers, ({ source }) => ({
      source: {
        ...source,
        fetch: (request: Connector.FetchRequest) =>
          Effect.clockWith((clock) => {
            requests.push([request.max, clock.currentTimeMillisUnsafe()])
            return source.fetch(request)
          })
      }
    }))
  ).pipe(Layer.provide(layer))

const run = <X, R>(task: Task.Any<X, R>, time: Duration.Input, control?: Control.Control) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(Task.run(task, { control })))
    yield* TestClock.adjust(time)
    return yield* yield* Fiber.join(fiber)
  })

// What a run has done when this much time has passed; it goes on, and is interrupted with the test.
const start = <X, R>(task: Task.Any<X, R>, time: Duration.Input, control?: Control.Control) =>
  Effect.tap(Effect.forkChild(Task.run(task, { control })), TestClock.adjust(time))

const quick = (_: number): Duration.Input => 0

describe("loop.mode", () => {
  // n-0 takes 5 seconds, the others 1.
  const uneven = (n: number): Duration.Input => n === 0 ? "5 seconds" : "1 second"

  it.effect("continuous refills a finished slot at once", () =>
    Effect.gen(function*() {
      const log = new Log()
      yield* run(working(log, uneven, { loop: { concurrency: 2 } }), "10 seconds")
      assert.deepStrictEqual(log.starts, [[0, 0], [1, 0], [2, 1000], [3, 2000], [4, 3000], [5, 4000]])
      assert.strictEqual(log.peak, 2)
    }).pipe(Effect.provide(source(6))))

  it.effect("batch ends and settles a batch before it fetches the next", () =>
    Effect.gen(function*() {
      const log = new Log()
      const acked: Array<number> = []
      const task = working(log, uneven, { loop: { concurrency: 2, mode: "batch" }, fetch: { batch: { size: 3 } } })
      const counting = task.pipe(
        Task.onSuccess(() => Effect.map(Memory.contents(Numbers), (contents) => void acked.push(contents.acked.length)))
      )
      yield* run(counting, "10 seconds")
      assert.deepStrictEqual(log.starts, [[0, 0], [1, 0], [2, 1000], [3, 5000], [4, 5000], [5, 6000]])
      assert.strictEqual(log.peak, 2)
      // Those of the first batch were all settled before the second one was fetched.
      assert.isTrue(acked.slice(3).every((count) => count >= 3), String(acked))
    }).pipe(Effect.provide(source(6))))

  it.effect("batch.interval is the least time from one batch to the next", () =>
    Effect.gen(function*() {
      const log = new Log()
      const task = working(log, (n) => n < 2 ? "1 second" : "12 seconds", {
        loop: { mode: "batch", concurrency: 2 },
        fetch: { batch: { interval: "10 seconds" } }
      })
      yield* run(task, "1 minute")
      assert.deepStrictEqual(log.starts, [[0, 0], [1, 0], [2, 10_000], [3, 10_000], [4, 22_000], [5, 22_000]])
    }).pipe(Effect.provide(source(6))))
})

describe("batch.interval", () => {
  it.effect("holds also after a requeue", () =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const task = Task.consumer("requeueing", Numbers, () =>
        Effect.clockWith((clock) =>
          starts.push(clock.currentTimeMillisUnsafe()) === 1 ? Effect.fail("later") : Effect.void
        )).pipe(
          Task.decide((_: string) =>
            Decision.requeue()
          ),
          Task.policy({ loop: { mode: "batch" }, fetch: { batch: { interval: "10 seconds" } } })
        )
      yield* run(task, "1 minute")
      assert.deepStrictEqual(starts, [0, 10_000, 20_000])
    }).pipe(Effect.provide(source(2))))
})

describe("loop.streaming", () => {
  for (const mode of ["continuous", "batch"] as const) {
    it.effect(`off, in ${mode} mode: the run ends with its last transaction`, () =>
      Effect.gen(function*() {
        const log = new Log()
        const summary = yield* run(working(log, () => "20 seconds", { loop: { mode, concurrency: 3 } }), "20 seconds")
        assert.deepStrictEqual([summary.fetched, summary.succeeded], [2, 2])
        assert.strictEqual(Duration.toMillis(summary.duration), 20_000)
      }).pipe(Effect.provide(source(2))))

    it.effect(`on, in ${mode} mode: the run goes on after an empty fetch`, () =>
      Effect.gen(function*() {
        const log = new Log()
        const fiber = yield* start(working(log, quick, { loop: { mode, streaming: true } }), "1 hour")
        assert.strictEqual(log.ends.length, 2)
        assert.isUndefined(fiber.pollUnsafe())
      }).pipe(Effect.provide(source(2))))

    it.effect(`on, in ${mode} mode: the end of the source ends the run`, () =>
      Effect.gen(function*() {
        const log = new Log()
        const summary = yield* run(working(log, () => "1 second", { loop: { mode, streaming: true } }), "1 minute")
        assert.strictEqual(summary.succeeded, 3)
      }).pipe(Effect.provide(source(3, { end: true }))))
  }

  it.effect("off: what the source delays is counted, not waited for", () =>
    Effect.gen(function*() {
      const task = Task.consumer("delaying", Numbers, () => Effect.fail("later")).pipe(
        Task.decide((_: string) => Decision.requeue("1 hour"))
      )
      const summary = yield* run(task, 0)
      assert.deepInclude(summary, { fetched: 2, requeued: 2, delayed: 2 })
    }).pipe(Effect.provide(source(2))))

  it.effect("off: what the engine itself holds for later is waited for", () =>
    Effect.gen(function*() {
      let tries = 0
      const task = Task.consumer("delaying", Numbers, () =>
        Effect.suspend(() =>
          ++tries === 1 ? Effect.fail("later") : Effect.void
        )).pipe(
          Task.decide((_: string) => Decision.requeue("1 hour"))
        )
      const summary = yield* run(task, "1 hour")
      assert.deepInclude(summary, { fetched: 2, requeued: 1, succeeded: 1, delayed: 0 })
    }).pipe(Effect.provide(source(1, { requeueDelay: "engine" }))))
})

describe("loop.limit", () => {
  const policies: ReadonlyArray<[string, Policy.Input]> = [
    ["continuous", { loop: { concurrency: 4, streaming: true }, fetch: { prefetch: 3, batch: { size: 5 } } }],
    ["batch", { loop: { concurrency: 4, streaming: true, mode: "batch" }, fetch: { batch: { size: 5 } } }]
  ]
  for (const [mode, policy] of policies) {
    for (const limit of [1, 4, 7]) {
      it.effect(`${limit} is exact in ${mode} mode: never more is asked for than what is left`, () => {
        const requests: Array<readonly [number, number]> = []
        return Effect.gen(function*() {
          const log = new Log()
          const task = working(log, () => "1 second", policy).pipe(Task.policy({ loop: { limit } }))
          const summary = yield* run(task, "1 minute")
          assert.deepStrictEqual([summary.fetched, summary.succeeded, log.starts.length], [limit, limit, limit])
          const { inFlight, ready } = yield* Memory.contents(Numbers)
          assert.deepStrictEqual([inFlight.length, ready.length], [0, 20 - limit])
          let left = limit
          for (const [max] of requests) {
            assert.isAtMost(max, left)
            left -= max
          }
        }).pipe(Effect.provide(source(20).pipe(asked(requests))))
      })
    }
  }

  it.effect("0 fetches nothing", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const summary = yield* Task.run(working(new Log(), quick, { loop: { limit: 0, streaming: true } }))
      assert.deepStrictEqual([summary.fetched, requests], [0, []])
    }).pipe(Effect.provide(source(3).pipe(asked(requests))))
  })

  it.effect("gives back what a source hands over beyond it", () =>
    Effect.gen(function*() {
      const log = new Log()
      const summary = yield* run(working(log, quick, { loop: { limit: 2 } }), "1 second")
      assert.deepInclude(summary, { fetched: 5, succeeded: 2, released: 3 })
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).ready.map(({ id }) => id), ["n-2", "n-3", "n-4", "n-5"])
    }).pipe(Effect.provide(source(6).pipe(Faults.source(Numbers, { fetch: Faults.at(2, Faults.surplus(3)) })))))
})

describe("an empty source", () => {
  it.effect("that answers at once is asked again after a backoff that grows to its cap", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const task = working(new Log(), quick, { loop: { streaming: true }, fetch: { wait: 0 } })
      yield* start(task, "14 seconds")
      assert.deepStrictEqual(requests.map(([, at]) => at), [0, 100, 300, 700, 1500, 3100, 6300, 11_300])
    }).pipe(Effect.provide(source(0).pipe(asked(requests))))
  })

  it.effect("work resets the backoff", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const task = working(new Log(), quick, {
        loop: { streaming: true },
        fetch: { wait: 0, empty: { backoff: "1 second", multiplier: 3, cap: "5 seconds" } }
      })
      yield* start(task, "30 seconds")
      // Empty at 0, 1 and 4 s; one comes at 9 s; empty at once, and again 1 s after.
      assert.deepStrictEqual(requests.map(([, at]) => at), [
        0,
        1000,
        4000,
        9000,
        9000,
        10_000,
        13_000,
        18_000,
        23_000,
        28_000
      ])
    }).pipe(Effect.provide(arriving(8000).pipe(asked(requests))))
  })

  it.effect("that waits for a first delivery is asked again at once", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      yield* start(working(new Log(), quick, { loop: { streaming: true } }), "7 seconds")
      assert.deepStrictEqual(requests.map(([, at]) => at), [0, 2000, 4000, 6000])
    }).pipe(Effect.provide(source(0).pipe(asked(requests))))
  })

  it.effect("does not starve the other fibers", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const task = working(new Log(), quick, {
        loop: { streaming: true },
        fetch: { wait: 0, empty: { backoff: 0, cap: "1 second" } }
      })
      yield* Effect.forkChild(Task.run(task))
      let turns = 0
      while (turns < 200) {
        turns++
        yield* Effect.yieldNow
      }
      assert.strictEqual(turns, 200)
      assert.isAtMost(requests.length, 1000)
    }).pipe(Effect.provide(source(0).pipe(asked(requests))))
  })

  it.effect("idle slots keep polling while a slow transaction runs", () =>
    Effect.gen(function*() {
      const log = new Log()
      const task = working(log, (n) => n === 0 ? "50 seconds" : "1 second", { loop: { concurrency: 2 } })
      yield* run(task, "1 minute")
      const [, second] = log.starts
      assert.strictEqual(log.starts[0]?.[1], 0)
      assert.isAtLeast(second?.[1] ?? 0, 10_000)
      assert.isAtMost(second?.[1] ?? Infinity, 15_000)
    }).pipe(Effect.provide(arriving(0, 10_000))))
})

// One transaction arrives at each of these times.
function arriving(...times: ReadonlyArray<number>) {
  return Connector.layerSource(
    Numbers,
    Effect.sync(() => {
      let n = 0
      return {
        format: "json" as const,
        capabilities: {
          settlement: "each" as const,
          lease: undefined,
          deliveries: "native" as const,
          requeueDelay: "native" as const,
          deadLetter: "native" as const,
          ordering: "none" as const
        },
        fetch: () =>
          Effect.clockWith((clock) =>
            Effect.succeed(
              n < times.length && times[n]! <= clock.currentTimeMillisUnsafe()
                ? [Delivery.make(Transaction.make(`n-${n}`, { n: n++ }))]
                : []
            )
          ),
        settle: () => Effect.void
      }
    })
  )
}

describe("concurrency", () => {
  for (const mode of ["continuous", "batch"] as const) {
    it.effect(`stays within its bound in ${mode} mode when a source returns more than it was asked for`, () =>
      Effect.gen(function*() {
        const log = new Log()
        const task = working(log, () => "1 second", { loop: { mode, concurrency: 3 } })
        const summary = yield* run(task, "1 minute")
        assert.deepStrictEqual([summary.succeeded, log.peak], [20, 3])
      }).pipe(Effect.provide(source(20).pipe(Faults.source(Numbers, { fetch: Faults.always(Faults.surplus(10)) })))))
  }

  it.effect("can be raised and lowered while the run goes on", () =>
    Effect.gen(function*() {
      const log = new Log()
      const control = yield* Control.make
      yield* start(working(log, () => "10 seconds", { loop: { streaming: true } }), "1 second", control)
      assert.strictEqual(log.active, 1)
      yield* control.setConcurrency(4)
      yield* TestClock.adjust(0)
      assert.strictEqual(log.active, 4)
      yield* control.setConcurrency(2)
      yield* TestClock.adjust("8 seconds")
      // Running ones finish.
      assert.strictEqual(log.active, 4)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(log.active, 2)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(log.active, 2)
      assert.deepStrictEqual((yield* control.status).concurrency, 2)
      assert.strictEqual(log.peak, 4)
    }).pipe(Effect.provide(source(50))))

  it.effect("a delivery that is handed over twice is settled twice, and changes nothing", () =>
    Effect.gen(function*() {
      const log = new Log()
      const summary = yield* run(working(log, () => "1 second", { loop: { concurrency: 4 } }), "1 minute")
      assert.strictEqual(summary.fetched, 6)
      assert.strictEqual(summary.succeeded + summary.redelivered, 6)
      const { acked, deadLetters, inFlight, ready } = yield* Memory.contents(Numbers)
      assert.deepStrictEqual([acked, deadLetters, inFlight, ready], [["n-0", "n-1", "n-2"], [], [], []])
    }).pipe(Effect.provide(source(3).pipe(Faults.source(Numbers, { fetch: Faults.always(Faults.duplicate) })))))
})

describe("loop.rate", () => {
  it.effect("bounds the starts in every window, and can be changed while the run goes on", () =>
    Effect.gen(function*() {
      const log = new Log()
      const control = yield* Control.make
      const task = working(log, quick, {
        loop: { streaming: true, concurrency: 4, rate: { limit: 2, interval: "1 second" } }
      })
      yield* start(task, 2500, control)
      assert.deepStrictEqual(log.starts.map(([, at]) => at), [0, 0, 1000, 1000, 2000, 2000])
      yield* control.setRate({ limit: 1, interval: "10 seconds" })
      yield* TestClock.adjust("10 seconds")
      // What started before the change counts for the new rate as well.
      assert.deepStrictEqual(log.starts.slice(6).map(([, at]) => at), [12_000])
      yield* control.setRate(undefined)
      yield* TestClock.adjust(0)
      assert.strictEqual(log.starts.length, 20)
    }).pipe(Effect.provide(source(20))))

  it.effect("holds for the lifetime of a run that ends by itself", () =>
    Effect.gen(function*() {
      const log = new Log()
      const summary = yield* run(
        working(log, quick, { loop: { rate: { limit: 1, interval: "5 seconds" } } }),
        "1 minute"
      )
      assert.deepStrictEqual(log.starts.map(([, at]) => at), [0, 5000, 10_000])
      assert.strictEqual(summary.succeeded, 3)
    }).pipe(Effect.provide(source(3))))
})

describe("fetching", () => {
  const throttled = new Reason.Throttled({ message: "slow", retryAfter: 20_000 })
  const refused = new Reason.Unauthorized({ message: "no" })

  it.effect("that fails for good ends the run with its FetchError, after what is in flight has finished", () =>
    Effect.gen(function*() {
      const log = new Log()
      const fiber = yield* Effect.forkChild(
        Effect.flip(Task.run(working(log, () => "30 seconds", { loop: { concurrency: 2, streaming: true } })))
      )
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.strictEqual(error.reason, refused)
      assert.strictEqual(error.cause, refused)
      assert.deepStrictEqual((yield* Memory.contents(Numbers)).acked, ["n-0"])
    }).pipe(
      Effect.provide(source(1).pipe(Faults.source(Numbers, { fetch: Faults.at(2, Faults.failBefore(refused)) })))
    ))

  it.effect("fails at once in a run that does not stream", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Task.run(working(new Log(), quick)))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.strictEqual(error.reason, connection)
    }).pipe(
      Effect.provide(source(1).pipe(Faults.source(Numbers, { fetch: Faults.at(1, Faults.failBefore(connection)) })))
    ))

  it.effect("is tried again without end in a streaming run, spaced by the empty backoff", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const log = new Log()
      yield* start(working(log, quick, { loop: { streaming: true } }), "1 minute")
      assert.deepStrictEqual(
        requests.slice(0, 9).map(([, at]) => at),
        [0, 100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]
      )
      assert.deepStrictEqual(log.starts, [[0, 16_300]])
    }).pipe(
      Effect.provide(
        source(1).pipe(
          Faults.source(Numbers, { fetch: Faults.first(8, Faults.failBefore(connection)) }),
          asked(requests)
        )
      )
    )
  })

  it.effect("is tried as often as its policy says, and a success counts anew", () =>
    Effect.gen(function*() {
      const log = new Log()
      const task = working(log, quick, { fetch: { retry: { maxAttempts: 3, backoff: "1 second" } } })
      const error = yield* Effect.flip(run(task, "1 minute"))
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.deepStrictEqual(log.starts, [[0, 3000], [1, 6000]])
    }).pipe(
      Effect.provide(
        source(9).pipe(
          Faults.source(Numbers, {
            fetch: (call) => call === 3 || call === 6 ? undefined : Faults.failBefore(connection)
          })
        )
      )
    ))

  it.effect("leaves a source alone for as long as it asks", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      yield* start(working(new Log(), quick, { loop: { streaming: true } }), "21 seconds")
      assert.deepStrictEqual(requests.slice(0, 2).map(([, at]) => at), [0, 20_000])
    }).pipe(
      Effect.provide(
        source(0).pipe(
          Faults.source(Numbers, { fetch: Faults.at(1, Faults.failBefore(throttled)) }),
          asked(requests)
        )
      )
    )
  })

  it.effect("that never answers is interrupted after fetch.timeout, and tried again", () =>
    Effect.gen(function*() {
      const log = new Log()
      yield* start(working(log, quick, { loop: { streaming: true } }), "33 seconds")
      assert.deepStrictEqual(log.starts, [[0, 32_100]])
    }).pipe(Effect.provide(source(1).pipe(Faults.source(Numbers, { fetch: Faults.at(1, Faults.hang()) })))))

  it.effect("a defect of the source is a FetchError of an unknown reason", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(run(working(new Log(), quick, { loop: { streaming: true } }), "1 second"))
      const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : undefined
      assert.instanceOf(error, ConnectorError.FetchError)
      assert.deepInclude(error.reason, { _tag: "Unknown", cause: "bug" })
    }).pipe(Effect.provide(source(1).pipe(Faults.source(Numbers, { fetch: Faults.at(1, Faults.die("bug")) })))))

  it.effect("asks for what the free slots and the prefetch can take, at most batch.size at a time", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const log = new Log()
      const control = yield* Control.make
      const task = working(log, () => "10 seconds", {
        loop: { streaming: true, concurrency: 4 },
        fetch: { prefetch: 5, batch: { size: 5 } }
      })
      yield* start(task, "1 second", control)
      assert.deepStrictEqual(requests.map(([max]) => max), [5, 4])
      assert.deepInclude(yield* control.status, { inFlight: 4, buffered: 5 })
    }).pipe(Effect.provide(source(50).pipe(asked(requests))))
  })

  it.effect("asks for the next ones before it starts what came, so that the source is not idle meanwhile", () => {
    const told: Array<string> = []
    const slow = Layer.effect(
      Numbers,
      Effect.map(Numbers, ({ source }) => ({
        source: {
          ...source,
          fetch: (request: Connector.FetchRequest) =>
            Effect.suspend(() => {
              told.push(`fetch ${request.max}`)
              return Effect.delay(source.fetch(request), "1 second")
            })
        }
      }))
    )
    const task = Task.consumer("told", Numbers, ({ payload: { n } }) => Effect.sync(() => void told.push(`start ${n}`)))
    return Effect.gen(function*() {
      yield* run(
        task.pipe(
          Task.policy({ loop: { concurrency: 2, limit: 4 }, fetch: { prefetch: 2, batch: { size: 2 } } })
        ),
        "5 seconds"
      )
      assert.deepStrictEqual(told, ["fetch 2", "fetch 2", "start 0", "start 1", "start 2", "start 3"])
    }).pipe(Effect.provide(Layer.provide(slow, source(9))))
  })

  it.effect("of work that takes no time fetches ahead what a round trip allows, at most 4 times the concurrency", () => {
    const requests: Array<readonly [number, number]> = []
    return Effect.gen(function*() {
      const control = yield* Control.make
      const task = working(new Log(), quick, { loop: { streaming: true, concurrency: 4 } })
      yield* start(task, "2 seconds", control)
      const asked = requests.map(([max]) => max)
      assert.strictEqual(asked[0], 4)
      assert.isAbove(Math.max(...asked), 8)
      assert.isAtMost(Math.max(...asked), 16)
    }).pipe(
      Effect.provide(
        source(5000).pipe(Faults.source(Numbers, { fetch: Faults.always(Faults.late("10 millis")) }), asked(requests))
      )
    )
  })

  it.effect("of slow work fetches nothing ahead by itself", () =>
    Effect.gen(function*() {
      const control = yield* Control.make
      const task = working(new Log(), () => "10 seconds", { loop: { streaming: true, concurrency: 4 } })
      yield* start(task, "35 seconds", control)
      assert.deepInclude(yield* control.status, { inFlight: 4, buffered: 0 })
    }).pipe(Effect.provide(source(50))))
})
