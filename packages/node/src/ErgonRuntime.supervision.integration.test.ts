import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { type Child, killAll, startProgram } from "./test/child.ts"
import type { Supervised } from "./test/supervised.ts"

const program = fileURLToPath(new URL("./test/supervised.ts", import.meta.url))
const run = (scenario: Supervised): Child => startProgram(program, scenario)

afterEach(killAll)

// With checks every 100 ms and a grace of 400 ms, what is unhealthy is ended long before this, in milliseconds.
const longEnough = 2500

describe("a supervised process", () => {
  it("is killed when its event loop is blocked for good", async () => {
    const child = run({ block: -1, count: 2 })
    await child.says("started 0")
    const from = performance.now()
    const { signal, stderr } = await child.ended
    assert.strictEqual(signal, "SIGKILL")
    assert.match(
      stderr,
      /^ergon: process \d+ is killed: its event loop was silent for [\d.]+ s, and it did not end within/m
    )
    // Twice check, unhealthyGrace, then grace, close and a second; the rest is the start of the watchdog's thread.
    assert.isBelow(performance.now() - from, 200 + 400 + 2500 + 5000)
  })

  it("is left alone when its event loop was blocked and comes back", async () => {
    const { code, lines, stderr } = await run({ after: 1500, block: 450, count: 3, streaming: false }).ended
    assert.strictEqual(code, 0, stderr)
    assert.include(lines, "ended 0")
    assert.notInclude(stderr, "unhealthy")
  })

  it("drains and fails when it was blocked for too long and comes back then", async () => {
    const { code, lines, stderr } = await run({ after: 1500, block: 2000, count: 2 }).ended
    assert.strictEqual(code, 1, stderr)
    assert.include(lines, "ended 0")
    assert.include(stderr, "ERROR")
    assert.include(stderr, "unhealthy for too long: the event loop has not turned for")
  })

  it("stays healthy while its queue is idle, and while its fetches fail and are tried again", async () => {
    const idle = run({ count: 1 })
    const retrying = run({ fetch: "fails", policy: { fetch: { retry: { backoff: "1 minute" } } } })
    await Promise.all([idle.says("ended 0"), retrying.says("fails")])
    // There is nothing to wait for: what is to be seen is that nothing happens.
    await sleep(longEnough)
    for (const child of [idle, retrying]) {
      child.send("SIGTERM")
      const { code, stderr } = await child.ended
      assert.strictEqual(code, 143, stderr)
      assert.notInclude(stderr, "unhealthy")
    }
  })

  it("ends when a fetch hangs and cannot be interrupted", async () => {
    const { code, stderr } = await run({ fetch: "hangs" }).ended
    assert.strictEqual(code, 1, stderr)
    assert.match(stderr, /unhealthy for too long: task "jobs": a fetch is in flight for/)
  })

  it("drains when a connector is unhealthy for too long: what is in flight is finished", async () => {
    const { code, lines, stderr } = await run({ sickAfter: 300, count: 3, work: 1000, streaming: true }).ended
    assert.strictEqual(code, 1, stderr)
    assert.deepStrictEqual(lines.filter((line) => line.startsWith("ended")), ["ended 0", "ended 1", "ended 2"])
    assert.match(stderr, /WARN .* unhealthy: task "jobs": source "jobs" is unhealthy: .*the broker is away/)
    assert.match(stderr, /ERROR .* unhealthy for too long: task "jobs": source "jobs" is unhealthy/)
    assert.include(stderr, "3 succeeded")
  })

  it("survives being suspended", async () => {
    const child = run({ count: 1 })
    await child.says("ended 0")
    child.send("SIGSTOP")
    await sleep(longEnough)
    child.send("SIGCONT")
    await sleep(longEnough)
    child.send("SIGTERM")
    const { code, stderr } = await child.ended
    assert.strictEqual(code, 143, stderr)
    assert.notInclude(stderr, "unhealthy")
  })

  it("that is not supervised is not ended", async () => {
    const child = run({ count: 1, sickAfter: 0, supervision: false })
    await child.says("ended 0")
    await sleep(longEnough)
    child.send("SIGTERM")
    const { code, stderr } = await child.ended
    assert.strictEqual(code, 143, stderr)
    assert.notInclude(stderr, "unhealthy")
  })
})
