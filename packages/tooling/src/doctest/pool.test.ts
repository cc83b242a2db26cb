import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { instrument } from "./instrument.ts"
import { runAll } from "./pool.ts"

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-pool-"))
const begin = `import { begin } from ${JSON.stringify(path.join(import.meta.dirname, "runner.ts"))}`

const job = (name: string, block: string, alone = false) => {
  const { checks, code, problems } = instrument(block)
  assert.deepStrictEqual(problems, [])
  const file = path.join(directory, `${name}.ts`)
  fs.writeFileSync(file, `${begin}; const __check = begin(); ${code}\n`)
  return { file, checks, alone }
}

describe("pool", () => {
  afterAll(() => fs.rmSync(directory, { recursive: true }))

  it("runs blocks and reports what fails, with the line", async () => {
    const results = await runAll([
      job("passes", "const x: number = 1\nx // => 1\nPromise.resolve({ x }) // => { x: 1 }"),
      job("differs", "const x = 1\nx // => 2"),
      job("throws", "\n\nthrow new Error(\"no broker\")"),
      job("unreached", "if (Math.random() > 2) {\n  const x = 1\n  x // => 1\n}"),
      job("late", "setTimeout(() => {\n  const x = 1\n  x // => 2\n}, 20)"),
      job("rejects", "void Promise.reject(new Error(\"nobody waits\"))"),
      job("exits", "process.exit(3)"),
      job("follows", "1 + 1 // => 2")
    ])
    const seen = results.map(({ failures }) => failures.map(({ line, message }) => `${line ?? "-"}: ${message}`))
    assert.deepStrictEqual(seen, [
      [],
      ["2: is 1, not 2"],
      ["3: Error: no broker"],
      ["3: was never reached"],
      ["3: is 1, not 2"],
      ["1: Error: nobody waits"],
      ["-: ended the process with 3"],
      []
    ])
  }, 30_000)

  it("gives a block that ends the process one of its own, and still checks it", async () => {
    const results = await runAll([
      job("ends", "const x = 1\nx // => 1\nsetTimeout(() => process.exit(0), 50)", true),
      job("ends-wrong", "const x = 1\nx // => 2\nsetTimeout(() => {}, 50)", true),
      job("ends-failing", "console.log(\"why\")\nprocess.exit(4)", true)
    ])
    assert.deepStrictEqual(results.map(({ failures }) => failures.map(({ message }) => message)), [
      [],
      ["is 1, not 2"],
      ["ended the process with 4"]
    ])
    assert.include(results[2]?.output, "why")
  }, 30_000)
})
