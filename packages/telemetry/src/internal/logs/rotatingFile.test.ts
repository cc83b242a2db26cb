import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { RotatingFile, type Settings } from "./rotatingFile.ts"

let folder = ""
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-rotating-"))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true })
})

const day = 24 * 60 * 60 * 1000

const setUp = (settings: Partial<Settings> = {}) => {
  const complaints: Array<string> = []
  const clock = { now: Date.parse("2026-03-01T12:00:00Z") }
  const file = path.join(folder, "logs", "orders.log")
  const open = () =>
    new RotatingFile({
      path: file,
      size: null,
      daily: false,
      keep: { files: 10, age: undefined },
      delay: 1,
      buffer: 1 << 20,
      ...settings
    }, {
      now: () => clock.now,
      complain: (text) => complaints.push(text),
      dropped: (lines) => `${lines} dropped`,
      retry: 1
    })
  const names = () => fs.readdirSync(path.dirname(file)).toSorted()
  const linesOf = (name: string) =>
    fs.readFileSync(path.join(path.dirname(file), name), "utf8").split("\n").slice(0, -1)
  return { clock, complaints, file, linesOf, names, open }
}

/** Until the condition holds: what is waited for is another turn of the event loop, not a time. */
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

describe("RotatingFile", () => {
  it("makes its folder, and writes what is buffered when it closes", async () => {
    const { linesOf, open } = setUp({ delay: 60_000 })
    const file = open()
    file.write("a")
    file.write("b ü")
    await file.close()
    expect(linesOf("orders.log")).toEqual(["a", "b ü"])
  })

  it("goes on where an earlier one stopped", async () => {
    const { linesOf, open } = setUp()
    for (const line of ["a", "b"]) {
      const file = open()
      file.write(line)
      await file.close()
    }
    expect(linesOf("orders.log")).toEqual(["a", "b"])
  })

  it("rotates before a file grows above its size, and loses nothing", async () => {
    const { file, linesOf, names, open } = setUp({ size: 100, keep: { files: 100, age: undefined } })
    const writer = open()
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`)
    for (const line of lines) writer.write(line)
    await writer.close()
    // As many lines of 7 and 8 bytes as fit into 100.
    for (const name of names()) expect(fs.statSync(path.join(path.dirname(file), name)).size).toBeLessThanOrEqual(100)
    const number = (name: string) => Number(/\.(\d+)\.log$/.exec(name)?.[1] ?? Infinity)
    const inOrder = names().toSorted((a, b) => number(a) - number(b))
    expect(inOrder[0]).toBe("orders.2026-03-01.1.log")
    expect(inOrder.flatMap(linesOf)).toEqual(lines)
  })

  it("gives a line that is longer than a file one of its own", async () => {
    const { linesOf, open } = setUp({ size: 10 })
    const writer = open()
    for (const line of ["a", "x".repeat(50), "b"]) writer.write(line)
    await writer.close()
    expect(["orders.2026-03-01.1.log", "orders.2026-03-01.2.log", "orders.log"].map(linesOf)).toEqual([
      ["a"],
      ["x".repeat(50)],
      ["b"]
    ])
  })

  it("rotates when the day changes, under the name of the day that the lines are from", async () => {
    const { clock, file, linesOf, names, open } = setUp({ daily: true })
    const writer = open()
    writer.write("first")
    await until(() => fs.existsSync(file) && fs.statSync(file).size > 0)
    clock.now += day
    writer.write("second")
    await writer.close()
    expect(names()).toEqual(["orders.2026-03-01.1.log", "orders.log"])
    expect(linesOf("orders.2026-03-01.1.log")).toEqual(["first"])
  })

  it("rotates a file of an earlier day that it finds", async () => {
    const { clock, file, names, open } = setUp({ daily: true })
    fs.mkdirSync(path.dirname(file))
    fs.writeFileSync(file, "old\n")
    const then = (clock.now - 2 * day) / 1000
    fs.utimesSync(file, then, then)
    const writer = open()
    writer.write("new")
    await writer.close()
    expect(names()).toEqual(["orders.2026-02-27.1.log", "orders.log"])
  })

  it("keeps as many rotated files as it is told, and none that is too old", async () => {
    const { clock, file, names, open } = setUp({ size: 2, keep: { files: 3, age: 10 * day } })
    fs.mkdirSync(path.dirname(file))
    const old = path.join(path.dirname(file), "orders.2026-01-01.1.log")
    for (const name of [old, path.join(path.dirname(file), "orders.other.log")]) {
      fs.writeFileSync(name, "x\n")
      fs.utimesSync(name, (clock.now - 20 * day) / 1000, (clock.now - 20 * day) / 1000)
    }
    const aged = open()
    for (const line of ["a", "b"]) aged.write(line)
    await aged.close()
    expect(names()).toEqual(["orders.2026-03-01.1.log", "orders.log", "orders.other.log"])
    fs.utimesSync(file, clock.now / 1000, clock.now / 1000)
    const writer = open()
    for (const line of ["c", "d", "e", "f"]) writer.write(line)
    await writer.close()
    expect(names()).toEqual([
      "orders.2026-03-01.3.log",
      "orders.2026-03-01.4.log",
      "orders.2026-03-01.5.log",
      "orders.log",
      "orders.other.log"
    ])
  })

  it("opens the file anew when someone moved it", async () => {
    const { file, linesOf, open } = setUp()
    const writer = open()
    writer.write("a")
    await until(() => fs.existsSync(file) && fs.statSync(file).size > 0)
    fs.renameSync(file, `${file}.moved`)
    writer.write("b")
    await writer.close()
    expect(linesOf("orders.log.moved")).toEqual(["a"])
    expect(linesOf("orders.log")).toEqual(["b"])
  })

  it("does not overwrite a file that another process rotated to", async () => {
    const { file, linesOf, open } = setUp({ size: 2 })
    fs.mkdirSync(path.dirname(file))
    const [one, two] = [open(), open()]
    for (const line of ["a", "b", "c"]) {
      one.write(line)
      two.write(line)
    }
    await Promise.all([one.close(), two.close()])
    const all = fs.readdirSync(path.dirname(file)).flatMap(linesOf)
    expect(new Set(all)).toEqual(new Set(["a", "b", "c"]))
    expect(all.filter((line) => line === "c").length).toBeGreaterThanOrEqual(2)
  })

  it("drops what does not fit into the buffer, says so once, and marks the place", async () => {
    const { complaints, linesOf, open } = setUp({ buffer: 10, delay: 60_000 })
    const writer = open()
    for (const line of ["aaaa", "bbbb", "cccc", "dddd"]) writer.write(line)
    expect(complaints).toEqual([expect.stringContaining("its buffer is full")])
    await writer.close()
    expect(linesOf("orders.log")).toEqual(["aaaa", "bbbb", "2 dropped"])
  })

  it("keeps what is buffered while it cannot write, and goes on when it can", async () => {
    const { complaints, file, linesOf, open } = setUp({ buffer: 20 })
    // A file stands where the folder should be.
    fs.writeFileSync(path.dirname(file), "")
    const writer = open()
    writer.write("aaaa")
    await until(() => complaints.length > 0)
    for (const line of ["bbbb", "cccc", "dddd", "eeee"]) writer.write(line)
    fs.rmSync(path.dirname(file))
    await until(() => fs.existsSync(file) && fs.readFileSync(file, "utf8").includes("1 dropped"))
    writer.write("ffff")
    await writer.close()
    expect(linesOf("orders.log")).toEqual(["aaaa", "bbbb", "cccc", "dddd", "1 dropped", "ffff"])
    expect(complaints).toHaveLength(1)
  })

  it("says at the end how many lines are lost", async () => {
    const { complaints, file, open } = setUp({ delay: 60_000 })
    fs.writeFileSync(path.dirname(file), "")
    const writer = open()
    for (const line of ["a", "b"]) writer.write(line)
    await writer.close()
    writer.write("c")
    expect(complaints.at(-1)).toContain("2 lines are lost")
  })

  it("writes on when it cannot rotate, and says so once", async () => {
    // The name fits, but not the longer one that it would be rotated to.
    const file = path.join(folder, `${"x".repeat(240)}.log`)
    const { complaints, open } = setUp({ path: file, size: 2 })
    const writer = open()
    for (const line of ["a", "b", "c"]) writer.write(line)
    await writer.close()
    expect(complaints).toEqual([expect.stringContaining("rotating: ENAMETOOLONG")])
    expect(fs.readFileSync(file, "utf8")).toBe("a\nb\nc\n")
  })

  it("writes at once what a process that is ended by force leaves", () => {
    const { file, linesOf, open } = setUp({ delay: 60_000 })
    fs.mkdirSync(path.dirname(file))
    const writer = open()
    writer.write("a")
    writer.flushSync()
    expect(linesOf("orders.log")).toEqual(["a"])
  })
})
