import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Liveness, Policy, Run, Task, Transaction } from "./index.ts"

const bounds = Liveness.bounds(Policy.make({ supervision: { startGrace: 0 } }))

const status: Liveness.Judged = {
  phase: "running",
  fetched: 0,
  inFlight: 0,
  buffered: 0,
  held: 0,
  settling: 0,
  concurrency: 2,
  fetchingSince: undefined,
  oldestSince: undefined,
  fetchFailures: 0
}

interface Look extends Partial<Omit<Liveness.Sample, "status">> {
  readonly status?: Partial<Liveness.Judged>
}

/** Checks it every ten seconds. */
const follow = (
  looks: ReadonlyArray<Look>,
  given: Liveness.Bounds = bounds,
  from: Liveness.Liveness = Liveness.start(0)
): Liveness.Liveness =>
  looks.reduce<Liveness.Liveness>((health, look) =>
    Liveness.check(given, health, {
      at: health.checkedAt + 10_000,
      connectors: [],
      count: undefined,
      ...look,
      status: { ...status, ...look.status }
    }), from)

const times = (count: number, look: Look): ReadonlyArray<Look> => Array.from({ length: count }, () => look)
const tags = (health: Liveness.Liveness) => health.reasons.map(({ _tag }) => _tag)
const ready = (count: number): Liveness.CountCheck => ({ _tag: "Counted", ready: count })

describe("a fetch", () => {
  it("in flight for longer than its threshold is unhealthy, and says so", () => {
    assert.isTrue(Liveness.isHealthy(follow(times(3, { status: { fetchingSince: 0 } }))))
    const health = follow(times(4, { status: { fetchingSince: 0 } }))
    assert.deepStrictEqual(health.reasons, [{
      _tag: "FetchStuck",
      message:
        "a fetch is in flight for 40s, more than 37s (supervision.thresholds.fetch): look at the source and its " +
        "connection; the fetch did not end when it was interrupted"
    }])
  })

  it("has no threshold when there is none, nor in a drain or a stop", () => {
    const none = Liveness.bounds(Policy.make({ supervision: { startGrace: 0, thresholds: { fetch: null } } }))
    assert.isTrue(Liveness.isHealthy(follow(times(99, { status: { fetchingSince: 0 } }), none)))
    for (const phase of ["draining", "stopping", "idle"] as const) {
      assert.isTrue(Liveness.isHealthy(follow(times(99, { status: { phase, fetchingSince: 0 } }))))
    }
  })
})

describe("a transaction", () => {
  it("worked on for longer than its threshold is unhealthy", () => {
    assert.isTrue(Liveness.isHealthy(follow(times(15, { status: { oldestSince: 0, inFlight: 1 } }))))
    const health = follow(times(16, { status: { oldestSince: 0, inFlight: 1 } }))
    assert.deepStrictEqual(tags(health), ["TransactionStuck"])
    assert.include(health.reasons[0]!.message, "for 2m 40s, more than 2m 30s (supervision.thresholds.transaction)")
  })

  it("without a deadline has no threshold", () => {
    const none = Liveness.bounds(Policy.make({ transaction: { timeout: null }, supervision: { startGrace: 0 } }))
    assert.isTrue(Liveness.isHealthy(follow(times(999, { status: { oldestSince: 0, inFlight: 1 } }), none)))
  })
})

describe("a connector", () => {
  it("that says it is unhealthy, or says nothing, is", () => {
    const health = follow([{
      connectors: [
        { id: "jobs", role: "source", result: { _tag: "Failed", message: "no route to host" } },
        { id: "out", role: "sink", result: { _tag: "Unanswered", after: 10_000 } },
        { id: "dead", role: "deadLetters", result: { _tag: "Healthy" } }
      ]
    }])
    assert.deepStrictEqual(tags(health), ["ConnectorUnhealthy", "ConnectorSilent"])
    assert.match(health.reasons[0]!.message, /^source "jobs" is unhealthy: no route to host: look at/)
    assert.match(
      health.reasons[1]!.message,
      /^sink "out" has not said for 10s \(supervision.check\) how it is: look at/
    )
  })

  it("is not judged before the run and after it", () => {
    const connectors = [{ id: "jobs", role: "source", result: { _tag: "Failed", message: "closed" } }] as const
    assert.isTrue(Liveness.isHealthy(follow([{ status: { phase: "idle" }, connectors }])))
  })
})

