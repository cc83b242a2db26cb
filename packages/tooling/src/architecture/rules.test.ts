import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { load, root } from "../workspace/workspace.ts"
import { rules } from "./rules.ts"

const fixture = (name: string) => load(path.join(root, "packages/tooling/fixtures", name))

const marked = (name: string): ReadonlyArray<string> =>
  fixture(name).sources.flatMap((source) =>
    source.text.split("\n").flatMap((line, index) =>
      line.endsWith("// violation") ? [`${source.path}:${index + 1}`] : []
    )
  )

describe("architecture", () => {
  for (const rule of rules) {
    it(`${rule.name} catches its fixture, and only what is marked there`, () => {
      const found = rule.check(fixture(rule.name)).map(({ line, path }) => `${path}:${line}`)
      assert.isNotEmpty(marked(rule.name))
      assert.sameMembers(found, [...marked(rule.name)])
    })
  }

  it("every rule has a name and a reason of its own", () => {
    assert.strictEqual(new Set(rules.map(({ name }) => name)).size, rules.length)
    assert.strictEqual(new Set(rules.map(({ why }) => why)).size, rules.length)
  })

  it("the tree keeps every rule", () => {
    const workspace = load(root)
    const broken = rules.flatMap((rule) =>
      rule.check(workspace).map(({ line, message, path }) => `${rule.name}: ${path}:${line}: ${message}`)
    )
    assert.deepStrictEqual(broken, [])
  })
})
