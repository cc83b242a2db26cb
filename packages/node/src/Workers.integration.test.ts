import type { Run } from "@ergon/core"
import { afterEach, describe, expect, it } from "vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { fill, left } from "./test/folderSource.ts"
import { cleanUp, start, summaryOf, temporaryFolder } from "./test/hosted.ts"

afterEach(cleanUp)

const many = (count: number, takes: number) => Array.from({ length: count }, () => ({ takes }))

describe.each(["process", "thread"] as const)("workers as %s", (kind) => {
  it("have connectors and ids of their own, and their summaries are one", async () => {
    const folder = temporaryFolder()
    fill(folder, many(12, 100))
    const host = start({ task: "folder", folder, workers: { count: 2, kind }, policy: { loop: { concurrency: 2 } } })
    const end = await host.ended
    expect(end).toMatchObject({ code: 0 })
    expect(end.lines.filter((line) => line.startsWith("layers of worker")).toSorted()).toEqual([
      "layers of worker 0",
      "layers of worker 1"
    ])
    const at = new Map(end.lines.flatMap((line) => {
      const found = /^begin \d+ worker (\d) pid (\d+) thread (\d+)/.exec(line)
      return found === null ? [] : [[found[1], `${found[2]}/${found[3]}`] as const]
    }))
    expect(new Set(at.values()).size).toBe(at.size)
    expect([...at.values()].every((place) => (place.startsWith(`${host.process.pid}/`)) === (kind === "thread"))).toBe(
      true
    )
    expect(summaryOf(end)).toMatchObject({ fetched: 12, succeeded: 12, failed: 0 })
    expect(left(folder)).toEqual({ ready: 0, held: 0, done: 12, failed: 0 })
  })

  it("get shares of the limit that add up to it", async () => {
    const host = start({
      task: "numbers",
      workers: { count: 3, kind },
      policy: { loop: { limit: 100, concurrency: 8 } }
    })
    const end = await host.ended
    expect(summaryOf(end)).toMatchObject({ fetched: 100, succeeded: 100 })
    const shares = [0, 1, 2].map((id) => end.lines.filter((line) => line.endsWith(` worker ${id}`)).length)
    expect(shares.toSorted((a, b) => a - b)).toEqual([33, 33, 34])
  })
})

it("a limit below the number of workers starts no idle ones, and 0 fetches nothing", async () => {
  const [two, none] = await Promise.all(
    [2, 0].map((limit) => start({ task: "numbers", workers: { count: 3, policy: { loop: { limit } } } }).ended)
  )
  expect(summaryOf(two!)).toMatchObject({ fetched: 2, succeeded: 2 })
  expect(summaryOf(none!)).toMatchObject({ fetched: 0 })
})

it("every line a worker logs says which worker it is, and a program runs in each", async () => {
  const end = await start({ task: "program", workers: { count: 2 } }).ended
  expect(end).toMatchObject({ code: 0 })
  expect(end.lines.filter((line) => line.startsWith("program in worker")).toSorted()).toEqual([
    "program in worker 0",
    "program in worker 1"
  ])
  const logged = end.lines.filter((line) => line.includes("logged"))
  expect(new Set(logged.map((line) => /worker: (\d)/.exec(line)?.[1]))).toEqual(new Set(["0", "1"]))
})

it("what cannot run in workers is refused with 2", async () => {
  const cases = [
    [{ task: "producer", workers: { count: 2 } }, "and each of 2 workers would produce everything again"],
    [{ task: "folder", workers: { count: 0 } }, "count must be a whole number of at least 1, got 0"],
    [{ task: "folder", workers: { count: 1, entry: "/nowhere/main.ts" } }, "entry /nowhere/main.ts does not exist"],
    [{ task: "folder", workers: { count: 1, restart: { maxAttempts: 0 } } }, "restart.maxAttempts: 0 is not valid"],
    [
      { task: "folder", workers: { count: 1, policy: { loop: { concurrency: 0 } } } },
      "loop.concurrency: 0 is not valid"
    ]
  ] as const
  const ends = await Promise.all(cases.map(([setup]) => start(setup).ended))
  ends.forEach((end, index) => {
    expect(end.text).toContain(cases[index]![1])
    expect(end.code).toBe(2)
  })
})

