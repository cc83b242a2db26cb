import { afterAll, assert, describe, it } from "@effect/vitest"
import { accounts, killAll, type Scenario, start, type TaskOf } from "./test/child.ts"

afterAll(killAll)

const orders: TaskOf = { name: "orders", count: 5, concurrency: 2 }

describe.concurrent("the exit code", () => {
  const cases: ReadonlyArray<readonly [what: string, code: number, scenario: Scenario, says: string]> = [
    ["0 when all is done", 0, { tasks: [orders] }, "orders: 5 fetched, 5 succeeded in "],
    [
      "0 with dead letters, which the summary names",
      0,
      { tasks: [{ ...orders, failing: 2 }] },
      "orders: 5 fetched, 3 succeeded, 2 dead-lettered (Broken 2) in "
    ],
    ["1 when a run fails", 1, { tasks: [{ ...orders, abort: 2 }] }, `task "orders" was aborted by its decision`],
    [
      "1 when a Layer cannot connect",
      1,
      { tasks: [orders], layers: [{ name: "database", fails: true }] },
      "database cannot connect"
    ],
    ["1 after a defect", 1, { error: "defect" }, "Error: a defect"],
    [
      "2 when configuration is missing before anything ran",
      2,
      { tasks: [orders], layers: [{ name: "database", needs: "DATABASE_PORT" }] },
      "DATABASE_PORT"
    ],
    [
      "2 when it is missing for a Layer of the task itself",
      2,
      { tasks: [{ ...orders, provide: [{ name: "database", needs: "DATABASE_PORT" }] }] },
      "DATABASE_PORT"
    ],
    ["2 when a policy does not decode", 2, { error: "policy" }, "concurrency"],
    ["1 when a policy does not decode after a run", 1, { tasks: [orders], error: "policy" }, "concurrency"],
    ["that of an error which has one", 42, { error: "own" }, "of its own"],
    ["130 when the program interrupts itself", 130, { error: "interrupt" }, ""]
  ]
  for (const [what, expected, scenario, says] of cases) {
    it(what, async () => {
      const { code, signal, stderr, stdout } = await start(scenario).ended
      assert.deepStrictEqual([code, signal], [expected, null], stderr)
      assert.include(stderr, says)
      assert.notInclude(stdout, "INFO")
      assert.notInclude(stdout, "ERROR")
    })
  }

  it("says nothing about an error that was reported already", async () => {
    const { code, stderr } = await start({ error: "silent" }).ended
    assert.strictEqual(code, 1)
    assert.strictEqual(stderr, "")
  })

  it("is what a part of the runner asked for, after a drain", async () => {
    const child = start({
      tasks: [{ ...orders, streaming: true, work: 600, concurrency: 5 }],
      drain: { code: 1, after: 300 }
    })
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 1)
    assert.deepStrictEqual(accounts(lines), { fetched: 5, Ack: 5 })
    assert.include(stderr, "draining: it is unhealthy; the process will exit with 1")
  })

  it("stays what was asked for first, when a signal follows", async () => {
    const child = start({ tasks: [{ ...orders, streaming: true, work: 900 }], drain: { code: 1, after: 100 } })
    await child.says("it is unhealthy")
    child.send("SIGTERM")
    const { code, lines } = await child.ended
    assert.strictEqual(code, 1)
    assert.deepStrictEqual(accounts(lines), { fetched: 2, Ack: 2 })
  })
})

describe.concurrent("several tasks", () => {
  it("each says what it did, and one that fails drains the others", async () => {
    const other: TaskOf = { name: "invoices", count: 2, concurrency: 2, streaming: true, work: 700 }
    const { code, lines, stderr } = await start({ tasks: [{ ...orders, work: 200, abort: 0 }, other] }).ended
    assert.strictEqual(code, 1)
    assert.match(stderr, /orders: \d fetched.*; failed/)
    assert.match(stderr, /invoices: 2 fetched, 2 succeeded in .*; interrupted/)
    const { Ack, DeadLetter = 0, fetched, Release } = accounts(lines)
    assert.strictEqual(fetched, Ack! + Release! + DeadLetter)
    assert.include(lines, "ended invoices-1")
  })
})

describe.concurrent("output", () => {
  it("of 1 MB, written to a pipe at the very end, arrives whole", async () => {
    for (const scenario of [{ writes: 1_000_000 }, { tasks: [orders], writes: 1_000_000 }]) {
      const { code, stdout } = await start(scenario).ended
      assert.strictEqual(code, 0)
      assert.strictEqual(/x+\n$/.exec(stdout)?.[0].length, 1_000_000)
    }
  })

  it("that nobody reads does not keep a process that was told to end", async () => {
    const child = start({ writes: 1_000_000, then: 0, layers: [{ name: "database", close: 500 }] })
    await child.says("went on")
    child.process.stdout!.pause()
    child.send("SIGTERM")
    await new Promise((resolve) => child.process.once("exit", resolve))
    child.process.stdout!.resume()
    assert.strictEqual((await child.ended).code, 143)
  })

  it("is all that is waited for: a timer that was left open does not keep the process", async () => {
    const { code } = await start({ tasks: [orders], open: true }).ended
    assert.strictEqual(code, 0)
  })
})

describe.concurrent("the summary", () => {
  it("goes to the loggers of the run, as data", async () => {
    const { lines, stderr } = await start({ tasks: [{ ...orders, failing: 1 }], json: true }).ended
    const logged = stderr.trim().split("\n").map((line) => JSON.parse(line))
    const summary = logged.find(({ annotations }) => annotations.task === "orders")
    assert.deepInclude(summary.annotations, {
      end: "succeeded",
      fetched: 5,
      succeeded: 4,
      deadLettered: 1,
      reasons: { Broken: 1 }
    })
    assert.isNumber(summary.annotations.duration_ms)
    assert.match(summary.message, /^orders: 5 fetched, 4 succeeded, 1 dead-lettered \(Broken 1\) in \d+ ms$/)
    assert.deepStrictEqual(accounts(lines), { fetched: 5, Ack: 4, DeadLetter: 1 })
  })

  it("is not logged when it is switched off", async () => {
    const { code, stderr } = await start({ tasks: [orders], summary: false }).ended
    assert.strictEqual(code, 0)
    assert.strictEqual(stderr, "")
  })
})
