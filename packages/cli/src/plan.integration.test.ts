import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as path from "node:path"

const here = import.meta.dirname
const bin = path.join(here, "../bin/ergon.js")
const project = path.join(here, "test/project")

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const ergon = (line: ReadonlyArray<string>, env: Record<string, string> = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=@ergon/source", bin, ...line],
      { cwd: project, env: { ...process.env, NODE_OPTIONS: "", ...env } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
    )
  })

describe("ergon plan", () => {
  it("tells where each value comes from: flags, then variables, then the code", async () => {
    const { code, stderr, stdout } = await ergon(["plan", "orders", "--limit", "10", "--process-timeout", "2"], {
      ERGON_ORDERS_PROCESS_RETRY_MAX_ATTEMPTS: "3",
      ERGON_ORDERS_LOOP_LIMIT: "7"
    })
    assert.deepStrictEqual([code, stderr], [0, ""])
    assert.match(stdout, /^orders \(consumer\)\n {2}orders -> decode -> process -> dispatch to totals -> settle\n/)
    assert.include(stdout, "loop.concurrency           2             code (default 1)")
    assert.include(stdout, "loop.limit                 10            --limit (default none)")
    assert.include(stdout, "      ERGON_ORDERS_PROCESS_RETRY_MAX_ATTEMPTS (default 1)\n")
    assert.include(stdout, "process.timeout            2 seconds     --process-timeout (default none)")
    assert.include(stdout, "at most 6s: process.retry.maxAttempts x process.timeout\n")
  })

  it("prints one JSON value, or a flowchart", async () => {
    const json = await ergon(["plan", "orders", "--json"])
    assert.strictEqual(json.code, 0)
    const outline = JSON.parse(json.stdout) as {
      readonly worstCase: { readonly transaction: { readonly time: string } }
    }
    assert.strictEqual(outline.worstCase.transaction.time, "4 minutes")
    const chart = await ergon(["plan", "numbers", "--mermaid"])
    assert.strictEqual(chart.code, 0)
    assert.match(chart.stdout, /^flowchart LR\n {2}source\(\["numbers<br\/>a stream of its own"\]\)\n/)
  })

  it("exits with 2 when the run would be refused, and shows the plan all the same", async () => {
    const { code, stderr, stdout } = await ergon(["plan", "orders", "--fetch-wait", "40", "--fetch-timeout", "20"])
    assert.strictEqual(code, 2)
    assert.include(stdout, "\nPROBLEMS\n  - fetch.timeout: 20 seconds is not valid")
    assert.strictEqual(
      stderr,
      "ergon: \"orders\" would be refused:\n" +
        "- fetch.timeout: 20 seconds is not valid; expected more than fetch.wait, which is 40 seconds\n"
    )
  })

  it("exits with 2 and names everything that cannot be read", async () => {
    const wrong = await ergon(["plan", "orders", "--process-timeout", "soon"], { ERGON_ORDERS_LOOP_LIMTI: "3" })
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
    assert.include(wrong.stderr, "--process-timeout")
    assert.include(wrong.stderr, "did you mean ERGON_ORDERS_LOOP_LIMIT?")
    const unknown = await ergon(["plan", "order"])
    assert.strictEqual(unknown.code, 2)
    assert.include(unknown.stderr, `Did you mean "orders"?`)
    const which = await ergon(["plan"])
    assert.deepStrictEqual([which.code, which.stderr], [
      2,
      "ergon: which task? Name one of: orders, numbers, settings\n"
    ])
    const both = await ergon(["plan", "orders", "--json", "--mermaid"])
    assert.deepStrictEqual([both.code, both.stdout], [2, ""])
  })
})
