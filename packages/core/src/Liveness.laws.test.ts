import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Liveness, Policy } from "./index.ts"

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Step = Schema.Struct({
  // Milliseconds since the check before.
  wait: int(1, 2500),
  // For how long the fetch in flight is; none when 0.
  fetching: int(0, 6000),
  working: int(0, 6000),
  taken: Schema.Literals([0, 0, 1, 5]),
  ready: int(0, 2),
  full: Schema.Boolean,
  failures: Schema.Literals([0, 0, 3]),
  health: Schema.Literals(["Healthy", "Healthy", "Failed", "Unanswered"]),
  phase: Schema.Literals(["running", "running", "draining", "stopping", "idle"])
})
type Step = typeof Step.Type

const History = Schema.Struct({
  startGrace: int(0, 4000),
  unhealthyGrace: int(0, 4000),
  batch: Schema.Boolean,
  steps: Schema.Array(Step).check(Schema.isMaxLength(30))
})
type History = typeof History.Type

const boundsOf = ({ batch, startGrace, unhealthyGrace }: Omit<History, "steps">): Liveness.Bounds =>
  Liveness.bounds(Policy.make({
    loop: { mode: batch ? "batch" : "continuous" },
    fetch: { wait: "100 millis", timeout: "1 second", empty: { cap: "500 millis" } },
    transaction: { timeout: "1 second" },
    exception: { timeout: "1 second" },
    settle: { timeout: "1 second" },
    supervision: { check: "1 second", startGrace, unhealthyGrace }
  }))

const samplesOf = (steps: ReadonlyArray<Step>): ReadonlyArray<Liveness.Sample> => {
  let at = 1_000_000
  let fetched = 0
  return steps.map(({ failures, fetching, full, health, phase, ready, taken, wait, working }) => {
    at += wait
    fetched += taken
    const inFlight = full ? 1 : 0
    return {
      at,
      passed: wait,
      status: {
        phase,
        fetched,
        inFlight,
        buffered: 0,
        held: 0,
        settling: 0,
        concurrency: 1,
        fetchingSince: fetching === 0 ? undefined : at - fetching,
        oldestSince: working === 0 ? undefined : at - working,
        fetchFailures: failures
      },
      connectors: [{
        id: "jobs",
        role: "source",
        result: health === "Healthy"
          ? { _tag: health }
          : health === "Failed"
          ? { _tag: health, message: "down" }
          : { _tag: health, after: 1000 }
      }],
      count: { _tag: "Counted", ready }
    }
  })
}

const follow = (
  bounds: Liveness.Bounds,
  samples: ReadonlyArray<Liveness.Sample>
): ReadonlyArray<Liveness.Liveness> => {
  let health = Liveness.start(1_000_000)
  return samples.map((sample) => health = Liveness.check(bounds, health, sample))
}

/** Everything is as it should be, for as long as there is no surprise about the time. */
const calm = (step: Step): Step => ({
  ...step,
  fetching: Math.min(step.fetching, 1500),
  working: Math.min(step.working, 3000),
  ready: 0,
  health: "Healthy"
})

describe("checks of liveness", () => {
  it.effect.prop(
    "ask for the end after unhealthyGrace without a healthy one",
    [History],
    ([history]) =>
      Effect.sync(() => {
        const bounds = boundsOf(history)
        const samples = samplesOf(history.steps)
        let unhealthySince: number | undefined
        follow(bounds, samples).forEach((health, index) => {
          const { at } = samples[index]!
          unhealthySince = Liveness.isHealthy(health) ? undefined : unhealthySince ?? at
          const expected = unhealthySince !== undefined && at - unhealthySince >= history.unhealthyGrace
          assert.strictEqual(Liveness.asksForEnd(bounds, health), expected)
        })
      })
  )

  it.effect.prop("find nothing before startGrace has passed", [History], ([history]) =>
    Effect.sync(() => {
      const samples = samplesOf(history.steps)
      follow(boundsOf(history), samples).forEach((health, index) => {
        if (samples[index]!.at - 1_000_000 < history.startGrace) assert.isTrue(Liveness.isHealthy(health))
      })
    }))

  it.effect.prop(
    "find nothing in a calm run, however often it is suspended",
    [History],
    ([history]) =>
      Effect.sync(() => {
        let asleep = 0
        const samples = samplesOf(history.steps.map(calm)).map((sample, index) => {
          // An hour before every third check. What began before it seems an hour older, until it is over.
          const nap = index % 3 === 1 ? 3_600_000 : 0
          const { fetchingSince, oldestSince } = sample.status
          const before = asleep
          asleep += nap
          const moved = (time: number | undefined) => time === undefined ? undefined : time + before
          return {
            ...sample,
            at: sample.at + asleep,
            status: { ...sample.status, fetchingSince: moved(fetchingSince), oldestSince: moved(oldestSince) }
          }
        })
        for (const health of follow(boundsOf({ ...history, startGrace: 0 }), samples)) {
          assert.deepStrictEqual(health.reasons, [])
        }
        // The same when nobody says how much of the time was had.
        const unsaid = samples.map((sample) => ({ ...sample, passed: undefined }))
        for (const health of follow(boundsOf({ ...history, startGrace: 0 }), unsaid)) {
          assert.deepStrictEqual(health.reasons, [])
        }
      })
  )

  it.effect.prop(
    "take fetches that fail and are tried again for progress",
    [History],
    ([history]) =>
      Effect.sync(() => {
        const steps = history.steps.map((step): Step => ({
          ...calm(step),
          ready: 2,
          taken: 0,
          fetching: 0,
          failures: 3
        }))
        for (const health of follow(boundsOf({ ...history, startGrace: 0 }), samplesOf(steps))) {
          assert.deepStrictEqual(health.reasons, [])
        }
      })
  )

  it.effect.prop("say the same on the other side of a process boundary", [History], ([history]) =>
    Effect.sync(() => {
      const bounds = boundsOf(history)
      let here = Liveness.start(1_000_000)
      let there = here
      for (const sample of samplesOf(history.steps)) {
        here = Liveness.check(bounds, here, sample)
        const sent = structuredClone({ bounds, sample })
        there = JSON.parse(JSON.stringify(Liveness.check(sent.bounds, there, sent.sample)))
        assert.deepEqual(JSON.parse(JSON.stringify(here)), there)
        assert.strictEqual(Liveness.asksForEnd(bounds, here), Liveness.asksForEnd(bounds, there))
      }
    }))
})
