/**
 * What waits in the queue of a batch processor of the SDK. The SDK drops what does not fit and tells nobody; here the
 * same count is kept beside it, so that somebody can be told.
 */
import type { ExportResult } from "@opentelemetry/core"
import type { OtlpSignalExporter } from "../otlp/exporter.ts"

export class Waiting<Item> {
  readonly #size: number
  readonly #exporter: OtlpSignalExporter<Array<Item>>
  #waiting = 0

  constructor(size: number, exporter: OtlpSignalExporter<Array<Item>>) {
    this.#size = size
    this.#exporter = exporter
  }

  /** Something is about to enter the queue, or to be dropped. */
  add(): void {
    if (this.#waiting >= this.#size) this.#exporter.dropped()
    else this.#waiting++
  }

  /** The exporter, for which the processor takes batches out of its queue. */
  counting() {
    const exporter = this.#exporter
    return {
      export: (items: Array<Item>, done: (result: ExportResult) => void): void => {
        this.#waiting -= items.length
        exporter.export(items, done)
      },
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown()
    }
  }
}
