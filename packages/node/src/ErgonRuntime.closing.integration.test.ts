import { afterAll, assert, describe, it } from "@effect/vitest"
import { accounts, killAll, start, type TaskOf } from "./test/child.ts"

afterAll(killAll)

const orders: TaskOf = { name: "orders", count: 4, concurrency: 2, close: 600 }
const telemetry = { name: "telemetry" }
const database = { name: "database" }
const hanging = { name: "database", close: "hang" } as const

// For a machine with much to do; where a close is not bounded, it never ends.
const slack = 20_000

const leaves = (code: number): string =>
  `closing did not end within 600 ms (shutdown.close): leaving what is still open, and exiting with ${code}`

describe.concurrent("a close that hangs is left behind after shutdown.close", () => {
  it("with 0 after success, wherever the Layer was provided", async () => {
    for (
      const scenario of [
        { tasks: [orders], layers: [hanging] },
        { tasks: [{ ...orders, provide: [hanging] }] },
        { tasks: [orders], acquires: [hanging] }
      ]
    ) {
      const { code, lines, stderr, took } = await start(scenario).ended
      assert.strictEqual(code, 0, stderr)
      assert.deepStrictEqual(accounts(lines), { fetched: 4, Ack: 4 })
      assert.include(stderr, leaves(0))
      assert.match(stderr, /closing has taken [\d.]+ ms so far; what is not closed after 600 ms/)
      assert.match(stderr, /orders: 4 fetched, 4 succeeded/)
      assert.isAtLeast(took, 600)
    }
  })

  it("with 1 after a failure", async () => {
    for (
      const scenario of [
        { tasks: [{ ...orders, abort: 1 }], layers: [hanging] },
        { tasks: [{ ...orders, abort: 1, provide: [hanging] }] },
        { tasks: [{ ...orders, abort: 1 }], acquires: [hanging] }
      ]
    ) {
      const { code, stderr } = await start(scenario).ended
      assert.strictEqual(code, 1, stderr)
      assert.include(stderr, leaves(1))
    }
  })

  it("with the code of the error, when it has one", async () => {
    const failing: TaskOf = { name: "nightly", program: { after: 10, fails: true }, close: 600 }
    const { code, stderr } = await start({ tasks: [failing], layers: [hanging] }).ended
    assert.strictEqual(code, 42)
    assert.include(stderr, leaves(42))
  })

  it("with 1 when one of several tasks failed and another one does not close", async () => {
    const streaming: TaskOf = { ...orders, name: "invoices", streaming: true, provide: [hanging] }
    const child = start({ tasks: [{ ...orders, work: 300, abort: 0 }, streaming] })
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 1)
    assert.include(stderr, leaves(1))
    assert.isAbove(accounts(lines)["fetched"]!, 4)
  })

  it("with the signal's code after a signal", async () => {
    const child = start({ tasks: [{ ...orders, streaming: true, work: 300, count: 2 }], layers: [hanging, telemetry] })
    await child.says("started orders-1")
    child.send("SIGTERM")
    const { code, lines, stderr, took } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(accounts(lines), { fetched: 2, Ack: 2 })
    assert.include(stderr, "leaving what is still open, and exiting with 143")
    assert.isAtLeast(took, 600)
    assert.isBelow(took, 300 + 600 + slack)
  })

  it("also when a Layer before the first run failed, within the default of 10 seconds", async () => {
    const { code, lines, stderr } = await start({
      tasks: [orders],
      layers: [{ name: "broker", fails: true }, hanging]
    }).ended
    assert.strictEqual(code, 1)
    assert.notInclude(lines.join(), "fetched")
    assert.include(stderr, "closing did not end within 10 seconds (shutdown.close)")
  })
})

describe.concurrent("a close that is slow", () => {
  it("is logged once more than half of the time is over, and changes nothing", async () => {
    const { code, lines, stderr } = await start({ tasks: [orders], layers: [{ ...database, close: 450 }, telemetry] })
      .ended
    assert.strictEqual(code, 0)
    assert.match(stderr, /WARN.*closing has taken [\d.]+ ms so far; what is not closed after 600 ms \(shutdown.close\)/)
    assert.notInclude(stderr, "ERROR")
    assert.deepStrictEqual(lines.slice(-4, -1), ["closed database", "closing telemetry", "closed telemetry"])
  })
})

describe.concurrent("a close that fails", () => {
  it("is logged, closes the others, and is an error like any other", async () => {
    const { code, lines, stderr } = await start({
      tasks: [orders],
      layers: [{ ...database, close: "fails" }, telemetry]
    }).ended
    assert.strictEqual(code, 1)
    assert.include(stderr, "Error: database did not close")
    assert.include(lines, "closed telemetry")
  })

  it("leaves a failure what it was", async () => {
    const { code, lines, stderr } = await start({
      tasks: [{ name: "nightly", program: { after: 10, fails: true } }],
      layers: [{ ...database, close: "fails" }, telemetry]
    }).ended
    assert.strictEqual(code, 42)
    assert.include(stderr, "nightly failed")
    assert.include(stderr, "Error: database did not close")
    assert.include(lines, "closed telemetry")
  })
})

describe.concurrent("the outermost Layer closes last", () => {
  const layers = [database, { name: "broker" }, telemetry]
  const closed = ["closed database", "closing broker", "closed broker", "closing telemetry", "closed telemetry", ""]

  it("after success, after a failure, and when another Layer fails to connect", async () => {
    const done = await start({ tasks: [orders], layers }).ended
    assert.deepStrictEqual(done.lines.slice(-6), closed)
    const failed = await start({ tasks: [{ ...orders, abort: 0 }], layers }).ended
    assert.deepStrictEqual(failed.lines.slice(-6), closed)
    const unconnected = await start({ tasks: [orders], layers: [{ name: "mail", fails: true }, ...layers] }).ended
    assert.deepStrictEqual(unconnected.lines.slice(-6), closed)
  })
})

describe.concurrent("a program that goes on after its runs is not forced out", () => {
  it("whatever they came to, and although it cannot be interrupted meanwhile", async () => {
    for (const abort of [undefined, 0]) {
      const task = { ...orders, close: 300, ...(abort === undefined ? {} : { abort }) }
      const { code, lines } = await start({ tasks: [task], layers: [database], then: 1200 }).ended
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines.slice(-4, -1), ["was done", "closing database", "closed database"])
    }
  })
})
