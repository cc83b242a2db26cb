/** What the example shows: the story of every order, in the terminal or at a collector. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import * as Receiver from "./receiver.ts"

const main = join(import.meta.dirname, "main.ts")

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const run = (env: { readonly [name: string]: string } = {}): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, ["--conditions=@ergon/source", main], {
      env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Without what is never the same twice: how long everything took. */
const withoutTimes = (text: string): string => text.replaceAll(/ +[\d.]+ m?s(?= |$)/gm, "").replaceAll(/ +$/gm, "")

const trees = `transaction place  succeeded
├─ process
╰─ dispatch orders
   ╰─ transaction orders  succeeded, 3 attempts
      ├─ process  ✗ the carrier is busy
      │  ╰─ book a carrier  ✗ the carrier is busy
      ├─ process  attempt 2, ✗ an attempt of the process step exceeded its timeout of
      │  ╰─ book a carrier
      ├─ process  attempt 3
      │  ├─ book a carrier
      │  ├─ pack it
      │  ╰╴info: lamp is parcel 1004
      ├─ dispatch shipments
      ╰─ settle orders  Ack

transaction place  succeeded
├─ process
╰─ dispatch orders
   ╰─ transaction orders  succeeded
      ├─ process
      │  ├─ book a carrier
      │  ├─ pack it
      │  ╰╴info: chair is parcel 1005
      ├─ dispatch shipments
      ╰─ settle orders  Ack

transaction place  succeeded
├─ process
╰─ dispatch orders
   ╰─ transaction orders  failed, ✗ nobody carries a piano
      ├─ process  ✗ nobody carries a piano
      │  ╰─ book a carrier  ✗ nobody carries a piano
      ├─ dispatch dead-orders
      ╰─ settle orders  Ack

transaction place  succeeded
├─ process
╰─ dispatch orders
   ├─ transaction orders  redelivered
   │  ├─ process
   │  │  ├─ book a carrier
   │  │  ├─ pack it
   │  │  ╰╴info: statue is parcel 1006
   │  ├─ dispatch shipments
   │  ├─ settle orders  Ack, ✗ the delivery is no longer held: its lease ran out or its connector closed
   │  ╰╴warn: the lease was lost before the settlement; the source will redeliver
   ╰─ transaction orders  succeeded, delivered before
      ├─ process
      │  ├─ book a carrier
      │  ├─ pack it
      │  ╰╴info: statue is parcel 1006
      ├─ dispatch shipments
      ╰─ settle orders  Ack

3 shipped, 1 given up, 1 delivered twice, 2 attempts more than the first
`

describe("the example of observability", () => {
  it.live("prints the trace of every order as a tree", () =>
    Effect.map(run(), ({ code, stderr, stdout }) => {
      assert.strictEqual(stderr, "")
      assert.strictEqual(code, 0)
      assert.strictEqual(withoutTimes(stdout), trees)
    }))

  it.live("sends the same to a collector, each task under its own name", () =>
    Effect.gen(function*() {
      const receiver = yield* Receiver.make
      const { code, stdout } = yield* run({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, "├─")
      const orders = receiver.spans.filter(({ name }) => name === "transaction orders")
      const placed = receiver.spans.filter(({ name }) => name === "transaction place")
      assert.deepStrictEqual([orders.length, placed.length], [5, 4])
      assert.deepStrictEqual([...new Set(orders.map(({ service }) => service))], ["ship"])
      assert.deepStrictEqual([...new Set(placed.map(({ service }) => service))], ["place"])
      // One trace from the producer to the end, for each order.
      const traces = (of: ReadonlyArray<Receiver.Span>) => new Set(of.map(({ traceId }) => traceId))
      assert.deepStrictEqual(traces(orders), traces(placed))
      assert.strictEqual(traces(orders).size, 4)
    }))
})
