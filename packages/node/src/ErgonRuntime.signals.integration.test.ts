import { afterAll, assert, describe, it } from "@effect/vitest"
import { accounts, killAll, start, type TaskOf } from "./test/child.ts"

afterAll(killAll)

// For a machine with much to do; where what these tests are about does not work, it takes 30 seconds and more.
const slack = 20_000

/** How long this process could not run so far: as long as one that it watches, at least. */
const delays = () => {
  let [last, sum] = [performance.now(), 0]
  const timer = setInterval(() => {
    const now = performance.now()
    sum += Math.max(0, now - last - 20)
    last = now
  }, 20)
  return () => {
    clearInterval(timer)
    return sum
  }
}

const orders: TaskOf = { name: "orders", count: 8, concurrency: 4, streaming: true, work: 700 }
const telemetry = { name: "telemetry" }
const database = { name: "database" }

describe.concurrent("the first signal", () => {
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]] as const) {
    it(`${signal} lets what runs finish, fetches nothing more, closes in order, and exits with ${code}`, async () => {
      const child = start({ tasks: [orders], layers: [database, telemetry] })
      await child.says("started orders-3")
      child.send(signal)
      const { code: exited, lines, stderr, took } = await child.ended
      assert.strictEqual(exited, code)
      assert.deepStrictEqual(accounts(lines), { fetched: 4, Ack: 4 })
      assert.deepStrictEqual(lines.slice(-5), [
        "closing database",
        "closed database",
        "closing telemetry",
        "closed telemetry",
        ""
      ])
      const press = signal === "SIGINT" ? "Ctrl-C" : "signal"
      assert.include(
        stderr,
        `${signal}: draining; 4 transactions in flight have at most 30 seconds, and a second ${press} interrupts and releases them`
      )
      assert.match(stderr, /orders: 4 fetched, 4 succeeded in [\d.]+ (ms|seconds?); interrupted/)
      assert.isBelow(took, 700 + slack)
    })
  }

  it("releases what does not finish within the grace", async () => {
    const child = start({ tasks: [{ ...orders, work: 60_000, grace: 300 }] })
    await child.says("started orders-3")
    child.send("SIGTERM")
    const { code, lines, stderr, took } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(accounts(lines), { fetched: 4, Release: 4 })
    assert.match(stderr, /4 fetched, 4 released/)
    assert.isBelow(took, 300 + slack)
  })

  it("before anything has started: nothing starts", async () => {
    const child = start({ tasks: [orders], layers: [database] })
    child.send("SIGTERM")
    const { code, signal, stdout } = await child.ended
    assert.strictEqual(stdout, "")
    assert.isTrue(signal === "SIGTERM" || code === 143)
  })

  it("while a Layer is built: no task starts, and what was built is closed", async () => {
    const child = start({ tasks: [orders], layers: [{ ...database, build: 60_000 }, telemetry] })
    await child.says("opening database")
    child.send("SIGTERM")
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(lines, [
      "opening telemetry",
      "opened telemetry",
      "opening database",
      "closing telemetry",
      "closed telemetry",
      ""
    ])
    assert.include(stderr, "SIGTERM: stopping; no task runs, and what is open is closed")
  })

  it("while a Layer is built that nothing can interrupt: forced out after grace and close", async () => {
    const child = start({ tasks: [{ ...orders, provide: [{ name: "stuck", build: "hang" }], grace: 300, close: 500 }] })
    await child.says("opening stuck")
    child.send("SIGINT")
    const { code, lines, stderr, took } = await child.ended
    assert.strictEqual(code, 130)
    assert.deepStrictEqual(accounts(lines), { fetched: 0 })
    assert.include(stderr, "did not end within 800 ms: leaving what is still open, and exiting with 130")
    assert.isAtLeast(took, 790)
    assert.isBelow(took, 800 + slack)
  })

  it("while closing: what closes is waited for, and the code is the signal's", async () => {
    const child = start({ tasks: [{ ...orders, streaming: false, work: 0 }], layers: [{ ...database, close: 400 }] })
    await child.says("closing database")
    child.send("SIGTERM")
    const { code, lines } = await child.ended
    assert.strictEqual(code, 143)
    assert.include(lines, "closed database")
    assert.deepStrictEqual(accounts(lines), { fetched: 8, Ack: 8 })
  })

  it("decides the code, also when the program fails on the way", async () => {
    const child = start({ tasks: [orders], layers: [{ ...database, close: "fails" }] })
    await child.says("started orders-3")
    child.send("SIGTERM")
    const { code, stderr } = await child.ended
    assert.strictEqual(code, 143)
    assert.include(stderr, "database did not close")
  })

  it("interrupts a program without transactions", async () => {
    const child = start({ tasks: [{ name: "nightly", program: { after: 60_000 } }], layers: [database] })
    await child.says("started nightly")
    child.send("SIGINT")
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 130)
    assert.include(lines, "closed database")
    assert.match(stderr, /nightly: a program of [\d.]+ (ms|seconds?); interrupted/)
  })

  it("drains every task of the process", async () => {
    const child = start({ tasks: [orders, { ...orders, name: "invoices", work: 900 }], layers: [database] })
    await child.says("started orders-3")
    await child.says("started invoices-3")
    child.send("SIGTERM")
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(accounts(lines), { fetched: 8, Ack: 8 })
    assert.include(stderr, "draining; 8 transactions in flight")
  })

  it("with 64 transactions of 2 seconds in flight: all finish and are settled, and 1 second is enough for the rest", async () => {
    const child = start({ tasks: [{ ...orders, count: 100, concurrency: 64, work: 2000 }], layers: [database] })
    await child.says("started orders-63")
    const delayed = delays()
    child.send("SIGTERM")
    const { code, lines, took } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(accounts(lines), { fetched: 64, Ack: 64 })
    assert.isBelow(took - 2 * delayed(), 3000)
  })

  it("under NodeRuntime.runMain drains as well, and the code is always 130", async () => {
    const child = start({ tasks: [orders], layers: [database], plain: true })
    await child.says("started orders-3")
    child.send("SIGTERM")
    const { code, lines } = await child.ended
    assert.strictEqual(code, 130)
    assert.deepStrictEqual(accounts(lines), { fetched: 4, Ack: 4 })
    assert.include(lines, "closed database")
  })
})

