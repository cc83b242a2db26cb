/**
 * Exporters that write a line of JSON to stderr for each span and each metric: to see without a collector what one
 * would get.
 */
import { type ExportResult, ExportResultCode, hrTimeToMilliseconds, hrTimeToTimeStamp } from "@opentelemetry/core"
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"

const kinds = ["internal", "server", "client", "producer", "consumer"]
const statuses = ["unset", "ok", "error"]

const spanLine = (span: ReadableSpan) => ({
  span: span.name,
  kind: kinds[span.kind],
  trace_id: span.spanContext().traceId,
  span_id: span.spanContext().spanId,
  parent_span_id: span.parentSpanContext?.spanId,
  start: hrTimeToTimeStamp(span.startTime),
  duration_ms: hrTimeToMilliseconds(span.duration),
  status: statuses[span.status.code],
  service: span.resource.attributes["service.name"],
  attributes: span.attributes,
  events: span.events.map(({ attributes, name }) => ({ name, attributes })),
  links: span.links.map(({ context }) => ({ trace_id: context.traceId, span_id: context.spanId }))
})

const metricLines = ({ resource, scopeMetrics }: ResourceMetrics) =>
  scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap(({ dataPoints, descriptor }) =>
      dataPoints.map(({ attributes, value }) => ({
        metric: descriptor.name,
        unit: descriptor.unit,
        service: resource.attributes["service.name"],
        attributes,
        value
      }))
    )
  )

class ConsoleExporter<Items> {
  readonly #lines: (items: Items) => ReadonlyArray<object>

  constructor(lines: (items: Items) => ReadonlyArray<object>) {
    this.#lines = lines
  }

  export(items: Items, done: (result: ExportResult) => void): void {
    const lines = this.#lines(items)
    if (lines.length > 0) process.stderr.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    done({ code: ExportResultCode.SUCCESS })
  }

  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

export const consoleSpans = () => new ConsoleExporter<Array<ReadableSpan>>((spans) => spans.map(spanLine))

export const consoleMetrics = () => new ConsoleExporter<ResourceMetrics>(metricLines)
