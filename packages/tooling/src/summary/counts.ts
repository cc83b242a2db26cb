/**
 * How many checks passed, failed and were skipped, from the reports of one run of `.ci/run`.
 */

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const none: Counts = { passed: 0, failed: 0, skipped: 0 }

const sum = (all: ReadonlyArray<Counts>): Counts =>
  all.reduce((left, right) => ({
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped
  }), none)

/** What is read of the JSON report of vitest. */
export interface TestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: ReadonlyArray<{ readonly status: string; readonly assertionResults: ReadonlyArray<unknown> }>
}

/** A file that fails before its first test counts as one failure. */
export const ofTests = (report: TestReport): Counts => ({
  passed: report.numPassedTests,
  failed: report.numFailedTests +
    report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length,
  skipped: report.numPendingTests + report.numTodoTests
})

/**
 * Steps are lines `passed NAME` and `failed NAME`. A step with a report of its own counts by that report, and once more
 * when it failed although its report names no failure; every other step counts as one check.
 */
export const ofSteps = (steps: string, reports: ReadonlyMap<string, Counts>): Counts =>
  sum(
    steps.split("\n").filter((line) => line !== "").map((line) => {
      const ok = line.startsWith("passed ")
      const report = reports.get(line.slice(line.indexOf(" ") + 1))
      if (report === undefined) return { ...none, passed: ok ? 1 : 0, failed: ok ? 0 : 1 }
      return !ok && report.failed === 0 ? { ...report, failed: 1 } : report
    })
  )

/** The line that ends a run. */
export const line = ({ failed, passed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`
