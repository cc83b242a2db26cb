import { afterEach, expect, it } from "vitest"
import { fill, left } from "./test/folderSource.ts"
import { cleanUp, gone, type Host, start, summaryOf, temporaryFolder } from "./test/hosted.ts"

afterEach(cleanUp)

const many = (count: number, takes: number) => Array.from({ length: count }, () => ({ takes }))

/** Both workers at work, each on one transaction. */
const bothBusy = async (host: Host): Promise<ReadonlyArray<number>> => {
  const pids = new Set<number>()
  for (let n = 1; pids.size < 2; n++) pids.add(Number((await host.line(/^begin \d+ worker \d pid (\d+)/, n))[1]))
  return [...pids]
}

it.each(
  [["SIGTERM", 143, "process"], ["SIGINT", 130, "process"], ["SIGTERM", 143, "thread"]] as const
)("%s drains all workers, and exits with %i (%s)", async (signal, code, kind) => {
  const folder = temporaryFolder()
  fill(folder, many(100, 1000))
  const host = start({ task: "folder", folder, workers: { count: 2, kind }, closing: 200 })
  await Promise.all([host.line(/^begin \d+ worker 0/), host.line(/^begin \d+ worker 1/)])
  host.process.kill(signal)
  const end = await host.ended
  expect(end).toMatchObject({ code })
  const count = (what: string): number => end.lines.filter((line) => line.startsWith(what)).length
  expect(count("end ")).toBe(count("begin "))
  expect(count("layers closed")).toBe(2)
  expect(left(folder)).toEqual({ ready: 100 - count("begin "), held: 0, done: count("begin "), failed: 0 })
})

it("the second signal interrupts what runs, in all workers", async () => {
  const folder = temporaryFolder()
  fill(folder, many(100, 60_000))
  const host = start({ task: "folder", folder, workers: { count: 2 } })
  await bothBusy(host)
  host.process.kill("SIGTERM")
  await host.line(/SIGTERM/)
  host.process.kill("SIGINT")
  const end = await host.ended
  expect(end).toMatchObject({ code: 143 })
  expect(end.text).not.toContain("end 0")
  expect(left(folder)).toEqual({ ready: 100, held: 0, done: 0, failed: 0 })
})

it("what a worker of its own is told to end drains, and is started again", async () => {
  const folder = temporaryFolder()
  fill(folder, many(30, 300))
  const host = start({ task: "folder", folder, workers: { count: 2, restart: { backoff: 50 } } })
  const [pid] = await bothBusy(host)
  process.kill(pid!, "SIGTERM")
  const end = await host.ended
  expect(end).toMatchObject({ code: 0 })
  expect(end.text).toMatch(/exit: 'drained by a SIGTERM of its own'/)
  expect(end.lines.filter((line) => line.startsWith("layers of worker"))).toHaveLength(3)
  expect(summaryOf(end)).toMatchObject({ succeeded: 30, failed: 0 })
  expect(end.lines.filter((line) => line.startsWith("begin "))).toHaveLength(30)
})

it("what survives its grace is killed, and the host still ends", async () => {
  const folder = temporaryFolder()
  fill(folder, [{ does: "block" }])
  const host = start({
    task: "folder",
    folder,
    workers: { count: 1 },
    policy: { shutdown: { grace: 200, close: 1000 } }
  })
  const [, pid] = await host.line(/^begin 0000 worker 0 pid (\d+)/)
  host.process.kill("SIGTERM")
  expect((await host.ended).code).toBe(143)
  await gone(Number(pid), 8000)
})

it("nothing is left of a host that was killed: an idle worker, a busy one, a blocked one", async () => {
  const folder = temporaryFolder()
  fill(folder, [{ does: "block" }, { takes: 60_000 }])
  const close = 2000
  const host = start({
    task: "folder",
    folder,
    workers: { count: 3 },
    policy: { loop: { streaming: true }, shutdown: { close } }
  })
  const pids = await bothBusy(host)
  await host.line(/^layers of worker \d/, 3)
  host.process.kill("SIGKILL")
  expect((await host.ended).signal).toBe("SIGKILL")
  const [, blocked] = await host.line(/^begin 0000 worker \d pid (\d+)/)
  const busy = pids.find((pid) => pid !== Number(blocked))!
  // The busy one releases what it has in hand, and ends at once.
  expect(await gone(busy, close)).toBeLessThan(close)
  expect(left(folder)).toMatchObject({ ready: 1, held: 1 })
  await gone(Number(blocked), close + 3000)
})
