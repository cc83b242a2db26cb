import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { root } from "../workspace/workspace.ts"
import { ofMarkdown } from "./block.ts"
import { compile } from "./compile.ts"
import { unitsOf } from "./unit.ts"

const directory = path.join(root, `packages/tooling/.generated/compile-test-${process.pid}`)

describe("compile", () => {
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

  it("reports a type error at the line of its block, also in a block that continues another", () => {
    const blocks = ofMarkdown(
      "docs/page.md",
      [
        "```ts",
        "import { Effect } from \"effect\"",
        "const one = await Effect.runPromise(Effect.succeed(1))",
        "```",
        "```ts continues",
        "",
        "const text: string = one",
        "```",
        "```ts",
        "export const other = one",
        "```"
      ].join("\n")
    )
    const found = compile(root, directory, unitsOf(blocks)).map(({ message, where }) =>
      `${where} ${message.slice(0, 6)}`
    )
    assert.sameMembers(found, ["docs/page.md:7 TS2322", "docs/page.md:10 TS2304"])
  }, 60_000)
})
