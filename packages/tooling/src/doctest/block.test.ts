import { assert, describe, it } from "vitest"
import { ofMarkdown, ofSource, parseInfo } from "./block.ts"
import { locate, unitsOf } from "./unit.ts"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { read } from "../workspace/source.ts"

const markdown = [
  "# Title", // 1
  "",
  "```ts", // 3
  "const one = 1",
  "one // => 1",
  "```",
  "",
  "```json", // 8
  "{}",
  "```",
  "1. In a list:",
  "   ```ts continues", // 12
  "   if (one) {",
  "     one",
  "   }",
  "   ```",
  "````ts no-run=\"needs a broker\"", // 17
  "const fence = \"```\"",
  "````",
  "```ts no-check", // 20
  "broken(",
  "```"
].join("\n")

describe("block", () => {
  it("finds the ts blocks of Markdown with the line of their code", () => {
    const blocks = ofMarkdown("a.md", markdown)
    assert.deepStrictEqual(blocks.map(({ line }) => line), [4, 13, 18, 21])
    assert.deepStrictEqual(blocks.map(({ mode }) => mode._tag), ["Run", "Run", "Compile", "Invalid"])
    assert.strictEqual(blocks[1]?.code, "if (one) {\n  one\n}")
    assert.strictEqual(blocks[2]?.code, "const fence = \"```\"")
  })

  it("puts a block and those that continue it into one unit, and knows where each line stands", () => {
    const units = unitsOf(ofMarkdown("a.md", markdown))
    assert.deepStrictEqual(units.map(({ parts }) => parts.length), [2, 1])
    const [unit] = units
    if (unit === undefined) return assert.fail("no unit")
    assert.deepStrictEqual([1, 2, 3, 5].map((line) => locate(unit, line)), ["a.md:4", "a.md:5", "a.md:13", "a.md:15"])
  })

  it("refuses an opt-out without a reason and words that it does not know", () => {
    const tag = (info: string) => parseInfo(info)?.mode._tag
    assert.strictEqual(tag("ts no-run=\"needs a server\""), "Compile")
    assert.strictEqual(tag("ts no-check=\"an excerpt of an error\""), "Skip")
    assert.strictEqual(tag("ts import.meta.vitest file=\"examples/src/a.ts\""), "Excerpt")
    for (const info of ["ts no-run", "ts no-run=\"\"", "ts no-check=\"  \"", "ts norun=\"x\"", "ts file"]) {
      assert.strictEqual(tag(info), "Invalid", info)
    }
    assert.isUndefined(parseInfo("json"))
    assert.isUndefined(parseInfo("tsx"))
  })

  it("says so when a block is never closed", () => {
    assert.deepStrictEqual(ofMarkdown("a.md", "```ts\nx").map(({ mode }) => mode._tag), ["Invalid"])
  })

  it("finds the blocks of docblocks, and of no other comment", () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-block-"))
    fs.writeFileSync(
      path.join(root, "a.ts"),
      [
        "/**",
        " * A sum.",
        " *",
        " * ```ts import.meta.vitest",
        " * const two = 1 +",
        " *   1",
        " * two // => 2",
        " * ```",
        " */",
        "export const sum = 1",
        "/* ```ts",
        "no",
        "``` */"
      ].join("\n")
    )
    const blocks = ofSource(read(root, "a.ts", { folder: "core", path: "" }))
    fs.rmSync(root, { recursive: true })
    assert.deepStrictEqual(blocks.map(({ code, line }) => [line, code]), [[5, "const two = 1 +\n  1\ntwo // => 2"]])
  })
})
