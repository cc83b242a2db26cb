/** The demo as a process: killed, run again, interrupted, and called wrongly. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as delay } from "node:timers/promises"

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

const main = join(import.meta.dirname, "main.ts")
const working = /█.* [1-9]\d* in flight/

/** Runs the demo; `stop` is sent up to `within` milliseconds after the first films are done. */
const demo = async (args: ReadonlyArray<string>, stop?: NodeJS.Signals, within = 0): Promise<Ended> => {
  const child = spawn(process.execPath, ["--conditions=@ergon/source", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  const ended = new Promise<Pick<Ended, "code" | "signal">>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal }))
  )
  let output = ""
  const started = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text
        if (working.test(output)) resolve()
      })
    }
  })
  if (stop !== undefined) {
    await Promise.race([started, ended])
    await delay(Math.random() * within)
    child.kill(stop)
  }
  return { ...await ended, output }
}

/** Does what the demo says to try last: a query of the table. */
const tried = (output: string): string => {
  const command = /npx (node -e .*)$/m.exec(output)?.[1] ?? "false"
  const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`
  return execFileSync("sh", ["-c", command], { encoding: "utf8", env: { ...process.env, PATH } })
}

describe("the demo", () => {
  let folder = ""
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ergon-movies-"))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const query = (sql: string): ReadonlyArray<Record<string, unknown>> => {
    const database = new DatabaseSync(join(folder, "movies.db"), { readOnly: true })
    try {
      return database.prepare(sql).all().map((row) => ({ ...row }))
    } finally {
      database.close()
    }
  }
  const lines = () => readFileSync(join(folder, "profits.jsonl"), "utf8").trimEnd().split("\n")
  const run = (args: ReadonlyArray<string> = [], stop?: NodeJS.Signals, within?: number) =>
    demo(["--out", folder, ...args], stop, within)

  const everyFilmOnce = () => {
    expect(query("SELECT count(*) AS films FROM profits")).toStrictEqual([{ films: 3125 }])
    expect(query("SELECT count(*) AS films FROM dead_films")).toStrictEqual([{ films: 76 }])
    expect(query("SELECT count(*) AS films FROM (SELECT id FROM profits UNION SELECT id FROM dead_films)"))
      .toStrictEqual([{ films: 3201 }])
    expect(query("SELECT state, count(*) AS films FROM films GROUP BY state"))
      .toStrictEqual([{ state: "done", films: 3201 }])
  }

  it("killed twice and run again, it ends with every film once in the table", async () => {
    for (const args of [["--fresh"], []]) {
      expect(await run(args, "SIGKILL", 800)).toMatchObject({ signal: "SIGKILL" })
      expect(query("SELECT count(*) > 0 AS held FROM films WHERE state = 'leased'")).toStrictEqual([{ held: 1 }])
    }
    const last = await run()
    expect(last).toMatchObject({ code: 0, signal: null })
    expect(last.output).toContain("Done in")
    everyFilmOnce()
    const titles = new Set(lines().map((line) => JSON.stringify([JSON.parse(line).title, JSON.parse(line).year])))
    expect(query("SELECT DISTINCT title, year FROM profits")).toHaveLength(titles.size)
  })

  it("run once more, it has nothing to do, and says so", async () => {
    const before = lines().length
    const { code, output } = await run()
    expect(code).toBe(0)
    expect(output).toBe("Nothing to do: 3,201 films were processed before. npm run demo -- --fresh starts over.\n")
    expect(lines()).toHaveLength(before)
    everyFilmOnce()
  })

  it("interrupted, it drains, says so, and goes on later; the summary adds up", async () => {
    const interrupted = await run(["--fresh"], "SIGINT", 300)
    expect(interrupted).toMatchObject({ code: 130, signal: null })
    expect(interrupted.output).toContain("Stopped in order")
    expect(interrupted.output).not.toContain("Done in")
    expect(query("SELECT DISTINCT state FROM films ORDER BY state")).toStrictEqual([{ state: "done" }, {
      state: "ready"
    }])
    // What was drained was not done twice: a line each.
    const done = query("SELECT count(*) AS films FROM films WHERE state = 'done'")[0]?.["films"] as number
    expect(lines().length + Number(query("SELECT count(*) AS films FROM dead_films")[0]?.["films"])).toBe(done)

    const { code, output } = await run()
    expect(code).toBe(0)
    const told = (what: string) => Number(new RegExp(`([\\d,]+)  ${what}`).exec(output)?.[1]?.replace(",", ""))
    expect(told("fetched")).toBe(3201 - done)
    expect(told("succeeded") + told("dead-lettered")).toBe(3201 - done)
    expect(output).toMatch(/39 {2}process failed: GrossUnknown: /)
    expect(tried(output)).toMatch(/│ 1990 +│ 7\d\d +│/)
    everyFilmOnce()
    expect(lines()).toHaveLength(3125)
  })

  it("--fresh starts over", async () => {
    const { code, output } = await run(["--fresh"])
    expect(code).toBe(0)
    expect(output).toContain("3,201 of them to be done")
    everyFilmOnce()
    expect(lines()).toHaveLength(3125)
  })

  it.each([["--fersh"], ["--out"], ["now"]])("called with %s, it shows its usage and ends with 2", async (arg) => {
    const { code, output } = await demo([arg])
    expect(code).toBe(2)
    expect(output).toContain("Usage: npm run demo")
  })
})
