/**
 * What a run tells about itself, and to whom: its spans, when a tracer listens, and its metrics.
 */
import { Meter, type MeterOptions } from "./meter.ts"
import type { Item } from "./item.ts"
import type { Slot } from "./slot.ts"
import type { Trace } from "./trace.ts"
import type { Watcher } from "./watcher.ts"

export class Signals {
  readonly trace: Trace | undefined
  readonly meter: Meter
  private readonly watcher: Watcher

  constructor(trace: Trace | undefined, options: MeterOptions) {
    this.trace = trace
    this.watcher = options.watcher
    this.meter = new Meter(options)
  }

  /** A transaction is started in this slot. */
  started(slot: Slot, item: Item): void {
    this.trace?.transaction(slot, item)
    if (this.meter.histograms) item.startedAt = slot.startedAt
    this.meter.changed()
  }

  /** A transaction has ended: its settlement is confirmed, or never will be. */
  ended(item: Item): void {
    this.trace?.transactionEnded(item)
    if (this.meter.histograms && item.startedAt >= 0)
      this.meter.transaction(item.kind, this.watcher.now() - item.startedAt)
    this.meter.changed()
  }
}
