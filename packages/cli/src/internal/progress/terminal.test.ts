import { describe, expect, it } from "vitest"
import { ScreenOf } from "../../test/screen.ts"
import { make } from "./terminal.ts"

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

/** Two streams to one terminal, as stdout and stderr are. */
const opened = (columns = 80) => {
  const screen = new ScreenOf(columns)
  const stream = () => ({
    write: screen.write as (chunk: string) => boolean,
    get columns() {
      return screen.columns
    },
    rows: 24
  })
  const [stderr, stdout] = [stream(), stream()]
  return { screen, stderr, stdout, terminal: make(stderr as never, [stdout as never]) }
}

describe("lines at the bottom of a terminal", () => {
  it("are drawn in place of those before", () => {
    const { screen, terminal } = opened()
    terminal.draw(["a 1", "b 1"])
    terminal.draw(["a 2", "b 2"])
    expect(screen.text).toBe("a 2\nb 2")
    terminal.draw(["a 3"])
    expect(screen.text).toBe("a 3\n")
    terminal.close()
    expect(screen.text).toBe("\n")
  })

  it("stay below what is written meanwhile, to whichever stream", async () => {
    const { screen, stderr, stdout, terminal } = opened()
    terminal.draw(["a 1", "b 1"])
    stderr.write("a warning\n")
    stdout.write("a result\n")
    await turn()
    expect(screen.text).toBe("a warning\na result\na 1\nb 1")
    terminal.draw(["a 2", "b 2"])
    expect(screen.text).toBe("a warning\na result\na 2\nb 2")
  })

  it("wait for a line that has not ended yet", async () => {
    const { screen, stdout, terminal } = opened()
    terminal.draw(["a 1"])
    stdout.write("half of ")
    await turn()
    terminal.draw(["a 2"])
    expect(screen.text).toBe("half of ")
    stdout.write("a line\n")
    await turn()
    expect(screen.text).toBe("half of a line\na 2")
  })

  it("are taken away whole after the terminal became narrower", () => {
    const { screen, terminal } = opened(20)
    terminal.draw(["x".repeat(19)])
    // What the terminal does with a line that no longer fits: it takes two rows, and the cursor is in the second.
    screen.columns = 10
    screen.lines.splice(0, 1, "x".repeat(10), "x".repeat(9))
    screen.write("\n")
    terminal.draw(["short"])
    expect(screen.text.split("\n")[0]).toBe("short")
    expect(screen.text).not.toContain("x")
  })

  it("leave the streams as they were, once closed", async () => {
    const { screen, stderr, terminal } = opened()
    const before = screen.write
    terminal.draw(["a 1"])
    expect(stderr.write).not.toBe(before)
    terminal.close()
    terminal.close()
    expect(stderr.write).toBe(before)
    stderr.write("the summary\n")
    terminal.draw(["a 2"])
    await turn()
    expect(screen.text).toBe("the summary\n")
  })

  it("never tear what is written, in whatever order it comes", async () => {
    const { screen, stderr, stdout, terminal } = opened()
    const written: Array<string> = []
    let seed = 7
    const next = (below: number) => (seed = (seed * 16807) % 2147483647) % below
    for (let step = 0; step < 500; step++) {
      if (next(2) === 0) terminal.draw(Array.from({ length: next(4) }, (_, index) => `live ${step} ${index}`))
      else {
        written.push(`line ${step}`)
        ;(next(2) === 0 ? stderr : stdout).write(`line ${step}\n`)
        if (next(3) === 0) await turn()
      }
    }
    terminal.close()
    expect(screen.text.trimEnd().split("\n")).toEqual(written)
  })
})
