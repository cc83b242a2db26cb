import { stripVTControlCharacters } from "node:util"
import { afterEach, describe, expect, it } from "vitest"
import { cleanUp, ergon, hasTerminal, inTerminal } from "./test/shell.ts"

afterEach(cleanUp)

describe.runIf(hasTerminal())("on a terminal", () => {
  it("a run shows a live line, what is logged meanwhile stands above it, and the end is a summary", async () => {
    const run = inTerminal("run orders", { ORDER_COUNT: "300", WORK: "20 millis" })
    const { code } = await run.ended
    expect(code).toBe(0)
    const text = stripVTControlCharacters(run.text())
    const drawn = new Set(text.match(/orders {2}[\d,]+\/300/g))
    expect(drawn.size).toBeGreaterThan(3)
    expect(text).toMatch(/orders {2}\d+\/300 {2}[\d.,]+\/s {2}[12] in flight {2}\d+ succeeded {2}0 failed/)
    expect(text).toMatch(/about \d+ s left/)
    const screen = run.screen().split("\n").map((line) => line.trimEnd()).filter((line) => line !== "")
    // Nothing of the live line is left, and no other line is torn.
    expect(screen.filter((line) => line.includes("/300"))).toEqual([])
    expect(screen.filter((line) => line.includes("hundredth"))).toEqual([
      expect.stringMatching(/^\[[\d:.]+\] INFO .*order-99 is a hundredth/),
      expect.stringMatching(/^\[[\d:.]+\] INFO .*order-199 is a hundredth/),
      expect.stringMatching(/^\[[\d:.]+\] INFO .*order-299 is a hundredth/)
    ])
    expect(screen.some((line) => /^\[[\d:.]+\] INFO .*orders: 300 fetched, 300 succeeded/.test(line))).toBe(true)
  })

  it("Ctrl-C says that it drains and how much is left, live", async () => {
    const run = inTerminal("run orders", { ORDER_COUNT: "50", WORK: "2 seconds", TELLS: "yes" })
    await run.until(/order-1 begins/)
    run.type("\u0003")
    const { code } = await run.ended
    expect(code).toBe(130)
    const text = stripVTControlCharacters(run.text())
    expect(text).toMatch(/SIGINT: draining; 2 transactions in flight have at most 30 seconds/)
    expect(text).toMatch(/orders {2}draining, 2 left \(at most \d+ s\)/)
    expect(run.screen()).toMatch(/orders: 2 fetched, 2 succeeded/)
    expect(run.screen()).not.toContain("left (at most")
  })

  it("a second Ctrl-C interrupts what runs and releases it", async () => {
    const run = inTerminal("run orders", { ORDER_COUNT: "50", WORK: "1 minute", TELLS: "yes" })
    await run.until(/order-1 begins/)
    run.type("\u0003")
    await run.until(/draining, 2 left/)
    run.type("\u0003")
    const { code } = await run.ended
    expect(code).toBe(130)
    expect(run.text()).toMatch(/interrupting and releasing 2 transactions/)
    expect(run.screen()).toMatch(/2 released/)
  })

  it("lines fit a narrow terminal, and NO_COLOR is respected", async () => {
    const env = { ORDER_COUNT: "60", WORK: "50 millis" }
    const [narrow, plain, quiet, none] = [
      inTerminal("run orders", env, 40),
      inTerminal("run orders", { ...env, NO_COLOR: "1" }),
      inTerminal("run orders --quiet", { ...env, ORDER_COUNT: "10" }),
      inTerminal("run orders --no-progress", { ...env, ORDER_COUNT: "10" })
    ]
    await Promise.all([narrow, plain, quiet, none].map(({ ended }) => ended))
    const lines = stripVTControlCharacters(narrow.text()).split(/[\r\n]+/).filter((line) => line.startsWith("orders  "))
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line.length).toBeLessThan(40)
    expect(plain.text()).toContain("orders  ")
    expect(plain.text()).not.toContain("\u001b[1morders")
    expect(narrow.text()).toContain("\u001b[1morders")
    expect(quiet.text().trim()).toBe("")
    expect(none.text()).not.toContain("orders  ")
    expect(none.text()).toContain("10 succeeded")
  })

  it("a transaction needs a payload: a terminal is not waited for", async () => {
    const run = inTerminal("process-transaction orders", {})
    expect((await run.ended).code).toBe(2)
    expect(run.text()).toContain("there is no payload")
  })
})

it("in a pipe, and in CI, a run logs a line from time to time", async () => {
  const env = { ORDER_COUNT: "24", WORK: "1 second" }
  const { code, stderr } = await ergon("run orders", { env })
  expect(code).toBe(0)
  expect(stderr).toMatch(/INFO .*orders {2}\d+\/24 {2}[\d.]+\/s {2}2 in flight {2}\d+ succeeded {2}0 failed/)
  expect(stderr).not.toContain("\u001b[2K")
})
