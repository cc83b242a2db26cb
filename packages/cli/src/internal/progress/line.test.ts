import { stripVTControlCharacters } from "node:util"
import { describe, expect, it } from "vitest"
import { moment } from "../../test/moment.ts"
import { line, time } from "./line.ts"

const plain = (patch: Parameters<typeof moment>[0], width = 200) => line(moment(patch), width, false)

describe("a line of progress", () => {
  it("says how far it is, how fast, and how it went", () => {
    expect(plain({})).toBe(
      "orders  1,204/5,000  312/s  8 in flight  1,200 succeeded  4 failed  2 retries  about 13 s left"
    )
  })

  it("of a streaming run says what is waiting, since there is no end", () => {
    expect(plain({ streaming: true })).toContain("orders  1,204 done, 3,788 waiting  312/s")
  })

  it("says only what is done where the source cannot count", () => {
    expect(plain({ waiting: undefined, known: undefined })).toContain("orders  1,204 done  312/s")
    expect(plain({ waiting: undefined, known: undefined })).not.toContain("left")
  })

  it("says that it drains, how much is left, and how long that may take", () => {
    expect(plain({ phase: "draining", inFlight: 5, graceLeft: 27_400 })).toContain(
      "orders  draining, 5 left (at most 28 s)  1,204/"
    )
    expect(plain({ phase: "stopping", inFlight: 5 })).toContain("orders  interrupting, 5 left")
    expect(plain({ phase: "closing" })).toContain("orders  closing")
    expect(plain({ phase: "connecting" })).toContain("orders  connecting")
  })

  it("says how many workers serve", () => {
    expect(plain({ workers: { running: 4, all: 4 } })).toContain("4 workers")
    expect(plain({ workers: { running: 3, all: 4 } })).toContain("3 of 4 workers")
  })

  it("of a program says how long it has been running", () => {
    expect(plain({ kind: "program", elapsed: 61_000 })).toBe("orders  runs for 1 min 1 s")
  })

  it("is never wider than there is room, and keeps what matters most", () => {
    for (let width = 1; width <= 120; width++) {
      const text = plain({}, width)
      expect(text.length).toBeLessThanOrEqual(width)
      expect(text.slice(0, 5)).toBe(width >= 6 ? "order" : text.slice(0, 5))
    }
    expect(plain({}, 40)).toBe("orders  1,204/5,000  312/s  4 failed")
    expect(plain({ phase: "draining", inFlight: 5, graceLeft: 9000 }, 40)).toBe(
      "orders  draining, 5 left (at most 9 s)"
    )
    expect(plain({ task: "a-very-long-name" }, 8)).toBe("a-very-…")
  })

  it("has colours only where they are wanted, and they take no room", () => {
    const coloured = line(moment({}), 200, true)
    expect(coloured).toContain("\u001b[31m4 failed\u001b[0m")
    expect(stripVTControlCharacters(coloured)).toBe(plain({}))
    expect(plain({})).not.toContain("\u001b")
  })

  it("shows times as people say them", () => {
    expect([0, 1, 59_000, 60_000, 61_000, 3_600_000, 3_725_000].map(time))
      .toEqual(["0 s", "1 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 2 min"])
  })
})
