import { spawnSync } from "node:child_process"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { fileURLToPath } from "node:url"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Health from "./Health.ts"
import { type Child, killAll, startProgram } from "./test/child.ts"
import { parse } from "./test/prometheus.ts"
import type { Supervised } from "./test/supervised.ts"

const program = fileURLToPath(new URL("./test/supervised.ts", import.meta.url))

afterEach(killAll)

interface Served extends Child {
  readonly port: number
  readonly get: (path: string, init?: RequestInit) => Promise<{
    readonly status: number
    readonly headers: Headers
    readonly text: string
  }>
  /** Asks until the answer is one that is wanted. */
  readonly until: (path: string, status: number) => Promise<string>
}

const serve = async (scenario: Supervised): Promise<Served> => {
  const child = startProgram(program, { http: { port: 0 }, ...scenario })
  let stderr = ""
  child.process.stderr?.on("data", (chunk: string) => stderr += chunk)
  await child.says("health and metrics on")
  const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(stderr)?.[1])
  const get: Served["get"] = async (path, init) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return {
    ...child,
    port,
    get,
    until: async (path, status) => {
      for (;;) {
        const answer = await get(path)
        if (answer.status === status) return answer.text
      }
    }
  }
}

const decode = Schema.decodeUnknownSync(Health.Status, { onExcessProperty: "error", errors: "all" })

describe("the endpoint", () => {
  it("is ready when the run works, and not from the first signal on, while what is in flight goes on", async () => {
    const child = await serve({ count: 2, work: 2500, policy: { shutdown: { grace: "10 seconds" } } })
    await child.says("started 1")
    await child.until("/ready", 200)
    child.send("SIGTERM")
    const why = await child.until("/ready", 503)
    assert.deepStrictEqual(JSON.parse(why), { ready: false, notReady: ["the process is asked to end"] })
    assert.strictEqual((await child.get("/live")).status, 200)
    assert.strictEqual(decode(JSON.parse((await child.get("/status")).text)).tasks[0]?.phase, "draining")
    const { code, lines } = await child.ended
    assert.strictEqual(code, 143)
    assert.include(lines, "ended 1")
  })

  it("is not alive while a connector is unhealthy", async () => {
    const child = await serve({ count: 1, sickAfter: 200, policy: { supervision: { unhealthyGrace: "1 minute" } } })
    const { live, reasons } = JSON.parse(await child.until("/live", 503))
    assert.strictEqual(live, false)
    assert.strictEqual(reasons[0].task, "jobs")
    assert.strictEqual(reasons[0]._tag, "ConnectorUnhealthy")
    const status = decode(JSON.parse((await child.get("/status")).text))
    assert.strictEqual(status.tasks[0]?.connectors[0]?.health, "unhealthy")
    assert.include(status.tasks[0]?.connectors[0]?.reason, "the broker is away")
    assert.isFalse(status.tasks[0]?.liveness.healthy)
  })

  it("tells metrics that Prometheus can read and that match the summary, and a status of a known shape", async () => {
    const child = await serve({
      count: 9,
      failing: 2,
      policy: { fetch: { wait: "5 seconds", timeout: "6 seconds" }, process: { retry: { maxAttempts: 2 } } }
    })
    await child.says("ended 8")
    const { headers, text } = await child.get("/metrics")
    assert.include(headers.get("content-type"), "text/plain; version=0.0.4")
    const metrics = parse(text)
    const promtool = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
    if (promtool.error === undefined) assert.strictEqual(promtool.status, 0, promtool.stdout + promtool.stderr)
    const status = decode(JSON.parse((await child.get("/status")).text))
    const [task] = status.tasks
    assert.deepInclude(task?.summary, { fetched: 9, succeeded: 7, failed: 2, deadLettered: 2, retries: 2 })
    for (const outcome of ["succeeded", "failed", "requeued", "timeout", "redelivered", "released"] as const) {
      assert.strictEqual(
        metrics.get("ergon_transactions_total", { ergon_task: "jobs", ergon_outcome: outcome }),
        task?.summary[outcome]
      )
    }
    assert.strictEqual(metrics.get("ergon_fetched_total", { ergon_task: "jobs" }), 9)
    assert.strictEqual(metrics.get("ergon_retries_total", { ergon_task: "jobs" }), 2)
    assert.strictEqual(metrics.get("ergon_dead_letters_total", { ergon_task: "jobs" }), 2)
    assert.strictEqual(metrics.get("ergon_concurrency", { ergon_task: "jobs" }), 4)
    assert.strictEqual(metrics.get("ergon_in_flight", { ergon_task: "jobs" }), 0)
    assert.strictEqual(metrics.get("ergon_backlog", { ergon_task: "jobs", ergon_state: "ready" }), 0)
    assert.strictEqual(metrics.get("ergon_healthy", { ergon_task: "jobs" }), 1)
    assert.strictEqual(metrics.get("ergon_ready"), 1)
    const durations = { ergon_task: "jobs", ergon_outcome: "succeeded" }
    assert.strictEqual(metrics.get("ergon_transaction_duration_seconds_count", durations), 7)
    assert.strictEqual(metrics.get("ergon_transaction_duration_seconds_bucket", { ...durations, le: "+Inf" }), 7)
    assert.isAbove(metrics.get("process_resident_memory_bytes") ?? 0, 1e7)
    assert.deepInclude(task, { kind: "consumer", phase: "running", concurrency: 4, workers: [] })
    assert.isTrue(status.live && status.ready)
  })

  it("answers HEAD, refuses other methods, and lists its paths", async () => {
    const child = await serve({ count: 1 })
    await child.until("/ready", 200)
    const head = await child.get("/metrics", { method: "HEAD" })
    assert.deepStrictEqual([head.status, head.text], [200, ""])
    const post = await child.get("/live", { method: "POST", body: "x".repeat(100_000) })
    assert.deepStrictEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"])
    const unknown = await child.get("/nothing")
    assert.strictEqual(unknown.status, 404)
    assert.deepStrictEqual(JSON.parse(unknown.text).paths, ["/live", "/ready", "/metrics", "/status"])
    assert.strictEqual((await child.get("/live?x=1")).status, 200)
  })

  it("says which port is in use, before anything has run", async () => {
    const taken = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as AddressInfo
    const { code, stderr, stdout } = await startProgram(program, { count: 1, http: { port } }).ended
    taken.close()
    assert.strictEqual(code, 1)
    assert.include(stderr, `cannot listen on 127.0.0.1:${port} for health and metrics: it is in use`)
    assert.strictEqual(stdout, "")
  })

  it("does not wait for slow and silent clients when it ends", async () => {
    const child = await serve({ count: 1, policy: { shutdown: { close: "2 seconds" } } })
    await child.until("/ready", 200)
    const clients = await Promise.all(
      ["", "GET /live HT", "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"].map(
        (text) =>
          new Promise<ReturnType<typeof connect>>((resolve) => {
            const socket = connect(child.port, "127.0.0.1", () => socket.write(text, () => resolve(socket)))
            socket.on("error", () => {})
          })
      )
    )
    child.send("SIGTERM")
    const { code, stderr, took } = await child.ended
    for (const socket of clients) socket.destroy()
    assert.strictEqual(code, 143)
    assert.notInclude(stderr, "closing has taken")
    assert.isBelow(took, 3000)
  })
})
