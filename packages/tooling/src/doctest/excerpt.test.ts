import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { ofMarkdown } from "./block.ts"
import { problemOf } from "./excerpt.ts"

const root = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-excerpt-"))
fs.writeFileSync(path.join(root, "main.ts"), "const a = 1\n\nconst f = () => {\n  const b = 2\n\n  return b\n}\n")

const check = (code: string, file = "main.ts") => {
  const [block] = ofMarkdown("README.md", `\`\`\`ts file="${file}"\n${code}\n\`\`\``)
  return block === undefined ? assert.fail("no block") : problemOf(root, block, file)
}

describe("excerpt", () => {
  afterAll(() => fs.rmSync(root, { recursive: true }))

  it("accepts lines of the file, also with less indentation", () => {
    assert.isUndefined(check("const a = 1\n\nconst f = () => {"))
    assert.isUndefined(check("const b = 2\n\nreturn b"))
  })

  it("refuses what differs, parts of lines, and files that are not there", () => {
    assert.strictEqual(check("const a = 2"), "does not stand in main.ts word for word")
    assert.strictEqual(check("const a = 1\nconst f = () => {"), "does not stand in main.ts word for word")
    assert.strictEqual(check("const a"), "does not stand in main.ts word for word")
    assert.strictEqual(check("const a = 1", "gone.ts"), "there is no gone.ts")
  })
})
