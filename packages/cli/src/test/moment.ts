import type { Moment } from "../internal/progress/measure.ts"

/** A run in the middle of its work. */
export const moment = (patch: Partial<Moment> = {}): Moment => ({
  task: "orders",
  kind: "consumer",
  phase: "running",
  elapsed: 5000,
  done: 1204,
  rate: 312.4,
  inFlight: 8,
  succeeded: 1200,
  failed: 4,
  retries: 2,
  waiting: 3788,
  known: 5000,
  limit: Infinity,
  streaming: false,
  graceLeft: undefined,
  workers: undefined,
  ...patch
})