describe.concurrent("the second signal", () => {
  it("interrupts what runs and releases it; the code is that of the first", async () => {
    const child = start({ tasks: [{ ...orders, work: 60_000 }], layers: [database] })
    await child.says("started orders-3")
    child.send("SIGINT")
    await child.says("SIGINT: draining")
    child.send("SIGTERM")
    const { code, lines, stderr, took } = await child.ended
    assert.strictEqual(code, 130)
    assert.deepStrictEqual(accounts(lines), { fetched: 4, Release: 4 })
    assert.include(lines, "closed database")
    assert.include(stderr, "SIGTERM again: interrupting and releasing 4 transactions; a third signal exits at once")
    assert.isBelow(took, slack)
  })

  it("releases what cannot be interrupted, too, within shutdown.close", async () => {
    const child = start({ tasks: [{ ...orders, work: 60_000, stubborn: true, close: 800 }], layers: [database] })
    await child.says("started orders-3")
    child.send("SIGTERM")
    await child.says("SIGTERM: draining")
    child.send("SIGTERM")
    const { code, lines, took } = await child.ended
    assert.strictEqual(code, 143)
    assert.deepStrictEqual(accounts(lines), { fetched: 4, Release: 4 })
    assert.include(lines, "closed database")
    assert.isBelow(took, 800 + slack)
  })

  it("while closing changes nothing: closing has its time", async () => {
    const child = start({ tasks: [{ ...orders, streaming: false, work: 0 }], layers: [{ ...database, close: 600 }] })
    await child.says("closing database")
    child.send("SIGTERM")
    await child.says("SIGTERM: stopping")
    child.send("SIGTERM")
    const { code, lines } = await child.ended
    assert.strictEqual(code, 143)
    assert.include(lines, "closed database")
  })
})

describe.concurrent("the third signal", () => {
  it("exits at once, with the code of the first", async () => {
    const child = start({ tasks: [{ ...orders, work: 60_000, stubborn: true }], layers: [database] })
    await child.says("started orders-3")
    child.send("SIGTERM")
    await child.says("SIGTERM: draining")
    child.send("SIGINT")
    await child.says("SIGINT again")
    child.send("SIGHUP")
    const { code, lines, took } = await child.ended
    assert.strictEqual(code, 143)
    assert.notInclude(lines, "closing database")
    assert.isBelow(took, slack)
  })
})

describe.concurrent("whoever wants to say it in other words", () => {
  it("is called with each signal, and nothing is logged", async () => {
    const child = start({ tasks: [{ ...orders, work: 60_000 }], onSignal: true, summary: false })
    await child.says("started orders-3")
    child.send("SIGINT")
    await child.says("onSignal SIGINT 1")
    child.send("SIGINT")
    const { code, lines, stderr } = await child.ended
    assert.strictEqual(code, 130)
    assert.include(lines, "onSignal SIGINT 2")
    assert.strictEqual(stderr, "")
  })
})
