/**
 * Keeps spans and log records in memory, for tests and for programs that show their own.
 *
 * @since 0.1.0
 */
import type { LogRecordProcessor, ReadableLogRecord } from "@opentelemetry/sdk-logs"
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base"

/**
 * What was recorded, oldest first, and the processors that record it: hand them to `Observability.layer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  readonly spans: ReadonlyArray<ReadableSpan>
  readonly logs: ReadonlyArray<ReadableLogRecord>
  readonly spanProcessor: SpanProcessor
  readonly logRecordProcessor: LogRecordProcessor
  /** Forgets everything. */
  readonly clear: () => void
}

const none = (): Promise<void> => Promise.resolve()

/**
 * A recorder that keeps the newest spans and the newest log records, `capacity` of each (10,000). It records a span when
 * it ends, and only one that was sampled.
 *
 * **Example** (Recording a span)
 * ```ts import.meta.vitest
 * import { Observability, Recorder } from "@ergon/telemetry"
 * import { Effect } from "effect"
 *
 * const recorder = Recorder.make({ capacity: 2 })
 * const telemetry = Observability.layer(
 *   { traces: { exporters: [] }, metrics: { exporters: [] }, logs: { exporters: [] } },
 *   { spanProcessors: [recorder.spanProcessor] }
 * )
 * const spans = Effect.forEach(["a", "b", "c"], (name) => Effect.withSpan(Effect.void, name))
 * await Effect.runPromise(Effect.provide(spans, telemetry))
 * recorder.spans.map(({ name }) => name) // => ["b", "c"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: { readonly capacity?: number | undefined } = {}): Recorder => {
  const capacity = options.capacity ?? 10_000
  const spans: Array<ReadableSpan> = []
  const logs: Array<ReadableLogRecord> = []
  const keep = <Item>(items: Array<Item>, item: Item): void => {
    items.push(item)
    if (items.length > capacity) items.shift()
  }
  return {
    spans,
    logs,
    spanProcessor: {
      onStart: () => undefined,
      onEnd: (span) => {
        if ((span.spanContext().traceFlags & 1) === 1) keep(spans, span)
      },
      forceFlush: none,
      shutdown: none
    },
    logRecordProcessor: {
      onEmit: (record) => keep(logs, record),
      forceFlush: none,
      shutdown: none
    },
    clear: () => {
      spans.length = 0
      logs.length = 0
    }
  }
}
