import { afterAll, assert, describe, it } from "@effect/vitest"
import { accounts, killAll, type Scenario, start } from "./test/child.ts"

afterAll(killAll)

const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const
const names = ["SIGTERM", "SIGINT", "SIGHUP"] as const

/** Numbers in [0, 1), the same for the same seed. */
const random = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const [grace, close] = [500, 500]
// For a machine with much to do; the default grace alone is longer.
const slack = 20_000

/** From the first effect to the last close it takes about a second, in all phases. */
const scenarioOf = (next: () => number): Scenario => ({
  tasks: [{
    name: "orders",
    count: 12,
    concurrency: 4,
    work: 100 + Math.floor(next() * 300),
    stubborn: next() < 0.3,
    streaming: next() < 0.5,
    grace,
    close,
    provide: [{ name: "orders-database", build: 100, close: 100 }]
  }],
  layers: [{ name: "database", build: 50, close: 100 }, { name: "telemetry" }]
})

describe.concurrent("1 to 3 signals at random moments", () => {
  for (let seed = 1; seed <= 16; seed++) {
    it(`number ${seed}: ends in time, with the first one's code, and nothing is lost or settled twice`, async () => {
      const next = random(seed * 7919)
      const child = start(scenarioOf(next))
      const signals = Array.from({ length: 1 + Math.floor(next() * 3) }, () => names[Math.floor(next() * 3)]!)
      await child.says("opening telemetry")
      let running = true
      void child.process.once("exit", () => {
        running = false
      })
      const sent: Array<typeof names[number]> = []
      for (const signal of signals) {
        await new Promise((resolve) => setTimeout(resolve, next() * (sent.length === 0 ? 1200 : 300)))
        // What reaches a busy process at one time comes in an order of its own, and two of one kind as one.
        if (running && child.send(signal)) sent.push(signal)
      }
      const { code, lines, signal, stderr, took } = await child.ended
      const report = `${sent.join(" ")}\n${lines.join("\n")}\n${stderr}`
      assert.isNull(signal, report)
      const told = /(SIG[A-Z]+): (?:draining|stopping)/.exec(stderr)?.[1]
      assert.strictEqual(code, told === undefined ? 0 : codes[told as keyof typeof codes], report)
      assert.isTrue(told === undefined || sent.some((name) => name === told), report)
      assert.isBelow(took, grace + close + slack, report)
      // The third one exits at once, and leaves to the source what is in flight.
      if (!stderr.includes("for the third time")) {
        const { fetched, ...ends } = accounts(lines)
        assert.strictEqual(Object.values(ends).reduce((sum, count) => sum + count, 0), fetched, report)
      }
    })
  }
})
