import { Policy } from "@ergon/core"
import { Duration } from "effect"
import { expect, it } from "vitest"
import { nothing } from "./merge.ts"
import { codecs, type ToHost, type ToWorker } from "./protocol.ts"

const { decodeToHost, decodeToWorker, encodeToHost, encodeToWorker } = codecs()

const status = {
  phase: "running" as const,
  fetched: 1,
  inFlight: 1,
  buffered: 0,
  held: 0,
  settling: 0,
  resisting: 0,
  concurrency: 1,
  fetchingSince: undefined,
  oldestSince: 12,
  fetchFailures: 0,
  summary: { ...nothing, reasons: { Broken: 1 }, duration: Duration.millis(12) }
}

it.each<ToHost>([
  {
    _tag: "Beat",
    at: 3,
    status,
    connectors: [
      { id: "orders", role: "source", result: { _tag: "Healthy" } },
      { id: "receipts", role: "sink", result: { _tag: "Failed", message: "gone" } },
      { id: "dead", role: "deadLetters", result: { _tag: "Unanswered", after: 10 } }
    ],
    count: { _tag: "Counted", ready: 1, inFlight: 2, delayed: 3 },
    series: [
      {
        name: "ergon.fetch.size",
        labels: { "ergon.task": "orders" },
        count: 3,
        sum: 7,
        buckets: [[1, 1], [Infinity, 3]]
      }
    ]
  },
  { _tag: "Ended", summary: status.summary, signal: undefined },
  { _tag: "Failed", summary: status.summary, tag: "Aborted", reason: "because", exitCode: 1, mends: false }
])("what a worker says survives: $_tag", (message) => {
  expect(decodeToHost(structuredClone(encodeToHost(message)))).toEqual(message)
})

it.each<ToWorker>([
  {
    _tag: "Start",
    task: "orders",
    policy: Policy.encode(Policy.make({ loop: { limit: 3 } })),
    execution: "e-1",
    headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    histograms: true
  },
  { _tag: "Drain" },
  { _tag: "Stop" },
  { _tag: "SetConcurrency", concurrency: 3 },
  { _tag: "SetRate", rate: undefined },
  { _tag: "SetRate", rate: { limit: 3, interval: Duration.seconds(1) } },
  { _tag: "Bye" }
])("what a host says survives: $_tag", (message) => {
  expect(decodeToWorker(structuredClone(encodeToWorker(message)))).toEqual(message)
})
