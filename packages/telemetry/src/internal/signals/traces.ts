/**
 * Where spans go.
 */
import type { Resource } from "@opentelemetry/resources"
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type Sampler,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor
} from "@opentelemetry/sdk-trace-base"
import * as Duration from "effect/Duration"
import type { Effective, Exporter } from "../configuration/effective.ts"
import { consoleSpans } from "../otlp/console.ts"
import { serializers } from "../otlp/exporter.ts"
import type { Outlets } from "./outlets.ts"
import { samplerOf } from "./sampler.ts"

const exporterOf = (exporter: Exporter, outlets: Outlets): SpanExporter =>
  exporter.type === "console" ? consoleSpans() : outlets.open("traces", exporter, serializers.traces(exporter))

const processorOf = (exporter: SpanExporter, { processor, queue }: Effective["traces"]): SpanProcessor =>
  processor === "simple" ? new SimpleSpanProcessor(exporter) : new BatchSpanProcessor(exporter, {
    maxQueueSize: queue.size,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: Duration.toMillis(queue.delay),
    exportTimeoutMillis: Duration.toMillis(queue.timeout)
  })

/** `undefined` when spans would go nowhere. */
export const tracerProvider = (
  traces: Effective["traces"],
  resource: Resource,
  outlets: Outlets,
  further: { readonly processors: ReadonlyArray<SpanProcessor>; readonly sampler: Sampler | undefined }
): BasicTracerProvider | undefined => {
  const spanProcessors = [
    ...traces.exporters.map((exporter) => processorOf(exporterOf(exporter, outlets), traces)),
    ...further.processors
  ]
  return spanProcessors.length === 0
    ? undefined
    : new BasicTracerProvider({ resource, spanProcessors, sampler: further.sampler ?? samplerOf(traces.sampler) })
}
