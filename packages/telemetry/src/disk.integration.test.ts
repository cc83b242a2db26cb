/** A log file on a disk that is full, and has room again. */
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { RotatingFile } from "./internal/logs/rotatingFile.ts"

let folder = ""
let mounted = false

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-disk-"))
  mounted = false
})
afterEach(() => {
  if (mounted) spawnSync("umount", ["-l", folder])
  fs.rmSync(folder, { recursive: true, force: true })
})

const mount = (): boolean => {
  mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]).status === 0
  return mounted
}

/** Whoever may not mount has the test below alone; `npm test` names the one that did not run. */
const canMount = ((): boolean => {
  const probe = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-probe-"))
  const can = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe]).status === 0
  if (can) spawnSync("umount", [probe])
  fs.rmSync(probe, { recursive: true, force: true })
  return can
})()

const open = (file: string, buffer: number, size: number | null = null) => {
  const complaints: Array<string> = []
  const writer = new RotatingFile({
    path: file,
    size,
    daily: false,
    keep: { files: 2, age: undefined },
    delay: 1,
    buffer
  }, { now: Date.now, complain: (text) => complaints.push(text), dropped: (lines) => `${lines} dropped`, retry: 5 })
  return { complaints, writer }
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

const numbers = (text: string) => text.split("\n").filter((line) => /^\d{100}$/.test(line)).map(Number)
const line = (number: number) => String(number).padStart(100, "0")

describe.runIf(canMount)("on a file system of 256 kB", () => {
  it("drops and counts what finds no room, tears no line, and goes on when there is room", async () => {
    expect(mount()).toBe(true)
    const ballast = path.join(folder, "ballast")
    fs.writeFileSync(ballast, Buffer.alloc(100 * 1024))
    const file = path.join(folder, "all.log")
    const { complaints, writer } = open(file, 64 * 1024)
    let next = 0
    // Each round waits for the one before, until the disk is full. Then the buffer fills.
    while (complaints.length === 0) {
      for (let index = 0; index < 100; index++) writer.write(line(next++))
      const written = next * 101
      await until(() => complaints.length > 0 || fs.existsSync(file) && fs.statSync(file).size >= written)
    }
    for (let index = 0; index < 2000; index++) writer.write(line(next++))
    expect(complaints).toEqual([expect.stringContaining("ENOSPC")])
    fs.rmSync(ballast)
    await until(() => / dropped\n/.test(fs.readFileSync(file, "utf8")))
    writer.write(line(next))
    await writer.close()

    const text = fs.readFileSync(file, "utf8")
    const [, dropped] = /^(\d+) dropped$/m.exec(text) ?? []
    const kept = numbers(text)
    expect(kept.length + Number(dropped)).toBe(next + 1)
    expect(kept).toEqual(kept.toSorted((a, b) => a - b))
    expect(kept.at(-1)).toBe(next)
    // Every line is whole: a number, or how many are missing.
    expect(text.split("\n").filter((one) => !/^\d{100}$|^\d+ dropped$|^$/.test(one))).toEqual([])
    expect(complaints).toHaveLength(1)
  })
})

describe("on a device that is always full", () => {
  it("goes on in the file that takes its place", async () => {
    const file = path.join(folder, "all.log")
    fs.symlinkSync("/dev/full", file)
    const { complaints, writer } = open(file, 1 << 20)
    for (let number = 0; number < 10; number++) writer.write(line(number))
    await until(() => complaints.length > 0)
    expect(complaints).toEqual([expect.stringContaining("ENOSPC")])
    fs.rmSync(file)
    await until(() => fs.existsSync(file) && numbers(fs.readFileSync(file, "utf8")).length === 10)
    await writer.close()
    expect(numbers(fs.readFileSync(file, "utf8"))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
