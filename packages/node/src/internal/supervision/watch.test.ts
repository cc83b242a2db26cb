import { assert, describe, it } from "@effect/vitest"
import { Liveness, Policy } from "@ergon/core"
import { Beats, make, State } from "./beats.ts"
import { allowance } from "./supervise.ts"
import { Watch } from "./watch.ts"

/** A watchdog that looks every 100 ms, and a main thread that may be silent for 500 ms and end within 300 ms. */
const setUp = () => {
  const beats = new Beats(make())
  beats.set("allowed", 500)
  beats.set("within", 300)
  beats.set("tick", 100)
  const watch = new Watch(beats, 0)
  let now = 0
  const looks = (count: number, every = 100) => Array.from({ length: count }, () => watch.look(now += every))
  return { beats, looks, beat: () => beats.add("beats", 1) }
}

describe("the watchdog", () => {
  it("is content while beats come in time", () => {
    const { beat, looks } = setUp()
    for (let i = 0; i < 20; i++) {
      assert.deepStrictEqual(looks(4), ["watching", "watching", "watching", "watching"])
      beat()
    }
  })

  it("asks for the end of a silent process, and kills one that does not even notice", () => {
    const { beats, looks } = setUp()
    assert.deepStrictEqual(looks(6), ["watching", "watching", "watching", "watching", "watching", "asked"])
    assert.strictEqual(beats.get("asked"), 1)
    assert.strictEqual(beats.get("silent"), 600)
    assert.deepStrictEqual(looks(3), ["asked", "asked", "kill"])
  })

  it("gives one that notices the whole of its time", () => {
    const { beats, looks } = setUp()
    looks(8)
    beats.enter(State.ending)
    assert.deepStrictEqual(looks(4), ["ending", "ending", "ending", "kill"])
  })

  it("kills one that asked for its end itself and does not end", () => {
    const { beat, beats, looks } = setUp()
    beats.enter(State.ending)
    assert.deepStrictEqual(looks(2), ["ending", "ending"])
    beat()
    assert.deepStrictEqual(looks(2), ["ending", "kill"])
  })

  it("one beat in time resets it", () => {
    const { beat, looks } = setUp()
    looks(5)
    beat()
    assert.deepStrictEqual(looks(6).slice(-2), ["watching", "watching"])
    assert.deepStrictEqual(looks(1), ["asked"])
  })

  it("does not count the time in which it was suspended itself", () => {
    const { looks } = setUp()
    assert.deepStrictEqual(looks(2, 3_600_000), ["watching", "watching"])
    assert.deepStrictEqual(looks(1), ["watching"])
    assert.deepStrictEqual(looks(1), ["asked"])
  })

  it("asks for nothing while nothing is watched", () => {
    const { beats, looks } = setUp()
    beats.set("allowed", -1)
    assert.notInclude(looks(1000), "asked")
  })

  it("tells how long it has been awake", () => {
    const { beats, looks } = setUp()
    looks(3)
    looks(1, 3_600_000)
    assert.strictEqual(beats.get("awake"), 500)
  })
})

describe("how long it may hear nothing", () => {
  const bounds = Liveness.bounds(Policy.make())
  const reasons = [Liveness.loopBlocked(1, 1)]
  const of = (given: Partial<Liveness.Liveness>) => ({ bounds, liveness: { ...Liveness.start(0), ...given } })

  it("is what is left of startGrace, twice check, and unhealthyGrace", () => {
    assert.strictEqual(allowance([of({ age: 50_000 })]), 10_000 + 20_000 + 30_000)
    assert.strictEqual(allowance([of({ age: 70_000 })]), 50_000)
  })

  it("is less when it is unhealthy already, but never less than twice check", () => {
    assert.strictEqual(allowance([of({ age: 70_000, reasons, unhealthyFor: 5000 })]), 25_000)
    assert.strictEqual(allowance([of({ age: 70_000, reasons, unhealthyFor: 29_000 })]), 20_000)
  })

  it("is that of the run that may be silent for the shortest time", () => {
    assert.strictEqual(allowance([of({ age: 0 }), of({ age: 70_000 })]), 50_000)
  })
})