describe("consumption", () => {
  const waiting = times(5, { count: ready(3) })

  it("has to be seen while something is ready and slots are free", () => {
    assert.isTrue(Liveness.isHealthy(follow(times(4, { count: ready(3) }))))
    const health = follow(waiting)
    assert.deepStrictEqual(tags(health), ["NotConsuming"])
    assert.match(
      health.reasons[0]!.message,
      /^connected but not consuming: nothing was fetched for 40s, more than 37s, with slots free and 3 ready/
    )
  })

  it("is not expected of an empty source, of full slots, nor where nothing can be counted", () => {
    assert.isTrue(Liveness.isHealthy(follow(times(99, { count: ready(0) }))))
    assert.isTrue(Liveness.isHealthy(follow(times(99, { count: ready(9), status: { inFlight: 2 } }))))
    assert.isTrue(Liveness.isHealthy(follow(times(99, {}))))
  })

  it("counts from the last fetch that brought something", () => {
    const came = follow([...times(4, { count: ready(3) }), { count: ready(3), status: { fetched: 1 } }])
    assert.isTrue(Liveness.isHealthy(follow(times(3, { count: ready(3), status: { fetched: 1 } }), bounds, came)))
    const later = follow(times(5, { count: ready(3), status: { fetched: 1 } }), bounds, came)
    assert.deepStrictEqual(tags(later), ["NotConsuming"])
  })

  it("is not expected while fetches fail, nor of what is held up by a lane, a rate, a limit or a full memory", () => {
    for (
      const held of [
        { fetchFailures: 1 },
        { buffered: 1 },
        { held: 5000 },
        { settling: 5000 },
        { phase: "draining" }
      ] as const
    ) {
      assert.isTrue(Liveness.isHealthy(follow(times(99, { count: ready(9), status: held }))))
    }
    const limited = Liveness.bounds(Policy.make({ loop: { limit: 7 }, supervision: { startGrace: 0 } }))
    assert.isTrue(Liveness.isHealthy(follow(times(99, { count: ready(9), status: { fetched: 7 } }), limited)))
  })

  it("of batches is expected only between two of them, and after their interval", () => {
    const batches = Liveness.bounds(Policy.make({
      loop: { mode: "batch", concurrency: 2 },
      fetch: { batch: { interval: "10 minutes" } },
      supervision: { startGrace: 0 }
    }))
    assert.isTrue(Liveness.isHealthy(follow(times(999, { count: ready(9), status: { inFlight: 1 } }), batches)))
    assert.isTrue(Liveness.isHealthy(follow(times(61, { count: ready(9) }), batches)))
    assert.deepStrictEqual(tags(follow(times(63, { count: ready(9) }), batches)), ["NotConsuming"])
  })

  it("that cannot be seen, because the source fails to count, is unhealthy", () => {
    const failed = follow(times(5, { count: { _tag: "Failed", message: "gone" } }))
    assert.deepStrictEqual(tags(failed), ["CountFailed"])
    assert.include(failed.reasons[0]!.message, "the source fails to count what is ready: gone")
    assert.deepStrictEqual(tags(follow(times(5, { count: { _tag: "Unanswered", after: 1 } }))), ["CountFailed"])
    const consuming = Array.from({ length: 9 }, (_, fetched): Look => ({
      count: { _tag: "Failed", message: "gone" },
      status: { fetched: fetched + 1 }
    }))
    assert.isTrue(Liveness.isHealthy(follow(consuming)))
  })
})

