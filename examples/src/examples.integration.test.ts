/** Each small example runs by itself, ends, and prints what it says. */
import { describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

const run = async (example: string): Promise<string> => {
  const main = join(import.meta.dirname, example, "main.ts")
  const { stderr, stdout } = await promisify(execFile)(process.execPath, ["--conditions=@ergon/source", main])
  expect(stderr).toBe("")
  return stdout
}

const lines = (...lines: ReadonlyArray<string>): string => `${lines.join("\n")}\n`

describe("the examples", () => {
  it("quickstart", async () => {
    expect(await run("quickstart")).toBe(lines(
      "2 orders: 1 succeeded, 1 dead-lettered",
      "order-1: 19.8",
      "order-2: process failed: OutOfStock: there are no 500"
    ))
  })

  it("producer", async () => {
    expect(await run("producer")).toBe(lines(
      "4 lines, 3 of them readings; 3 in the queue after two runs",
      `process failed: NoReading: "attic ?" has no temperature`
    ))
  })

  it("hybrid", async () => {
    expect(await run("hybrid")).toBe(lines(
      "2 orders fulfilled, 2 shipments in their queue",
      "order-1: 250 to be paid",
      "order-2: 200 to be paid"
    ))
  })

  it("folder", async () => {
    expect(await run("folder")).toBe(lines(
      "colours.txt: 3 lines",
      "done: colours.txt",
      "failed: nothing.txt, nothing.txt.reason.json"
    ))
  })
})
