/**
 * What holds for an option that nobody gives. Where the specification of OpenTelemetry has a default it is this one.
 */
import type { FileInput, Input } from "./schema.ts"

const queue = { size: 2048, batch: 512, delay: "5 seconds", timeout: "30 seconds" } as const

export const defaults = {
  enabled: true,
  attributes: {},
  otlp: {
    endpoint: "http://localhost:4318",
    headers: {},
    protocol: "http/json",
    compression: "none",
    timeout: "10 seconds"
  },
  traces: {
    exporters: ["otlp"],
    sampler: { kind: "always", ratio: 1, parentBased: true },
    processor: "batch",
    queue
  },
  metrics: { exporters: ["otlp"], interval: "60 seconds", timeout: "30 seconds", temporality: "cumulative" },
  logs: {
    exporters: ["otlp"],
    queue: { ...queue, delay: "1 second" }
  },
  diagnostics: "none",
  shutdownTimeout: "3 seconds"
} as const satisfies Input

export const consoleDefaults = { format: "pretty", stream: "stderr" } as const

export const fileDefaults = {
  format: "json",
  size: 100 * 1024 * 1024,
  daily: true,
  keep: { files: 14 },
  delay: "200 millis",
  buffer: 8 * 1024 * 1024
} as const satisfies Omit<FileInput, "path">