describe("the graces", () => {
  const ill: Look = { connectors: [{ id: "jobs", role: "source", result: { _tag: "Failed", message: "down" } }] }

  it("no check counts as failed so soon after the start", () => {
    const defaults = Liveness.bounds(Policy.make())
    assert.isTrue(Liveness.isHealthy(follow(times(5, ill), defaults)))
    assert.isFalse(Liveness.isHealthy(follow(times(6, ill), defaults)))
  })

  it("unhealthy for unhealthyGrace asks for the end, and one healthy check resets it", () => {
    assert.isFalse(Liveness.asksForEnd(bounds, follow(times(3, ill))))
    assert.isTrue(Liveness.asksForEnd(bounds, follow(times(4, ill))))
    assert.isFalse(Liveness.asksForEnd(bounds, follow([...times(3, ill), {}, ...times(3, ill)])))
    assert.isTrue(Liveness.asksForEnd(bounds, follow([...times(3, ill), {}, ...times(4, ill)])))
  })

  it("a blocked loop and a check that fails are unhealthy", () => {
    const reason = Liveness.loopBlocked(25_000, bounds.blocked)
    const once = Liveness.checkFailed(bounds, Liveness.start(0), { at: 20_000, reason })
    assert.deepStrictEqual(once.reasons, [{
      _tag: "LoopBlocked",
      message: "the event loop has not turned for 25s, more than 20s (twice supervision.check): look for a loop or a " +
        "synchronous call that does not end; work for the CPU belongs in a worker"
    }])
    const failed = Liveness.checkFailed(bounds, once, {
      at: 50_000,
      passed: 30_000,
      reason: Liveness.checkFailedReason("x")
    })
    assert.deepStrictEqual(tags(failed), ["CheckFailed"])
    assert.isTrue(Liveness.asksForEnd(bounds, failed))
    assert.isTrue(Liveness.isHealthy(follow([{}], bounds, failed)))
    const young = Liveness.checkFailed(Liveness.bounds(Policy.make()), Liveness.start(0), { at: 20_000, reason })
    assert.isTrue(Liveness.isHealthy(young))
  })

  it("time that the process did not have counts in none of them", () => {
    const twice = follow(times(2, ill))
    const hour = 3_600_000
    const awake = follow([{ ...ill, at: twice.checkedAt + hour, passed: 10_000 }], bounds, twice)
    assert.strictEqual(awake.unhealthyFor, 20_000)
    const fetching = follow([{ at: hour, passed: 10_000, status: { fetchingSince: 0 } }])
    assert.isTrue(Liveness.isHealthy(fetching))
    // The clock was set back.
    assert.isTrue(Liveness.isHealthy(follow([{ at: 0, status: { fetchingSince: 5000 } }], bounds, fetching)))
  })
})

describe("the bounds of a task", () => {
  const boundsOf = <X>(task: Task.Any<X, never>) =>
    Effect.gen(function*() {
      const seen: Array<Run.Run> = []
      const observer: Run.Observer = { started: (run) => void seen.push(run), finished: () => {}, closed: () => {} }
      yield* Effect.provideService(Task.run(task), Run.Observer, observer)
      return Liveness.bounds(seen[0]!.policy)
    })
  const producer = Task.producer("numbers", [Transaction.make("1", 1)], () => Effect.void).pipe(Task.discardFailures)

  it.effect("a stream may take its time, unless fetch.timeout is set", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* boundsOf(producer)).fetch, Infinity)
      const timed = yield* boundsOf(producer.pipe(Task.policy({ fetch: { timeout: "10 seconds" } })))
      assert.strictEqual(timed.fetch, 15_000)
      const set = yield* boundsOf(producer.pipe(Task.policy({ supervision: { thresholds: { fetch: "1 minute" } } })))
      assert.strictEqual(set.fetch, 60_000)
    }))
})