it("one worker may produce", async () => {
  const end = await start({ task: "producer", workers: { count: 1 } }).ended
  expect(summaryOf(end)).toMatchObject({ fetched: 1, succeeded: 1 })
})

describe("what no restart mends", () => {
  it("a task that the entry does not serve", async () => {
    const end = await start({ task: "missing", workers: { count: 2 } }).ended
    expect(end.text).toMatch(
      /task "missing" failed in worker \d: UnknownTask: .* serves no task "missing", only "folder", /
    )
    expect(end.code).toBe(2)
  })

  it("configuration that is not there ends with 2", async () => {
    const end = await start({ task: "unconfigured", folder: temporaryFolder(), workers: { count: 1 } }).ended
    expect(end.text).toMatch(/failed in worker 0: ConfigError: .*\n.*ERGON_TEST_MISSING/)
    expect(end.code).toBe(2)
  })

  it("an abort drains the others, and the reason crosses", async () => {
    const folder = temporaryFolder()
    fill(folder, [{ does: "abort" }, ...many(30, 300)])
    const end = await start({ task: "folder", folder, workers: { count: 2 } }).ended
    expect(end).toMatchObject({ code: 1 })
    expect(end.text).toMatch(/failed in worker \d: Aborted: task "folder" was aborted .*"0000"/)
    const { done, held, ready } = left(folder)
    expect(held).toBe(0)
    expect(done + ready).toBe(31)
    expect(ready).toBeGreaterThan(20)
  })
})

describe("the one run that is observed", () => {
  it("adds up what the workers report, and lists them", async () => {
    const folder = temporaryFolder()
    fill(folder, many(8, 2500))
    const host = start({
      task: "folder",
      folder,
      workers: { count: 2 },
      policy: { loop: { concurrency: 2 }, supervision: { check: 200 } },
      watch: true
    })
    const [, json] = await host.line(/^status (.*"inFlight":4,.*)$/)
    const status = JSON.parse(json!)
    expect(status).toMatchObject({ phase: "running", inFlight: 4, concurrency: 4, fetched: 4 })
    expect(status.oldestSince).toBe(Math.min(...status.workers.map((one: Run.WorkerOfRun) => one.status.oldestSince)))
    expect(status.workers.map((one: Run.WorkerOfRun) => [one.id, one.phase, one.restarts, one.status.inFlight]))
      .toEqual([
        [0, "running", 0, 2],
        [1, "running", 0, 2]
      ])
    host.process.kill("SIGTERM")
    expect((await host.ended).code).toBe(143)
  })

  // Longer than it takes to ask for it, on a machine with much to do; what is stopped need not end by itself.
  it.each([["drain", 2, 4000], ["stop", 0, 30_000]] as const)("%s reaches all workers", async (control, done, work) => {
    const folder = temporaryFolder()
    fill(folder, many(20, work))
    const end = await start({
      task: "folder",
      folder,
      workers: { count: 2 },
      policy: { supervision: { check: 100 } },
      control
    }).ended
    expect(end).toMatchObject({ code: 0 })
    expect(summaryOf(end)).toMatchObject({ fetched: 2, succeeded: done, released: 2 - done })
    expect(left(folder)).toMatchObject({ held: 0, done })
  })

  it("concurrency is set in each worker", async () => {
    const folder = temporaryFolder()
    fill(folder, many(12, 500))
    const host = start({
      task: "folder",
      folder,
      workers: { count: 2 },
      policy: { supervision: { check: 100 } },
      control: "concurrency",
      watch: true
    })
    await host.line(/^status .*"inFlight":6,.*"concurrency":6/)
    expect(summaryOf(await host.ended)).toMatchObject({ succeeded: 12 })
    expect(fs.readFileSync(path.join(folder, "journal"), "utf8").trim().split("\n")).toHaveLength(12)
  })
})
