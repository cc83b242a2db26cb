import { assert, describe, it } from "vitest"
import { line, ofSteps, ofTests } from "./counts.ts"

const report = {
  numPassedTests: 40,
  numFailedTests: 1,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: [
    { status: "passed", assertionResults: [{}, {}] },
    { status: "failed", assertionResults: [{}] },
    { status: "failed", assertionResults: [] }
  ]
}

describe("counts", () => {
  it("counts a test file that does not load as one failure", () => {
    assert.deepStrictEqual(ofTests(report), { passed: 40, failed: 2, skipped: 3 })
  })

  it("adds steps without a report as one check each", () => {
    const counts = ofSteps("passed install\nfailed tests\nfailed lint\n", new Map([["tests", ofTests(report)]]))
    assert.strictEqual(line(counts), "41 passed, 3 failed, 3 skipped")
  })

  it("never hides a step that failed without naming a failure", () => {
    const counts = ofSteps("failed tests\n", new Map([["tests", { passed: 7, failed: 0, skipped: 0 }]]))
    assert.strictEqual(line(counts), "7 passed, 1 failed, 0 skipped")
  })
})
