import { afterEach, expect, it } from "vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { fill, left } from "./test/folderSource.ts"
import { cleanUp, gone, start, summaryOf, temporaryFolder } from "./test/hosted.ts"

afterEach(cleanUp)

const many = (count: number, takes: number) => Array.from({ length: count }, () => ({ takes }))
const journal = (folder: string): ReadonlyArray<string> =>
  fs.readFileSync(path.join(folder, "journal"), "utf8").trim().split("\n").map((line) => line.split(" ")[0]!)

it("a killed worker is started again, and nothing is lost", async () => {
  const folder = temporaryFolder()
  fill(folder, many(40, 100))
  const host = start({
    task: "folder",
    folder,
    workers: { count: 2, restart: { backoff: 100 } },
    policy: { loop: { concurrency: 2 }, supervision: { check: 200 } }
  })
  const [, worker, pid] = await host.line(/^begin \d+ worker (\d) pid (\d+)/, 5)
  process.kill(Number(pid), "SIGKILL")
  const end = await host.ended
  expect(end).toMatchObject({ code: 0 })
  expect(end.text).toMatch(/WARN .*a worker ended; it is started again in 100ms/)
  expect(end.text).toMatch(new RegExp(`worker: ${worker},\\s+pid: ${pid},\\s+exit: 'killed by SIGKILL'`))
  expect(end.lines.filter((line) => line === `layers of worker ${worker}`)).toHaveLength(2)
  expect(left(folder)).toEqual({ ready: 0, held: 0, done: 40, failed: 0 })
  const worked = journal(folder)
  expect(new Set(worked).size).toBe(40)
  // At least once: what the killed one had done and not settled was done again, and never more than it had in hand.
  expect(worked.length - 40).toBeLessThanOrEqual(2)
  const { succeeded } = summaryOf(end)
  expect(succeeded).toBeGreaterThan(20)
  expect(succeeded).toBeLessThanOrEqual(worked.length)
})

it.each(["process", "thread"] as const)("a crash of one %s leaves the other alone", async (kind) => {
  const folder = temporaryFolder()
  // Whoever takes it dies at once; the other one is in the middle of its work.
  fill(folder, [{ takes: 4000 }, { does: "throw", once: "thrown" }])
  const end = await start({
    task: "folder",
    folder,
    workers: { count: 2, kind, restart: { backoff: 100 } },
    policy: { supervision: { check: 200 } }
  }).ended
  expect(end).toMatchObject({ code: 0 })
  expect(end.text).toContain("thrown out of everything")
  expect(journal(folder).filter((id) => id === "0000")).toHaveLength(1)
  // A thread holds what it has taken for as long as its process lives.
  expect(left(folder).done).toBe(kind === "process" ? 2 : 1)
})

it("a worker that crashes again and again is given up, the others drain, and the host fails with 1", async () => {
  const folder = temporaryFolder()
  fill(folder, [{ takes: 5000 }, { does: "exit" }, ...many(5, 100)])
  const end = await start({
    task: "folder",
    folder,
    workers: { count: 2, restart: { maxAttempts: 3, backoff: 50 } },
    policy: { supervision: { check: 200 } }
  }).ended
  expect(end).toMatchObject({ code: 1 })
  expect(end.text).toMatch(
    /WorkerGaveUp: worker \d of task "folder" was started 3 times and is given up: exited with code 7/
  )
  expect(end.text).toMatch(/started again in 50ms/)
  expect(end.text).toMatch(/started again in 100ms/)
  expect(end.lines).toContain("end 0000")
  expect(left(folder)).toMatchObject({ ready: 5, done: 1 })
})

it("a source that is not there counts as a crash, and its error crosses", async () => {
  const end = await start({ task: "unreachable", workers: { count: 1, restart: { maxAttempts: 2, backoff: 10 } } })
    .ended
  expect(end.code).toBe(1)
  expect(end.text).toMatch(/started 2 times and is given up: FetchError: fetch failed: ConnectionLost: no broker here/)
})

it("a module that cannot be loaded, one that does not serve and one that never gets there are told apart", async () => {
  const folder = temporaryFolder()
  const entry = (name: string, text: string): string => {
    fs.writeFileSync(path.join(folder, name), text)
    return path.join(folder, name)
  }
  const of = (entry: string, kind: "process" | "thread" = "process") =>
    start({
      task: "program",
      workers: {
        count: 1,
        kind,
        entry,
        restart: { maxAttempts: 1 },
        policy: { supervision: { startGrace: 4000 } }
      }
    }).ended
  const broken = entry("broken.mjs", "import './nowhere.mjs'")
  const ends = await Promise.all([
    of(broken),
    of(broken, "thread"),
    of(entry("idle.mjs", "")),
    of(entry("hangs.mjs", "await new Promise(() => setInterval(() => {}, 1000))"))
  ])
  expect(ends.map(({ code }) => code)).toEqual([1, 1, 1, 1])
  const [process, thread, idle, hangs] = ends.map(({ text }) => text)
  expect(process).toMatch(
    /was started once and is given up: exited with code 1 before it served the task: its own output/
  )
  expect(process).toContain("ERR_MODULE_NOT_FOUND")
  expect(thread).toMatch(/given up: ended by Error.*Cannot find module .*nowhere.mjs.* before it served the task/)
  expect(idle).toMatch(/exited with code 0 before it served the task: its entry has to run Workers.serve/)
  expect(hangs).toMatch(/it did not serve the task within 4s and was killed/)
})

it.each(["process", "thread"] as const)(
  "a %s whose event loop is blocked is seen, killed and started again",
  async (kind) => {
    const folder = temporaryFolder()
    fill(folder, [{ does: "block", once: "blocked" }, ...many(3, 100)])
    const host = start({
      task: "folder",
      folder,
      workers: { count: 1, kind, restart: { backoff: 50 } },
      policy: {
        shutdown: { grace: 200, close: 200 },
        supervision: { check: 300, startGrace: 4000, unhealthyGrace: 300 }
      }
    })
    // What a blocked thread writes goes through the event loop that is blocked.
    const pid = kind === "process" ? Number((await host.line(/^begin 0000 worker 0 pid (\d+)/))[1]) : undefined
    const end = await host.ended
    expect(end).toMatchObject({ code: 0 })
    expect(end.text).toMatch(/WARN .*a worker is unhealthy; it is drained and started again/)
    expect(end.text).toMatch(/exit: 'the event loop has not turned for .*look for a loop or a synchronous call/)
    if (pid !== undefined) await gone(pid, 1000)
    // A thread holds what it has taken for as long as its process lives.
    expect(left(folder).done).toBe(kind === "process" ? 4 : 3)
  }
)
