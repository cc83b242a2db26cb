import { assert, describe, it } from "@effect/vitest"
import { isScript } from "./signals.ts"

describe("isScript", () => {
  it("is true of the file that npm was told to run, and of no program that it has started", () => {
    assert.isTrue(isScript("/app/src/main.ts", "node src/main.ts --json"))
    assert.isTrue(isScript("/app/node_modules/.bin/ergon", "ergon run orders"))
    assert.isFalse(isScript("/app/src/test/program.ts", "vitest run"))
  })

  it("is false without npm, and without a file", () => {
    assert.isFalse(isScript("/app/src/main.ts", undefined))
    assert.isFalse(isScript(undefined, "node"))
  })
})
