import { afterEach, describe, expect, it } from "vitest"
import { begin, cleanUp } from "./test/shell.ts"

afterEach(cleanUp)

describe("a run that is told to stop", () => {
  it("drains: what runs finishes, and the exit code says which signal it was", async () => {
    const env = { ORDER_COUNT: "50", WORK: "1 second", TELLS: "yes" }
    const ends = await Promise.all((["SIGINT", "SIGTERM", "SIGHUP"] as const).map(async (signal) => {
      const run = begin(["run", "orders", "--json"], { env })
      await run.until(/order-1 begins/)
      run.process.kill(signal)
      return run.ended
    }))
    expect(ends.map(({ code }) => code)).toEqual([130, 143, 129])
    for (const { stderr, stdout } of ends) {
      expect(stderr).toMatch(/draining; 2 transactions in flight/)
      expect(JSON.parse(stdout)).toMatchObject([{ task: "orders", end: "interrupted", succeeded: 2, released: 0 }])
    }
  })

  it("interrupts and releases at the second signal", async () => {
    const run = begin(["run", "orders", "--json"], { env: { ORDER_COUNT: "50", WORK: "1 minute", TELLS: "yes" } })
    await run.until(/order-1 begins/)
    run.process.kill("SIGTERM")
    await run.until(/draining/)
    run.process.kill("SIGTERM")
    const { code, stdout } = await run.ended
    expect(code).toBe(143)
    expect(JSON.parse(stdout)).toMatchObject([{ succeeded: 0, released: 2 }])
  })
})

describe.each(["process", "thread"])("workers, each a %s", (kind) => {
  it("run copies of the task, and drain together", async () => {
    const run = begin(
      [
        "run",
        "orders",
        "--json",
        "--workers",
        "2",
        "--worker-kind",
        kind,
        "--process-timeout",
        "30",
        "--concurrency",
        "1"
      ],
      { env: { ORDER_COUNT: "50", WORK: "1 second", TELLS: "yes" } }
    )
    await run.until(/order-0 begins[\s\S]+order-0 begins/)
    run.process.kill("SIGTERM")
    const { code, stdout } = await run.ended
    expect(code).toBe(143)
    const [summary] = JSON.parse(stdout) as ReadonlyArray<{ readonly succeeded: number; readonly fetched: number }>
    // Concurrency is for each worker; both finish what they have begun.
    expect(summary!.succeeded).toBeGreaterThanOrEqual(2)
    expect(summary).toMatchObject({ task: "orders", released: 0, failed: 0, fetched: summary!.succeeded })
  })
})

it("a producer has one worker at most: nothing begins", async () => {
  const run = begin(["run", "numbers", "--workers", "2"])
  const { code, stdout } = await run.ended
  expect(code).toBe(2)
  expect(stdout).toBe("")
  expect(run.text()).toContain("numbers")
})
